// x^T dz, for backward_weights and update: how dD is cut for threads, and what the ways to multiply have in common.
#ifndef IDELTA_CORE_WEIGHTS_PRODUCT_H
#define IDELTA_CORE_WEIGHTS_PRODUCT_H

#include <algorithm>

#include "src/core/context.h"
#include "src/core/memory.h"
#include "src/core/weights.h"

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

// Goes through the rows of x and dz in blocks: pack() one, then multiply() for all of dD, then the next.
class WeightsProduct {
 public:
  // block_rows: rows packed at a time. multiply_adds: of fp32, that take as long as the whole.
  WeightsProduct(const idelta_context& context, const WeightsOperands& operands, int64_t block_rows,
                 double multiply_adds)
      : context_(context),
        kernels_(context.kernels),
        op_(operands),
        block_rows_(block_rows),
        panels_(ceil_div(operands.n, kernels_.nr)),
        multiply_adds_(multiply_adds),
        partition_(context.placement, useful_threads(context.parallel.threads(), multiply_adds),
                   {panels_, panels_, weights_cost}) {}
  virtual ~WeightsProduct() = default;
  WeightsProduct(const WeightsProduct&) = delete;
  WeightsProduct& operator=(const WeightsProduct&) = delete;

  int64_t tasks() const { return partition_.tasks(); }
  Cell cell(int64_t task) const { return partition_.cell(task); }  // its rows are panels, too
  double multiply_adds() const { return multiply_adds_; }
  int64_t panels() const { return panels_; }
  int64_t row_blocks() const { return op_.m <= block_rows_ ? 1 : ceil_div(op_.m, block_rows_); }
  Range rows(int64_t index) const { return {index * block_rows_, std::min((index + 1) * block_rows_, op_.m)}; }

  virtual int64_t workspace_floats() const = 0;

  // Rows of block `index` of x and dz, packed into so much memory by all threads.
  virtual void pack(int64_t index, float* memory) = 0;

  // out = beta out + x^T dz over the rows that are packed, for the rows of dD in `block` (of first_block()) and the
  // columns in `panels`; out is at the first of both. beta = 0 never reads it.
  virtual void multiply(int64_t task, Range block, Range panels, float beta, float* out, int64_t ldo) const = 0;

  // So few that the optimiser's kernel multiplies what is packed itself, for the tile in these panels of D's rows and
  // columns.
  virtual bool few_rows() const { return false; }
  // Those of the panels of rows, from the first on, that one call of the kernel can take.
  virtual Range few_rows_together(Range row_panels) const { return row_panels; }
  virtual Gradient few_rows_of(int64_t /*row_panel*/, int64_t /*panel*/) const { return {}; }

  // sums += column sums of dz over rows of block `index`, for this task's share of the columns.
  void add_column_sums(int64_t index, const Cell& cell, float* sums) const {
    if (!sums || cell.rows.begin > 0) return;  // the tasks of the first blocks do it
    for (int64_t p = cell.panels.begin; p < cell.panels.end; ++p) {
      kernels_.f32_column_sums(rows(index).size(), panel_width(p),
                               op_.dz + rows(index).begin * op_.lddz + p * kernels_.nr, op_.lddz,
                               sums + p * kernels_.nr);
    }
  }

 protected:
  int64_t panel_width(int64_t p) const { return std::min(kernels_.nr, op_.n - p * kernels_.nr); }
  // Columns of x in a block of dD's rows.
  int64_t width(Range block) const { return std::min(block.end * kernels_.nr, op_.n) - block.begin * kernels_.nr; }

  // body(rows, panels) for so many rows, `step` of them at a time and whole blocks of panels, on all threads: as many
  // panels at once as a thread has of the same rows, for these are read along the grain.
  template <class Body>
  void each_part(int64_t rows, int64_t step, const Body& body) const {
    const int64_t wide = ceil_div(panels_, WeightsBlocks::kBlockPanels), parts = ceil_div(rows, step) * wide;
    const double work = packing_work(2 * rows * op_.n);
    const int64_t packers = std::min({tasks(), parts, useful_threads(context_.parallel.threads(), work)});
    context_.parallel.run(packers, work, [&](int64_t task) {
      const Range mine = part_of(parts, packers, task);
      for (int64_t part = mine.begin, end; part < mine.end; part = end) {
        end = std::min(mine.end, (part / wide + 1) * wide);
        const int64_t row = part / wide * step, first = part % wide, last = first + end - part;
        body(Range{row, std::min(row + step, rows)},
             Range{first * WeightsBlocks::kBlockPanels, std::min(last * WeightsBlocks::kBlockPanels, panels_)});
      }
    });
  }

  const idelta_context& context_;
  const KernelTable& kernels_;
  const WeightsOperands& op_;
  int64_t block_rows_;

 private:
  int64_t panels_;
  double multiply_adds_;
  Partition partition_;
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_WEIGHTS_PRODUCT_H
