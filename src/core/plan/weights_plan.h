// How x^T dz is cut, for backward_weights and update: pure functions of sizes, tested without a CPU.
//
// dD is a grid of panels of nr rows by nr columns. A task has a cell of it, and for each block of mb rows of the batch
// it
//   - packs its columns of dz in panels of mb x nr, which stay in L3
//   - takes kBlockPanels row panels of dD at a time and packs the columns of x that they need, which stay in L2. Almost
//     full tiles make them up: 96 = 7 x 14 - 2 (AVX-512), 48 = 8 x 6 (AVX2)
//   - multiplies these with one panel of dz after the other, which stays in L2 until all tiles have used it
//
// Operands are used in place where packing does not pay. None of this changes a bit of any result.
#ifndef IDELTA_CORE_PLAN_WEIGHTS_PLAN_H
#define IDELTA_CORE_PLAN_WEIGHTS_PLAN_H

#include <algorithm>
#include <cstdint>

#include "kernels/kernels.h"
#include "src/core/base/range.h"
#include "src/core/machine/topology.h"
#include "src/core/plan/partition.h"

namespace idelta::core {

// Where dD goes: to memory, or to the optimiser, whose D and state are in rows or in panels.
enum class Sink { kMemory, kStepRows, kStepPanels };

struct WeightsProblem {
  int64_t m, n;
  int64_t ldx, lddz;
  int64_t planes;  // bf16 numbers that each number is rounded to where that pays; 0: fp32
  Sink sink;
};

struct WeightsPlan {
  static constexpr int64_t kBlockPanels = 3, kRunPanels = 16;

  int64_t m, n, nr;
  int64_t panels, whole_panels;  // all, and those with nr columns
  int64_t planes;                // 0: multiplied in fp32
  double work;                   // in multiply-adds of fp32
  bool cuts_columns;             // cut by column panels before row panels
  Partition partition;           // of row panels by column panels, or the reverse if cuts_columns
  int64_t mb = 0;
  int64_t tile_rows = 0;       // rows of a tile of dD, at most
  bool along_rows = false;     // dD is written by rows, one tile at a time; else by panels
  bool packs_x = false;        // always true if rounded
  bool packs_dz = false;       // likewise; in fp32 a last panel that is cut is packed anyway
  bool kernel_steps = false;   // f32_optimizer_step multiplies, because the batch has few rows
  int64_t packed_blocks = 1;   // blocks whose x is packed at the same time; all of a task if kernel_steps
  bool streams_packs = false;  // packs of D are too large for L3 to keep

  int64_t tasks() const { return partition.tasks(); }
  int64_t batch_blocks() const { return m <= mb ? 1 : ceil_div(m, mb); }
  Range batch_block(int64_t index) const { return {index * mb, std::min((index + 1) * mb, m)}; }

  // Row and column panels of dD.
  Cell cell(int64_t task) const;
  // The first block of a cell's row panels. Blocks end at the same rows in all cells.
  static Range first_block(Range rows) {
    return {rows.begin, std::min((rows.begin / kBlockPanels + 1) * kBlockPanels, rows.end)};
  }
  // Row panels that one call of the optimiser's kernel takes.
  Range first_run(Range rows) const {
    return packs_x ? first_block(rows) : Range{rows.begin, std::min(rows.begin + kRunPanels, rows.end)};
  }
  int64_t columns(Range of_panels) const { return std::min(of_panels.end * nr, n) - of_panels.begin * nr; }

  // The maxima over all tasks.
  int64_t most_batch_rows() const { return std::min(mb, m); }
  int64_t most_row_panels() const { return cuts_columns ? partition.most_panels() : partition.most_rows(); }
  int64_t most_panels() const { return cuts_columns ? partition.most_rows() : partition.most_panels(); }
};

WeightsPlan plan_weights(const KernelTable& kernels, const CacheSizes& caches, const Placement& placement,
                         int64_t threads, const WeightsProblem& problem);

// For Partition: rows are cut first, as long as there are enough.
double weights_cost(const Partition::Work& all, int64_t rows, int64_t panels);

}  // namespace idelta::core

#endif  // IDELTA_CORE_PLAN_WEIGHTS_PLAN_H
