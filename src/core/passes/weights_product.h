// x^T dz, for backward_weights and update: how dD is cut for threads, and what the ways to multiply have in common.
#ifndef IDELTA_CORE_PASSES_WEIGHTS_PRODUCT_H
#define IDELTA_CORE_PASSES_WEIGHTS_PRODUCT_H

#include <algorithm>

#include "src/core/context.h"
#include "src/core/machine/memory.h"
#include "src/core/passes/weights.h"

namespace idelta::core {

// The first block of dD's rows, in panels, of the cell `rows`: the blocks of all cells end at the same rows.
inline Range first_block(Range rows) {
  const int64_t end = (rows.begin / WeightsBlocks::kBlockPanels + 1) * WeightsBlocks::kBlockPanels;
  return {rows.begin, std::min(end, rows.end)};
}

// g + lhs^T rhs, the gradient of one tile of D, nr x nr: see OptimizerStep.
struct Gradient {
  const float* g = nullptr;
  int64_t ldg = 0;
  int64_t m = 0;
  const float* lhs = nullptr;
  int64_t lhs_stride = 0;
  const float* rhs = nullptr;
  int64_t rhs_stride = 0;
};

// Where dD goes: to memory, or tile by tile into the optimiser, whose D and state lie in rows or in panels.
enum class Sink { kMemory, kStepAlongRows, kStepDownPanels };

// Cuts dD into a cell a task and goes through the rows of x and dz in blocks: a task packs the columns of one that its
// cell needs, multiplies them, and packs the next.
//
// Tasks share nothing but x and dz. What all of them packed together came from other cores' caches line by line: on two
// threads an update took a quarter longer (n = 512, m = 16 to 64, Zen 5, 2026-11).
class WeightsProduct {
 public:
  // What a task has at hand.
  struct Share {
    Range rows;     // of x and dz
    Cell cell;      // of dD, its rows in panels, too
    float* memory;  // task_floats()
  };

  // multiply_adds: of fp32, that take as long as the whole.
  WeightsProduct(const idelta_context& context, const WeightsOperands& operands, Sink sink, double multiply_adds)
      : context_(context),
        kernels_(context.kernels),
        op_(operands),
        nr_(kernels_.f32_weights.nr),
        panels_(ceil_div(operands.n, nr_)),
        multiply_adds_(multiply_adds),
        cuts_columns_(sink == Sink::kStepDownPanels),
        partition_(context.placement,
                   useful_threads(
                       context.parallel.threads(),
                       sink == Sink::kMemory ? multiply_adds : training_work(multiply_adds, operands.n * operands.n)),
                   {panels_, panels_, weights_cost}) {}
  virtual ~WeightsProduct() = default;
  WeightsProduct(const WeightsProduct&) = delete;
  WeightsProduct& operator=(const WeightsProduct&) = delete;

  int64_t tasks() const { return partition_.tasks(); }
  double multiply_adds() const { return multiply_adds_; }
  // dD is cut into panels of f32_weights, rows and columns alike, whatever the kernel that multiplies.
  int64_t nr() const { return nr_; }
  int64_t panels() const { return panels_; }
  int64_t row_blocks() const { return op_.m <= block_rows_ ? 1 : ceil_div(op_.m, block_rows_); }

  int64_t workspace_floats() const { return tasks() * stride(); }
  Share share(int64_t task, int64_t row_block, float* workspace) const {
    const int64_t first = row_block * block_rows_;
    return {{first, std::min(first + block_rows_, op_.m)}, cell(task), workspace + task * stride()};
  }

  // Packs what the share's cell needs, and adds the column sums of its dz to sums, if that is not null and this share
  // is to do so: some rows at a time, before they are packed, so that dz comes from memory once. Apart, down one line
  // of columns after the other, they took 2 to 9 % of backward_weights from m = 512 on (Zen 5, 2026-11).
  virtual void pack(const Share& share, float* sums) const = 0;

  // out = beta out + x^T dz over the rows of a share that is packed, for the rows of dD in `block` (of first_block())
  // and the columns in `panels`; out is at the first of both. beta = 0 never reads it.
  virtual void multiply(const Share& share, Range block, Range panels, float beta, float* out, int64_t ldo) const = 0;

  // So few that the optimiser's kernel multiplies what is packed itself, for the tile in these panels of D's rows and
  // columns.
  virtual bool few_rows() const { return false; }
  // Those of the panels of rows, from the first on, that one call of the kernel can take.
  virtual Range few_rows_together(Range row_panels) const { return row_panels; }
  virtual Gradient few_rows_of(const Share& /*share*/, int64_t /*row_panel*/, int64_t /*panel*/) const { return {}; }

 protected:
  virtual int64_t task_floats() const = 0;

  // See pack(); rows: of the share. The tasks of the first blocks do it.
  void add_column_sums(const Share& share, Range rows, float* sums) const {
    if (!sums || share.cell.rows.begin > 0) return;
    const int64_t first = share.cell.panels.begin * nr_;
    const float* const dz = op_.dz + (share.rows.begin + rows.begin) * op_.lddz + first;
    const int64_t columns = std::min(share.cell.panels.end * nr_, op_.n) - first;
    kernels_.f32_column_sums({.rows = rows.size(), .cols = columns, .src = dz, .ld = op_.lddz, .sums = sums + first});
  }

  PackedColumns packed_columns() const { return {tasks(), tasks() * (most_row_panels() + most_panels()) * nr_}; }
  int64_t most_rows() const { return std::min(block_rows_, op_.m); }  // of x and dz in a share
  // Panels of dD's rows, and of its columns, in a cell.
  int64_t most_row_panels() const { return cuts_columns_ ? partition_.most_panels() : partition_.most_rows(); }
  int64_t most_panels() const { return cuts_columns_ ? partition_.most_rows() : partition_.most_panels(); }

  // Columns of x in a block of dD's rows.
  int64_t width(Range block) const { return std::min(block.end * nr_, op_.n) - block.begin * nr_; }

  const idelta_context& context_;
  const KernelTable& kernels_;
  const WeightsOperands& op_;
  const int64_t nr_;
  int64_t block_rows_ = 0;  // packed at a time; for derived classes to say

 private:
  int64_t stride() const { return task_stride(task_floats(), tasks()); }

  // As the parameters lie: those of two threads in one run of memory are fetched by one ahead of time and taken from it
  // by the other. Panels cut across: n = 256, m = 16 took 1.9 times as long on two threads, n = 1024, m = 1 1.6 times.
  Cell cell(int64_t task) const {
    const Cell cell = partition_.cell(task);
    return cuts_columns_ ? Cell{cell.panels, cell.rows} : cell;
  }

  int64_t panels_;
  double multiply_adds_;
  bool cuts_columns_;
  Partition partition_;
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_PASSES_WEIGHTS_PRODUCT_H
