// Cache blocks, and how much work is worth a thread: pure functions of sizes. They change no bit of any result.
#ifndef IDELTA_CORE_PLAN_BLOCKING_H
#define IDELTA_CORE_PLAN_BLOCKING_H

#include <cstdint>

#include "src/core/base/range.h"
#include "src/core/machine/topology.h"
#include "src/core/plan/cost_model.h"

namespace idelta::core {

// `total` if so many items of `bytes` each fit into `budget`, without a division: a call with n = 64, m = 1 takes only
// 190 ns. Else the largest multiple of `unit` that fits and cuts total evenly.
int64_t even_block(int64_t total, int64_t bytes, int64_t budget, int64_t unit);

// Rows of a tile if `rows` rows are cut evenly into as few tiles of at most mr as possible.
int64_t even_tile(int64_t rows, int64_t mr);

// forward and backward_data: a task takes mc rows at a time, for them kc steps of the reduction, and multiplies all row
// tiles with one panel after the other. The rows (mc x kc) stay in L2, a slice of a panel is kc x nr, a row tile mr x
// kc. Between slices sums are kept in memory.
struct ForwardBlocks {
  int64_t mc, kc;
};
ForwardBlocks forward_blocks(const CacheSizes& caches, const TileShape& tile, int64_t m, int64_t n);

// Row stride of a copy: an odd number of lines, so that rows of a tile use different sets of L1.
constexpr int64_t odd_lines(int64_t numbers, int64_t line) { return (ceil_div(numbers, line) | 1) * line; }

// Whether y will not be in L2 when it is stored. Else prefetching it would take a tenth of a tile's time at n = 64.
bool far_outputs(const CacheSizes& caches, int64_t m, int64_t n);

// Whether forward should copy m rows of stride ld: if it is a multiple of a page, all rows of a tile share one set of
// L1 (4 % at n = 1024, m = 512, Zen 5).
bool rows_collide(int64_t m, int64_t ld);

// The number of multiply-adds that take as long as packing `elements` elements.
constexpr double packing_work(int64_t elements) { return 16 * static_cast<double>(elements); }

// The work of an update: multiplying, and stepping the parameters. Fitted to where two threads break even: n = 128, m =
// 40; n = 256, m = 8; n = 512, m = 2 (Zen 5, 2026-11).
constexpr double training_work(double multiply_adds, int64_t parameters) {
  return (multiply_adds + static_cast<double>(parameters)) / 1.5;
}

// The number of threads that pay for this number of multiply-adds, or work that takes as long.
int64_t useful_threads(int64_t threads, double multiply_adds);

}  // namespace idelta::core

#endif  // IDELTA_CORE_PLAN_BLOCKING_H
