#include "src/core/weights.h"

#include <algorithm>
#include <cmath>

namespace idelta::core {
namespace {

// A matrix, or columns of one, with the distance between its rows.
struct Strided {
  const float* data;
  int64_t stride;
};

// Both operands of a block of rows, packed by column blocks of nr:
//   dz:  panel p at  p * rows * nr,  [row][nr], zero-padded
//   x:   block b at  b * nr * rows,  its tiles one after the other, each [row][tile height]
// or as they lie, where packing costs more than it gives; a last panel of dz that is not whole is packed all the same.
struct Operands {
  float *packed_x, *packed_dz;
  Strided x, dz;  // as they lie
  bool packed;
  int64_t rows, nr, mr, n;

  int64_t blocks() const { return ceil_div(n, nr); }
  int64_t width(int64_t block) const { return std::min(nr, n - block * nr); }
  int64_t tile(int64_t block) const { return even_tile(width(block), mr); }
  bool packs_panel(int64_t p) const { return packed || width(p) < nr; }
  float* packed_panel(int64_t p) const { return packed_dz + p * rows * nr; }
  float* packed_columns(int64_t block, int64_t offset) const { return packed_x + (block * nr + offset) * rows; }

  Strided panel(int64_t p) const {
    return packs_panel(p) ? Strided{packed_panel(p), nr} : Strided{dz.data + p * nr, dz.stride};
  }
  Strided columns(int64_t block, int64_t offset, int64_t height) const {
    return packed ? Strided{packed_columns(block, offset), height} : Strided{x.data + block * nr + offset, x.stride};
  }
};

class Weights {
 public:
  Weights(const idelta_context& context, const WeightsOperands& operands)
      : context_(context),
        kernels_(context.kernels),
        op_(operands),
        blocks_(weights_blocks(context.caches, context.tile(), operands.m, operands.n)),
        panels_(ceil_div(operands.n, kernels_.nr)),
        grid_(weights_grid(threads(), panels_)) {}

  Grid grid() const { return grid_; }
  int64_t tasks() const { return grid_.rows * grid_.cols; }
  int64_t panels() const { return panels_; }
  int64_t row_blocks() const { return op_.m == 0 ? 1 : ceil_div(op_.m, blocks_.mb); }
  int64_t group_panels() const { return blocks_.group / kernels_.nr; }
  int64_t update_group_panels() const { return blocks_.update_group / kernels_.nr; }
  int64_t packed_floats() const { return 2 * blocks_.mb * panels_ * kernels_.nr; }

  Range task_rows(int64_t task) const { return part_of(panels_, grid_.rows, task / grid_.cols); }
  Range task_columns(int64_t task) const { return part_of(panels_, grid_.cols, task % grid_.cols); }

  // Packs rows [index * mb, ...) of x and dz and adds the latter's column sums to sums, if given.
  Operands pack(int64_t index, float* memory, float* sums) const {
    const int64_t first = index * blocks_.mb;
    const Operands operands{.packed_x = memory,
                            .packed_dz = memory + packed_floats() / 2,
                            .x = {op_.x + first * op_.ldx, op_.ldx},
                            .dz = {op_.dz + first * op_.lddz, op_.lddz},
                            .packed = blocks_.pack,
                            .rows = std::min(blocks_.mb, op_.m - first),
                            .nr = kernels_.nr,
                            .mr = kernels_.mr,
                            .n = op_.n};
    const int64_t packers = std::min(tasks(), panels_);
    context_.parallel.run(packers, [&](int64_t task) {
      const Range mine = part_of(panels_, packers, task);
      for (int64_t block = mine.begin; block < mine.end; ++block) pack_block(operands, block, sums);
    });
    return operands;
  }

  // out[0 ...] = beta out + x^T dz for dD's rows of row block `block` and the columns of panel `panel`.
  void multiply(const Operands& operands, int64_t block, int64_t panel, float beta, float* out, int64_t ldo) const {
    const int64_t tile = operands.tile(block), width = operands.width(block);
    const Strided rhs = operands.panel(panel);
    for (int64_t offset = 0; offset < width; offset += tile) {
      const int64_t height = std::min(tile, width - offset);
      const Strided lhs = operands.columns(block, offset, height);
      kernels_.f32_weights({.rows = height,
                            .cols = operands.width(panel),
                            .m = operands.rows,
                            .lhs = lhs.data,
                            .lhs_stride = lhs.stride,
                            .rhs = rhs.data,
                            .rhs_stride = rhs.stride,
                            .beta = beta,
                            .out = out + offset * ldo,
                            .ldo = ldo});
    }
  }

 private:
  int64_t threads() const {
    const auto size = [](int64_t v) { return static_cast<double>(v); };
    return useful_threads(context_.parallel.threads(), size(op_.m) * size(op_.n) * size(op_.n));
  }

  void pack_block(const Operands& o, int64_t block, float* sums) const {
    const int64_t column = block * o.nr, width = o.width(block), tile = o.tile(block);
    if (o.packs_panel(block)) {
      kernels_.f32_pack_panel({.rows = o.rows,
                               .cols = width,
                               .src = o.dz.data + column,
                               .ld = o.dz.stride,
                               .width = o.nr,
                               .dst = o.packed_panel(block)});
    }
    const Strided panel = o.panel(block);
    if (sums) kernels_.f32_column_sums(o.rows, width, panel.data, panel.stride, sums + column);
    if (!o.packed) return;
    for (int64_t offset = 0; offset < width; offset += tile) {
      const int64_t height = std::min(tile, width - offset);
      kernels_.f32_pack_panel({.rows = o.rows,
                               .cols = height,
                               .src = o.x.data + column + offset,
                               .ld = o.x.stride,
                               .width = height,
                               .dst = o.packed_columns(block, offset)});
    }
  }

  const idelta_context& context_;
  const KernelTable& kernels_;
  const WeightsOperands& op_;
  WeightsBlocks blocks_;
  int64_t panels_;
  Grid grid_;
};

// Where update() keeps the gradient until it is used: with one block of rows each task one group of rows of dD, in
// cache; with several the whole of it.
struct GradientScratch {
  bool whole;
  int64_t ld, floats;
};

GradientScratch scratch_for(const Weights& weights, int64_t nr) {
  const bool whole = weights.row_blocks() > 1;
  const int64_t ld = weights.panels() * nr;
  const int64_t rows = whole ? ld : weights.tasks() * weights.update_group_panels() * nr;
  return {whole, ld, rows * ld};
}

OptimizerStep step_of(const idelta_optimizer& o) {
  OptimizerStep step{};
  step.kind = static_cast<OptimizerStep::Kind>(o.kind);
  step.learning_rate = o.learning_rate;
  step.weight_decay = o.weight_decay;
  step.momentum = o.momentum;
  step.beta2 = o.beta2;
  step.epsilon = o.epsilon;
  if (o.kind == IDELTA_OPTIMIZER_ADAMW) {
    const double t = static_cast<double>(o.step);
    step.first_correction = static_cast<float>(1 / (1 - std::pow(static_cast<double>(o.momentum), t)));
    step.second_correction = static_cast<float>(1 / std::sqrt(1 - std::pow(static_cast<double>(o.beta2), t)));
  }
  return step;
}

static_assert(OptimizerStep::kSgd == static_cast<int>(IDELTA_OPTIMIZER_SGD) &&
              OptimizerStep::kMomentum == static_cast<int>(IDELTA_OPTIMIZER_MOMENTUM) &&
              OptimizerStep::kNesterov == static_cast<int>(IDELTA_OPTIMIZER_NESTEROV) &&
              OptimizerStep::kAdamW == static_cast<int>(IDELTA_OPTIMIZER_ADAMW));

// The optimiser on rows [rows) x columns [columns) of D, in panels of nr, with their gradient g; then D repacked there.
struct Stepper {
  const KernelTable& kernels;
  idelta_delta& delta;
  const Parameters& parameters;
  OptimizerStep step;
  int64_t n;

  void operator()(Range rows, Range columns, const float* g, int64_t ldg) const {
    const int64_t nr = kernels.nr, first = columns.begin * nr;
    for (int64_t i = rows.begin * nr; i < std::min(rows.end * nr, n); ++i, g += ldg) {
      OptimizerStep s = step;
      s.count = std::min(columns.end * nr, n) - first;
      s.g = g;
      s.w = parameters.D + i * parameters.ldd + first;
      for (int a = 0; a < 2; ++a) s.state[a] = parameters.state[a] ? parameters.state[a] + i * n + first : nullptr;
      kernels.f32_optimizer_step(s);
    }
    const MatrixView D{parameters.D, parameters.ldd, delta.header.transposed};
    Panels& along = D.transposed ? delta.backward : delta.forward;   // whose reduction runs over D's rows as they lie
    Panels& across = D.transposed ? delta.forward : delta.backward;  // ... over its columns
    if (!along.empty()) repack(along, {parameters.D, parameters.ldd, false}, columns, rows);
    if (!across.empty()) repack(across, {parameters.D, parameters.ldd, true}, rows, columns);
  }

  void repack(Panels& panels, const MatrixView& b, Range which, Range reduction) const {
    const int64_t chunks = kernels.nr / kLine;  // of the reduction, a panel's width
    const int64_t end = std::min(reduction.end * chunks, panels.chunks());
    for (int64_t p = which.begin; p < which.end; ++p) {
      for (int64_t c = reduction.begin * chunks; c < end; ++c) panels.pack_chunk(kernels, b, p, c);
    }
  }
};

}  // namespace

size_t weights_workspace_bytes(const idelta_context& context, int64_t m, int64_t n) {
  const WeightsOperands sizes{m, n, nullptr, n, nullptr, n};
  return static_cast<size_t>(Weights(context, sizes).packed_floats()) * sizeof(float);
}

void backward_weights(const idelta_context& context, const WeightsOperands& operands, float beta, float* dD,
                      int64_t ldd, float* db, float* workspace) {
  const Weights weights(context, operands);
  const int64_t n = operands.n, nr = context.kernels.nr;
  if (db && beta == 0) std::fill_n(db, n, 0.0f);
  if (db && beta != 0 && beta != 1) std::transform(db, db + n, db, [&](float sum) { return beta * sum; });

  for (int64_t index = 0; index < weights.row_blocks(); ++index) {
    const Operands packed = weights.pack(index, workspace, db);
    if (!dD) continue;
    const float scale = index == 0 ? beta : 1.0f;
    context.parallel.run(weights.tasks(), [&](int64_t task) {
      const Range rows = weights.task_rows(task), columns = weights.task_columns(task);
      for (int64_t first = rows.begin; first < rows.end; first += weights.group_panels()) {
        const int64_t last = std::min(first + weights.group_panels(), rows.end);
        for (int64_t panel = columns.begin; panel < columns.end; ++panel) {
          for (int64_t block = first; block < last; ++block) {
            weights.multiply(packed, block, panel, scale, dD + block * nr * ldd + panel * nr, ldd);
          }
        }
      }
    });
  }
}

size_t update_workspace_bytes(const idelta_context& context, int64_t m, int64_t n) {
  const WeightsOperands sizes{m, n, nullptr, n, nullptr, n};
  const Weights weights(context, sizes);
  const int64_t bias_gradient = round_up(n, kLine);
  return static_cast<size_t>(weights.packed_floats() + scratch_for(weights, context.kernels.nr).floats +
                             bias_gradient) *
         sizeof(float);
}

void update(const idelta_context& context, idelta_delta& delta, const WeightsOperands& given,
            const idelta_optimizer& optimizer, const Parameters& parameters, float* workspace) {
  // D given out x in has the gradient dz^T x.
  const bool transposed = delta.header.transposed;
  const WeightsOperands operands =
      transposed ? WeightsOperands{given.m, given.n, given.dz, given.lddz, given.x, given.ldx} : given;
  const Weights weights(context, operands);
  const int64_t n = operands.n, nr = context.kernels.nr;
  const GradientScratch scratch = scratch_for(weights, nr);
  float* const gradient = workspace + weights.packed_floats();
  float* const bias_gradient = gradient + scratch.floats;
  std::fill_n(bias_gradient, n, 0.0f);
  const Stepper stepper{context.kernels, delta, parameters, step_of(optimizer), n};

  for (int64_t index = 0; index < weights.row_blocks(); ++index) {
    const Operands packed = weights.pack(index, workspace, transposed ? nullptr : bias_gradient);
    const float scale = index == 0 ? 0.0f : 1.0f;
    context.parallel.run(weights.tasks(), [&](int64_t task) {
      const Range rows = weights.task_rows(task), columns = weights.task_columns(task);
      for (int64_t first = rows.begin; first < rows.end; first += weights.update_group_panels()) {
        const int64_t last = std::min(first + weights.update_group_panels(), rows.end);
        float* g = gradient + (scratch.whole ? first : task * weights.update_group_panels()) * nr * scratch.ld +
                   columns.begin * nr;
        for (int64_t panel = columns.begin; panel < columns.end; ++panel) {
          for (int64_t block = first; block < last; ++block) {
            weights.multiply(packed, block, panel, scale,
                             g + (block - first) * nr * scratch.ld + (panel - columns.begin) * nr, scratch.ld);
          }
        }
        if (index + 1 == weights.row_blocks()) stepper({first, last}, columns, g, scratch.ld);
      }
    });
  }
  delta.forward.find_used();
  delta.backward.find_used();

  if (!parameters.bias) return;
  if (transposed) context.kernels.f32_column_sums(given.m, n, given.dz, given.lddz, bias_gradient);
  OptimizerStep step = step_of(optimizer);
  step.weight_decay = 0;
  step.count = n;
  step.g = bias_gradient;
  step.w = parameters.bias;
  for (int a = 0; a < 2; ++a) step.state[a] = parameters.bias_state[a];
  context.kernels.f32_optimizer_step(step);
}

}  // namespace idelta::core
