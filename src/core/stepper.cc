#include "src/core/stepper.h"

#include <algorithm>
#include <cmath>

namespace idelta::core {

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

void Stepper::operator()(int64_t row_panel, int64_t panel, const Gradient& gradient) const {
  const int64_t row = row_panel * nr_, column = panel * nr_, lines = nr_ / kLine;
  const bool last = column + nr_ >= n_, master = !parameters_.D;
  float* const packed = along().empty() ? nullptr : along().chunk(panel, row_panel * lines);
  bool nonzero[kMostLines * kMostLines];
  // Formats of bf16 are rounded from these, in L1.
  constexpr int64_t kMost = kMostLines * kLine;
  const bool rounded = delta_.header.format != IDELTA_FORMAT_F32;
  alignas(kAlignment) float rows[kMost * kMost], columns[kMost * kMost];
  if (rounded && last) std::fill_n(rows, nr_ * nr_, 0.0f);  // columns past n
  if (rounded && row + nr_ > n_) std::fill_n(columns, nr_ * nr_, 0.0f);

  OptimizerStep s = step_;
  s.rows = std::min(nr_, n_ - row);
  s.cols = std::min(nr_, n_ - column);
  s.g = gradient.g;
  s.ldg = gradient.ldg;
  s.m = gradient.m;
  s.lhs = gradient.lhs;
  s.lhs_stride = gradient.lhs_stride;
  s.rhs = gradient.rhs;
  s.rhs_stride = gradient.rhs_stride;
  s.w = master ? packed : parameters_.D + row * parameters_.ldd + column;
  s.ldw = master ? nr_ : parameters_.ldd;
  for (int a = 0; a < 2; ++a) s.state[a] = parameters_.state[a] ? parameters_.state[a] + row * n_ + column : nullptr;
  s.ld_state = n_;
  s.copy = master ? nullptr : rounded && packed ? rows : packed;
  s.transposed = across().empty() ? nullptr : rounded ? columns : across().chunk(row_panel, panel * lines);
  s.nonzero = nonzero;
  s.w_ahead = last ? 0 : master ? along().stride() : nr_;
  s.state_ahead = last ? 0 : nr_;
  s.transposed_ahead = last || rounded ? 0 : nr_ * nr_;
  kernels_.f32_optimizer_step(s);
  if (rounded && packed) along().round(kernels_, panel, row_panel * lines, rows, s.rows);
  if (rounded && s.transposed) across().round(kernels_, row_panel, panel * lines, columns, s.cols);

  const int64_t down = ceil_div(s.rows, kLine), wide = ceil_div(s.cols, kLine);
  for (int64_t i = 0; i < down && packed; ++i) {
    along().set_nonzero(panel, row_panel * lines + i,
                        std::any_of(nonzero + i * wide, nonzero + (i + 1) * wide, [](bool b) { return b; }));
  }
  for (int64_t j = 0; j < wide && s.transposed; ++j) {
    bool any = false;
    for (int64_t i = 0; i < down; ++i) any |= nonzero[i * wide + j];
    across().set_nonzero(row_panel, panel * lines + j, any);
  }
}

}  // namespace idelta::core
