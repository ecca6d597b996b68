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

// The grid of at most `threads` tasks whose largest task, cost(rows, cols), is least; more rows where equal.
template <class Cost>
Grid least_cost(int64_t threads, int64_t rows, int64_t cols, Cost&& cost) {
  Grid best{1, 1};
  if (threads == 1) return best;
  double least = -1;
  for (int64_t r = std::min(threads, rows); r >= 1; --r) {
    const int64_t c = std::min(threads / r, cols);
    const double largest = cost(ceil_div(rows, r), ceil_div(cols, c));
    if (least < 0 || largest < least) {
      least = largest;
      best = {r, c};
    }
  }
  return best;
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
  constexpr int64_t kPackedBytes = int64_t{64} << 20;  // of both operands, at most
  const int64_t kb = even_block(m, std::max<int64_t>(caches.l2 / 16 / (tile.nr * kFloat), kLine), kLine);
  const int64_t mb = even_block(m, std::max(kPackedBytes / (2 * n * kFloat), kb), std::max(kb, kLine));
  const bool pack = 2 * m * n * kFloat > caches.l1 / 3 * 2;
  return {.mb = std::min(mb, m), .kb = kb, .pack = pack};
}

Grid forward_grid(int64_t threads, int64_t m, int64_t panels) {
  constexpr int64_t kStreamRows = 12;  // 0.4 cycles an element of D from L3 against 1/32 a row of AVX-512
  return least_cost(threads, m, panels, [](int64_t rows, int64_t cols) {
    return static_cast<double>(rows + kStreamRows) * static_cast<double>(cols);
  });
}

Grid weights_grid(int64_t threads, int64_t blocks, int64_t panels) {
  return least_cost(threads, blocks, panels,
                    [](int64_t rows, int64_t cols) { return static_cast<double>(rows) * static_cast<double>(cols); });
}

int64_t useful_threads(int64_t threads, double multiply_adds) {
  // A thread's least share: 3 us of arithmetic at 100 GFLOP/s a core and more where D streams, against 1 to 3 us to
  // start and join OpenMP threads that are still awake.
  constexpr double kBreakEven = 3e5;
  return std::clamp(static_cast<int64_t>(std::min(multiply_adds / kBreakEven, 1e9)), int64_t{1}, threads);
}

}  // namespace idelta::core
