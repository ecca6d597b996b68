// Cache blocks and how much work is worth a thread: pure functions of sizes, tested without a CPU.
//
// None of this changes a bit of any result (kernels.h, Numerics); it only decides what stays in which cache.
#ifndef IDELTA_CORE_PLAN_BLOCKING_H
#define IDELTA_CORE_PLAN_BLOCKING_H

#include <cstdint>

#include "src/core/base/range.h"
#include "src/core/machine/topology.h"
#include "src/core/plan/cost_model.h"

namespace idelta::core {

// `total` if so many items of `bytes` each fit into `budget`; else the largest multiple of `unit` that fits and cuts
// total evenly. What fits costs no division: a whole call with n = 64, m = 1 takes 190 ns.
int64_t even_block(int64_t total, int64_t bytes, int64_t budget, int64_t unit);

// Rows a tile when `rows` rows are cut into as few tiles of at most mr as possible, evened.
int64_t even_tile(int64_t rows, int64_t mr);

// forward and backward_data: a task takes mc rows at a time, for them kc steps of the reduction, and for these its
// panels one after the other, each with all row tiles:
//   a slice of the rows, mc x kc, stays in L2 while slices of panels, kc x nr, pass through it; a row tile, mr x kc,
//   passes through L1. Sums wait in memory between slices.
struct ForwardBlocks {
  int64_t mc, kc;
};
ForwardBlocks forward_blocks(const CacheSizes& caches, const TileShape& tile, int64_t m, int64_t n);

// Shorter rows are fetched well enough by the hardware, and a tile of them has no time for more.
inline constexpr int64_t kShortRows = 256;

// Whether y will not be in L2 when it is stored to. Otherwise fetching it would be a tenth of a tile's time at n = 64.
bool far_outputs(const CacheSizes& caches, int64_t m, int64_t n);

// Rows, of m, that a task rounds to bf16 at a time, row_bytes each: they stay in L2 beside a panel that passes through.
int64_t rounded_rows(const CacheSizes& caches, int64_t mr, int64_t m, int64_t row_bytes);

// Whether forward should copy m rows that lie ld elements apart, whatever their size: a multiple of a page means one
// set of L1, too few for the mr rows of a tile (n = 1024, m = 512: 4 %; half a page, n = 512, would lose 2 % to the
// copy, Zen 5).
bool rows_collide(int64_t m, int64_t ld);

// The multiply-adds that take as long as packing so many elements.
constexpr double packing_work(int64_t elements) { return 16 * static_cast<double>(elements); }

// The work that all passes of a layer are given threads for once it is being trained: multiplying, and stepping the
// parameters. Lines where two threads' parameters meet change caches in each step, so that two threads break even at n
// = 128, m = 40, at n = 256, m = 8 and at n = 512, m = 2 (Zen 5, 2026-11).
constexpr double training_work(double multiply_adds, int64_t parameters) {
  return (multiply_adds + static_cast<double>(parameters)) / 1.5;
}

// Threads worth having for so many multiply-adds (or work that takes as long).
int64_t useful_threads(int64_t threads, double multiply_adds);

}  // namespace idelta::core

#endif  // IDELTA_CORE_PLAN_BLOCKING_H
