#include "src/core/weights.h"

#include <algorithm>

#include "src/core/stepper.h"

namespace idelta::core {
namespace {

// dD with shorter rows is square enough to be in L1; else fetching it doubles the speed of m = 1.
constexpr int64_t kLongRows = 96;

// A matrix, or columns of one, with the distance between its rows.
struct Strided {
  const float* data;
  int64_t stride;
};

// Both operands of mb rows, packed:
//   dz:  panel p at  p * rows * nr,  [row][nr], zero-padded
//   x:   block b of dD's rows at  b * rows * kBlockPanels nr,  [row][kBlockPanels nr], zero-padded
// or as they lie, where packing costs more than it gives; a last panel of dz that is not whole is packed all the same.
struct Operands {
  float *packed_x, *packed_dz;
  Strided x, dz;  // as they lie
  bool packed;
  int64_t rows, nr, mr, n;

  int64_t panels() const { return ceil_div(n, nr); }
  int64_t panel_width(int64_t p) const { return std::min(nr, n - p * nr); }

  // A block of dD's rows is given in panels.
  int64_t width(Range block) const { return std::min(block.end * nr, n) - block.begin * nr; }
  int64_t tile(Range block) const { return even_tile(width(block), mr); }

  bool packs_panel(int64_t p) const { return packed || panel_width(p) < nr; }
  float* packed_panel(int64_t p) const { return packed_dz + p * rows * nr; }
  int64_t block_width() const { return WeightsBlocks::kBlockPanels * nr; }
  float* packed_block(int64_t b) const { return packed_x + b * rows * block_width(); }

  // From panel p on; those that lie alike are panel_stride() apart.
  Strided panel(int64_t p) const {
    return packs_panel(p) ? Strided{packed_panel(p), nr} : Strided{dz.data + p * nr, dz.stride};
  }
  int64_t panel_stride() const { return packed ? rows * nr : nr; }
  // Of a block, from the offset-th column on.
  Strided columns(Range block, int64_t offset) const {
    const int64_t column = block.begin * nr + offset, b = block.begin / WeightsBlocks::kBlockPanels;
    return packed ? Strided{packed_block(b) + column - b * block_width(), block_width()}
                  : Strided{x.data + column, x.stride};
  }
};

// The rows of a cell, in panels, cut where the blocks of all of them end.
Range first_block(Range rows) {
  const int64_t end = (rows.begin / WeightsBlocks::kBlockPanels + 1) * WeightsBlocks::kBlockPanels;
  return {rows.begin, std::min(end, rows.end)};
}

class Weights {
 public:
  // stored: dD goes to memory, not into the optimiser.
  Weights(const idelta_context& context, const WeightsOperands& operands, bool stored)
      : context_(context),
        kernels_(context.kernels),
        op_(operands),
        cut_(weights_blocks(context.caches, context.tile(), operands.m, operands.n)),
        low_tiles_(cut_.low_tiles && stored),
        panels_(ceil_div(operands.n, kernels_.nr)),
        partition_(context.placement, useful_threads(context.parallel.threads(), multiply_adds()),
                   {panels_, panels_, weights_cost}) {}

  int64_t tasks() const { return partition_.tasks(); }
  Cell cell(int64_t task) const { return partition_.cell(task); }  // its rows are panels, too
  double multiply_adds() const {
    const auto size = [](int64_t v) { return static_cast<double>(v); };
    return size(op_.m) * size(op_.n) * size(op_.n);
  }
  int64_t panels() const { return panels_; }
  int64_t row_blocks() const { return op_.m <= cut_.mb ? 1 : ceil_div(op_.m, cut_.mb); }
  int64_t packed_floats() const { return 2 * cut_.mb * round_up(panels_, WeightsBlocks::kBlockPanels) * kernels_.nr; }

  // Packs rows [index * mb, ...) of x and dz.
  Operands pack(int64_t index, float* memory) const {
    const int64_t first = index * cut_.mb;
    const Operands operands{.packed_x = memory,
                            .packed_dz = memory + packed_floats() / 2,
                            .x = {op_.x + first * op_.ldx, op_.ldx},
                            .dz = {op_.dz + first * op_.lddz, op_.lddz},
                            .packed = cut_.pack || rows_collide(op_.m, op_.ldx, kWeightsCollision) ||
                                      rows_collide(op_.m, op_.lddz, kWeightsCollision),
                            .rows = std::min(cut_.mb, op_.m - first),
                            .nr = kernels_.nr,
                            .mr = low_tiles_ ? kernels_.wide_rows : kernels_.mr,
                            .n = op_.n};
    // A few rows at a time, whole: they are read along the grain, and the ends of the panels they go to stay in L1.
    constexpr int64_t kRows = 16;
    const int64_t chunks = ceil_div(operands.rows, kRows), packers = std::min(tasks(), chunks);
    context_.parallel.run(packers, packing_work(2 * operands.rows * operands.n), [&](int64_t task) {
      const Range mine = part_of(chunks, packers, task);
      for (int64_t c = mine.begin; c < mine.end; ++c) {
        const Range rows{c * kRows, std::min((c + 1) * kRows, operands.rows)};
        for (int64_t p = 0; p < operands.panels(); ++p) pack_panel(operands, p, rows);
        for (int64_t column = 0; column < operands.n && operands.packed; column += operands.block_width()) {
          pack_block(operands, column, rows);
        }
      }
    });
    return operands;
  }

  // sums += column sums of the packed rows of dz, for this task's share of the columns.
  void add_column_sums(const Operands& o, const Cell& cell, float* sums) const {
    if (!sums || cell.rows.begin > 0) return;  // the tasks of the first blocks do it
    for (int64_t p = cell.panels.begin; p < cell.panels.end; ++p) {
      const Strided dz = o.panel(p);
      kernels_.f32_column_sums(o.rows, o.panel_width(p), dz.data, dz.stride, sums + p * o.nr);
    }
  }

  // out = beta out + x^T dz for the rows of dD in `block` and the columns in `panels`; out is at the first of both.
  void multiply(const Operands& o, Range block, Range panels, float beta, float* out, int64_t ldo) const {
    const int64_t tile = o.tile(block), width = o.width(block);
    // Every panel of dz serves all tiles of the block while it is in L1; but if all of dz is in cache, dD is written
    // along its rows, as the way to memory likes it.
    const int64_t strip = cut_.rows_first ? tile : width;
    for (int64_t row = 0; row == 0 || row < o.rows; row += cut_.kb, beta = 1) {
      const Range rows{row, std::min(row + cut_.kb, o.rows)};
      for (int64_t first = 0; first < width; first += strip) {
        const int64_t last = std::min(first + strip, width);
        for (Range group = first_group(o, panels); group.size() > 0; group = first_group(o, {group.end, panels.end})) {
          float* const corner = out + (group.begin - panels.begin) * o.nr;
          for (int64_t offset = first; offset < last; offset += tile) {
            multiply_tile(o, rows, block, {offset, std::min(offset + tile, last)}, group, beta, corner + offset * ldo,
                          ldo);
          }
        }
      }
      if (cut_.kb == 0) return;  // no rows: only beta out
    }
  }

 private:
  // The panels that a tile is given at once: those that lie one beside the other if dD goes by rows, else one.
  Range first_group(const Operands& o, Range panels) const {
    const int64_t whole = o.packed ? o.panels() : o.n / o.nr;  // a last one that is cut is packed apart
    const bool together = cut_.rows_first && panels.begin < whole;
    return {panels.begin, together ? std::min(panels.end, whole) : std::min(panels.begin + 1, panels.end)};
  }

  void multiply_tile(const Operands& o, Range rows, Range block, Range columns, Range panels, float beta, float* out,
                     int64_t ldo) const {
    const Strided lhs = o.columns(block, columns.begin), rhs = o.panel(panels.begin);
    kernels_.f32_weights({.rows = columns.size(),
                          .cols = std::min(panels.size() * o.nr, o.n - panels.begin * o.nr),
                          .m = rows.size(),
                          .lhs = lhs.data + rows.begin * lhs.stride,
                          .lhs_stride = lhs.stride,
                          .rhs = rhs.data + rows.begin * rhs.stride,
                          .rhs_stride = rhs.stride,
                          .rhs_panel_stride = o.panel_stride(),
                          .beta = beta,
                          .out = out,
                          .ldo = ldo,
                          .fetch_out = ldo >= kLongRows});
  }

  void pack_panel(const Operands& o, int64_t panel, Range rows) const {
    if (!o.packs_panel(panel)) return;
    kernels_.f32_pack_panel({.rows = rows.size(),
                             .cols = o.panel_width(panel),
                             .src = o.dz.data + rows.begin * o.dz.stride + panel * o.nr,
                             .ld = o.dz.stride,
                             .width = o.nr,
                             .dst = o.packed_panel(panel) + rows.begin * o.nr});
  }

  void pack_block(const Operands& o, int64_t column, Range rows) const {
    const int64_t width = o.block_width();
    kernels_.f32_pack_panel({.rows = rows.size(),
                             .cols = std::min(width, o.n - column),
                             .src = o.x.data + rows.begin * o.x.stride + column,
                             .ld = o.x.stride,
                             .width = width,
                             .dst = o.packed_block(column / width) + rows.begin * width});
  }

  const idelta_context& context_;
  const KernelTable& kernels_;
  const WeightsOperands& op_;
  WeightsBlocks cut_;
  bool low_tiles_;
  int64_t panels_;
  Partition partition_;
};

}  // namespace

size_t weights_workspace_bytes(const idelta_context& context, int64_t m, int64_t n) {
  const WeightsOperands sizes{m, n, nullptr, n, nullptr, n};
  return static_cast<size_t>(Weights(context, sizes, true).packed_floats()) * sizeof(float);
}

void backward_weights(const idelta_context& context, const WeightsOperands& operands, float beta, float* dD,
                      int64_t ldd, float* db, const OfferedWorkspace& offered) {
  const Weights weights(context, operands, true);
  float* const workspace = offered.take(weights.packed_floats());
  const int64_t n = operands.n;
  if (db && beta == 0) std::fill_n(db, n, 0.0f);
  if (db && beta != 0 && beta != 1) std::transform(db, db + n, db, [&](float sum) { return beta * sum; });

  for (int64_t index = 0; index < weights.row_blocks(); ++index) {
    const Operands packed = weights.pack(index, workspace);
    const float scale = index == 0 ? beta : 1.0f;
    context.parallel.run(weights.tasks(), weights.multiply_adds(), [&](int64_t task) {
      const Cell cell = weights.cell(task);
      weights.add_column_sums(packed, cell, db);
      if (!dD) return;
      for (Range block = first_block(cell.rows); block.size() > 0; block = first_block({block.end, cell.rows.end})) {
        float* const corner = dD + (block.begin * ldd + cell.panels.begin) * packed.nr;
        weights.multiply(packed, block, cell.panels, scale, corner, ldd);
      }
    });
  }
}

// Memory of update() behind the packed operands: the gradient where it waits to be used (a block x panel a task if all
// rows are packed at once, else the whole of it), then the bias' gradient.
struct GradientScratch {
  bool whole;
  int64_t nr, rows, ld, floats;  // rows of a block

  GradientScratch(const Weights& weights, int64_t panel)
      : whole(weights.row_blocks() > 1),
        nr(panel),
        rows(WeightsBlocks::kBlockPanels * nr),
        ld(whole ? weights.panels() * nr : nr),
        floats(whole ? ld * ld : weights.tasks() * rows * nr) {}

  int64_t offset(int64_t task, Range block, int64_t p) const {
    return whole ? (block.begin * ld + p) * nr : task * rows * nr;
  }
};

size_t update_workspace_bytes(const idelta_context& context, int64_t m, int64_t n) {
  const WeightsOperands sizes{m, n, nullptr, n, nullptr, n};
  const Weights weights(context, sizes, false);
  const int64_t gradient = GradientScratch(weights, context.kernels.nr).floats;
  return static_cast<size_t>(weights.packed_floats() + gradient + round_up(n, kLine)) * sizeof(float);
}

void update(const idelta_context& context, idelta_delta& delta, const WeightsOperands& given,
            const idelta_optimizer& optimizer, const Parameters& parameters, const OfferedWorkspace& offered) {
  OptimizerStep step = step_of(optimizer);
  const Stepper stepper(context.kernels, delta, parameters, step);
  const bool transposed = stepper.transposed();
  const WeightsOperands operands =
      transposed ? WeightsOperands{given.m, given.n, given.dz, given.lddz, given.x, given.ldx} : given;
  const Weights weights(context, operands, false);
  const int64_t n = operands.n;
  const GradientScratch scratch(weights, context.kernels.nr);
  float* const workspace = offered.take(weights.packed_floats() + scratch.floats + round_up(n, kLine));
  float* const gradient = workspace + weights.packed_floats();
  float* const bias_gradient = gradient + scratch.floats;
  std::fill_n(bias_gradient, n, 0.0f);

  for (int64_t index = 0; index < weights.row_blocks(); ++index) {
    const Operands packed = weights.pack(index, workspace);
    const float beta = index == 0 ? 0.0f : 1.0f;
    const bool last = index + 1 == weights.row_blocks();
    context.parallel.run(weights.tasks(), weights.multiply_adds(), [&](int64_t task) {
      const Cell cell = weights.cell(task);
      weights.add_column_sums(packed, cell, transposed ? nullptr : bias_gradient);
      for (Range block = first_block(cell.rows); block.size() > 0; block = first_block({block.end, cell.rows.end})) {
        for (int64_t p = cell.panels.begin; p < cell.panels.end; ++p) {
          float* const g = gradient + scratch.offset(task, block, p);
          weights.multiply(packed, block, {p, p + 1}, beta, g, scratch.ld);
          if (last) stepper(block, p, g, scratch.ld);
        }
      }
    });
  }
  delta.forward.find_used();
  delta.backward.find_used();
  delta.norms.reset();

  if (!parameters.bias) return;
  if (transposed) context.kernels.f32_column_sums(given.m, n, given.dz, given.lddz, bias_gradient);
  step.weight_decay = 0;
  step.rows = 1;
  for (int64_t j = 0; j < n; j += context.kernels.nr) {
    step.cols = std::min<int64_t>(context.kernels.nr, n - j);
    step.g = bias_gradient + j;
    step.w = parameters.bias + j;
    for (int a = 0; a < 2; ++a) step.state[a] = parameters.bias_state[a] ? parameters.bias_state[a] + j : nullptr;
    context.kernels.f32_optimizer_step(step);
  }
}

}  // namespace idelta::core
