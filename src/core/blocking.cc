#include "src/core/blocking.h"

#include <algorithm>

#include "kernels/kernels.h"
#include "src/core/memory.h"

namespace idelta::core {
namespace {

constexpr int64_t kFloat = sizeof(float);

// The largest block <= limit that cuts total evenly into multiples of `unit`. Small calls spend no division here.
int64_t even_block(int64_t total, int64_t limit, int64_t unit) {
  if (total <= limit) return round_up(total, unit);
  const int64_t blocks = ceil_div(total, std::max(unit, limit / unit * unit));
  return round_up(ceil_div(total, blocks), unit);
}

}  // namespace

Range part_of(int64_t total, int64_t parts, int64_t index) {
  const int64_t size = total / parts, larger = total % parts;
  const int64_t begin = index * size + std::min(index, larger);
  return {begin, begin + size + (index < larger ? 1 : 0)};
}

int64_t even_tile(int64_t rows, int64_t mr) { return rows <= mr ? rows : ceil_div(rows, ceil_div(rows, mr)); }

ForwardBlocks forward_blocks(const CacheSizes& caches, const TileShape& tile, int64_t m, int64_t n) {
  const int64_t kc = even_block(n, caches.l2 / 8 / (tile.nr * kFloat), kLine);
  const int64_t mc = even_block(m, caches.l2 / 2 / (std::min(kc, n) * kFloat), tile.mr);
  return {std::min(mc, m), kc};
}

WeightsBlocks weights_blocks(const CacheSizes& caches, const TileShape& tile, int64_t m, int64_t n) {
  // A tile's columns of x, mb x mr, stay in L1 with the panel passing by.
  const int64_t mb = even_block(m, std::max<int64_t>(caches.l1 / 2 / (tile.mr * kFloat), 16), 16);
  const int64_t rows = std::min(mb, m);
  const int64_t group =
      even_block(round_up(n, tile.nr), caches.l2 / 4 / (std::max<int64_t>(rows, 1) * kFloat), tile.nr);
  const int64_t width = round_up(n, tile.nr);
  const int64_t update_group = even_block(width, std::min(group, caches.l2 / 4 / (width * kFloat)), tile.nr);
  const bool pack = 2 * m * n * kFloat > caches.l1 / 3 * 2;
  return {.mb = rows, .group = group, .update_group = update_group, .pack = pack};
}

Grid forward_grid(int64_t threads, int64_t m, int64_t panels) {
  constexpr int64_t kStreamRows = 12;  // 0.4 cycles an element of D from L3 against 1/32 a row of AVX-512
  Grid best{1, 1};
  if (threads == 1) return best;
  double least = -1;
  for (int64_t rows = std::min(threads, m); rows >= 1; --rows) {
    const int64_t cols = std::min(threads / rows, panels);
    const double cost =
        static_cast<double>(ceil_div(m, rows) + kStreamRows) * static_cast<double>(ceil_div(panels, cols));
    if (least < 0 || cost < least) {
      least = cost;
      best = {rows, cols};
    }
  }
  return best;
}

Grid weights_grid(int64_t threads, int64_t panels) {
  Grid best{1, 1};
  if (threads == 1) return best;
  double least = -1;
  for (int64_t rows = std::min(threads, panels); rows >= 1; --rows) {
    const int64_t cols = std::min(threads / rows, panels);
    const double cost = static_cast<double>(ceil_div(panels, rows)) * static_cast<double>(ceil_div(panels, cols));
    if (least < 0 || cost < least) {
      least = cost;
      best = {rows, cols};
    }
  }
  return best;
}

int64_t useful_threads(int64_t threads, double multiply_adds) {
  constexpr double kBreakEven = 2e6;  // multiply-adds a thread
  return std::clamp(static_cast<int64_t>(std::min(multiply_adds / kBreakEven, 1e9)), int64_t{1}, threads);
}

}  // namespace idelta::core
