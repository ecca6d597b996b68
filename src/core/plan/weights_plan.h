// How x^T dz is cut, for backward_weights and update: pure functions of sizes, tested without a CPU.
//
// dD is a grid of panels, nr rows by nr columns. A task has a cell of it, and goes through the batch in blocks of mb
// rows:
//
//   of its columns of dz   packs all of the block: mb x nr, panel after panel, which stay in L3
//   of its rows of dD      takes kBlockPanels panels at a time, and packs the columns of x that they need, which stay
//                          in L2: almost full tiles make them up, 96 = 7 x 14 - 2 (AVX-512), 48 = 8 x 6 (AVX2)
//   multiplies these by one panel of dz after the other, mb x nr, which stays in L2 until all tiles have used it
//
// Operands are used as they lie where packing would cost more than it gives. None of this changes a bit of any result.
#ifndef IDELTA_CORE_PLAN_WEIGHTS_PLAN_H
#define IDELTA_CORE_PLAN_WEIGHTS_PLAN_H

#include <algorithm>
#include <cstdint>

#include "kernels/kernels.h"
#include "src/core/base/range.h"
#include "src/core/machine/topology.h"
#include "src/core/plan/partition.h"

namespace idelta::core {

// Where dD goes: to memory, or tile by tile into the optimiser, whose D and state lie in rows or in panels.
enum class Sink { kMemory, kStepRows, kStepPanels };

struct WeightsProblem {
  int64_t m, n;
  int64_t ldx, lddz;
  int64_t planes;  // bf16 numbers that each is to be rounded to, if it is worth it; 0: fp32
  Sink sink;
};

struct WeightsPlan {
  static constexpr int64_t kBlockPanels = 3, kRunPanels = 16;

  int64_t m, n, nr;
  int64_t panels, whole_panels;  // all, and those with nr columns: a call of n = 64, m = 1 has no time to divide again
  int64_t planes;                // 0: multiplied in fp32
  double work;                   // in multiply-adds of fp32
  bool cuts_columns;             // the threads' panels are of D's columns first, as parameters in panels lie
  Partition partition;           // of panels by panels
  int64_t mb = 0;
  int64_t tile_rows = 0;      // the most rows of dD that are multiplied at once
  bool along_rows = false;    // dD is written along its rows, one tile at a time; else panel by panel
  bool packs_x = false;       // always if rounded
  bool packs_dz = false;      // likewise; of fp32 a last panel that is cut is packed all the same
  bool kernel_steps = false;  // f32_optimizer_step multiplies its few rows itself
  // Blocks whose x is packed at the same time: all of a task where few rows are walked down the panels.
  int64_t packed_blocks = 1;
  bool streams_packs = false;  // packs of D are too large for L3 to keep

  int64_t tasks() const { return partition.tasks(); }
  int64_t batch_blocks() const { return m <= mb ? 1 : ceil_div(m, mb); }
  Range batch_block(int64_t index) const { return {index * mb, std::min((index + 1) * mb, m)}; }

  // In panels: rows and columns of dD.
  Cell cell(int64_t task) const;
  // The first block of a cell's rows. The blocks of all cells end at the same rows.
  static Range first_block(Range rows) {
    return {rows.begin, std::min((rows.begin / kBlockPanels + 1) * kBlockPanels, rows.end)};
  }
  // Rows that one call of the optimiser's kernel takes down a panel: 96 a call took m = 1 a tenth longer.
  Range first_run(Range rows) const {
    return packs_x ? first_block(rows) : Range{rows.begin, std::min(rows.begin + kRunPanels, rows.end)};
  }
  int64_t columns(Range of_panels) const { return std::min(of_panels.end * nr, n) - of_panels.begin * nr; }

  // The most that any task has.
  int64_t most_batch_rows() const { return std::min(mb, m); }
  int64_t most_row_panels() const { return cuts_columns ? partition.most_panels() : partition.most_rows(); }
  int64_t most_panels() const { return cuts_columns ? partition.most_rows() : partition.most_panels(); }
};

WeightsPlan plan_weights(const KernelTable& kernels, const CacheSizes& caches, const Placement& placement,
                         int64_t threads, const WeightsProblem& problem);

// panels of dD's rows against panels of its columns; rows are cut as long as that suffices.
double weights_cost(const Partition::Work& all, int64_t rows, int64_t panels);

}  // namespace idelta::core

#endif  // IDELTA_CORE_PLAN_WEIGHTS_PLAN_H
