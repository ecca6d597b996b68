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
  s.copy = master ? nullptr : packed;
  s.transposed = across().empty() ? nullptr : across().chunk(row_panel, panel * lines);
  s.pairs = delta_.header.format != IDELTA_FORMAT_F32;
  s.low_plane = (packed ? along() : across()).low_plane();
  s.nonzero = nonzero;
  s.w_ahead = last ? 0 : master ? along().stride() : nr_;
  s.state_ahead = last ? 0 : nr_;
  s.transposed_ahead = last ? 0 : nr_ * nr_ / across().steps_a_word();
  kernels_.f32_optimizer_step(s);

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
