#include "src/core/plan/blocking.h"

#include <algorithm>

#include "kernels/kernels.h"
#include "src/core/machine/memory.h"

namespace idelta::core {
namespace {

constexpr int64_t kFloat = sizeof(float);
constexpr int64_t kPage = 4096;  // bytes; a way of L1

}  // namespace

int64_t even_block(int64_t total, int64_t bytes, int64_t budget, int64_t unit) {
  if (total * bytes <= budget) return total;
  const int64_t limit = std::max(unit, budget / bytes / unit * unit);
  return std::min(total, round_up(ceil_div(total, ceil_div(total, limit)), unit));
}

int64_t even_tile(int64_t rows, int64_t mr) { return rows <= mr ? rows : ceil_div(rows, ceil_div(rows, mr)); }

ForwardBlocks forward_blocks(const CacheSizes& caches, const TileShape& tile, int64_t m, int64_t k) {
  const int64_t kc = even_block(k, tile.nr * kFloat, caches.l2 / 8, kLine);
  return {even_block(m, kc * kFloat, caches.l2 / 4, tile.mr), kc};
}

bool far_outputs(const CacheSizes& caches, int64_t m, int64_t n) {
  constexpr int64_t kShortRows = 256;
  return n >= kShortRows || m * n * kFloat > caches.l2 / 2;
}

bool rows_collide(int64_t m, int64_t ld) { return m > 8 && ld * kFloat % kPage == 0; }

int64_t useful_threads(int64_t threads, double multiply_adds) {
  return std::clamp(static_cast<int64_t>(std::min(multiply_adds / kCostModel.thread_multiply_adds, 1e9)), int64_t{1},
                    threads);
}

}  // namespace idelta::core
