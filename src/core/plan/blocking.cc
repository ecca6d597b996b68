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

ForwardBlocks forward_blocks(const CacheSizes& caches, const TileShape& tile, int64_t m, int64_t n) {
  const int64_t kc = even_block(n, tile.nr * kFloat, caches.l2 / 8, kLine);
  const int64_t mc = even_block(m, kc * kFloat, caches.l2 / 4, tile.mr);
  return {mc, kc};
}

bool far_outputs(const CacheSizes& caches, int64_t m, int64_t n) {
  return n >= kShortRows || m * n * kFloat > caches.l2 / 2;
}

int64_t rounded_rows(const CacheSizes& caches, int64_t mr, int64_t m, int64_t row_bytes) {
  return even_block(m, row_bytes, caches.l2 / 2, mr);
}

bool rows_collide(int64_t m, int64_t ld) { return m > 8 && ld * kFloat % kPage == 0; }

int64_t useful_threads(int64_t threads, double multiply_adds) {
  // A thread's least share. forward, n = 64 .. 256, threads awake: 2 threads against 1 are 0.6 times as fast at 0.13
  // million multiply-adds, 0.93 at 0.3, 1.17 at 0.5, 1.3 at 1, 1.5 at 2, 1.7 at 4 (EPYC Turin, AVX-512, 2026-11; there
  // two single-threaded programs at once cost each other 6 to 12 %). Starting and joining takes 0.7 us.
  constexpr double kBreakEven = 2e5;
  return std::clamp(static_cast<int64_t>(std::min(multiply_adds / kBreakEven, 1e9)), int64_t{1}, threads);
}

}  // namespace idelta::core
