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

void Stepper::operator()(int64_t block, int64_t panel, const float* g, int64_t ldg) const {
  OptimizerStep s = step_;
  const int64_t column = panel * nr_;
  const Range rows = {block * WeightsBlocks::kBlockPanels, (block + 1) * WeightsBlocks::kBlockPanels};  // in panels
  const Range chunks = chunks_of(rows);
  s.cols = std::min(nr_, n_ - column);
  s.ldg = ldg;
  s.ld_state = n_;
  for (int64_t chunk = chunks.begin; chunk < chunks.end; ++chunk, g += kLine * ldg) {
    const int64_t row = chunk * kLine;
    s.rows = std::min<int64_t>(kLine, n_ - row);
    s.g = g;
    s.w = parameters_.D ? parameters_.D + row * parameters_.ldd + column : delta_.forward.chunk(panel, chunk);
    s.ldw = parameters_.D ? parameters_.ldd : nr_;
    for (int a = 0; a < 2; ++a) {
      s.state[a] = parameters_.state[a] ? parameters_.state[a] + row * n_ + column : nullptr;
    }
    const bool nonzero = kernels_.f32_optimizer_step(s);
    if (parameters_.D) {
      if (!along().empty()) along().pack_chunk(kernels_, {parameters_.D, parameters_.ldd, false}, panel, chunk);
    } else {
      delta_.forward.set_nonzero(panel, chunk, nonzero);
    }
  }
  if (!across().empty()) repack_across(rows, panel);
}

Range Stepper::chunks_of(Range panels) const {
  const int64_t each = nr_ / kLine, all = ceil_div(n_, kLine);
  return {std::min(panels.begin * each, all), std::min(panels.end * each, all)};
}

void Stepper::repack_across(Range rows, int64_t panel) const {
  const Range chunks = chunks_of({panel, panel + 1});
  // Of a panel, shifted so that its columns count from D's first.
  const MatrixView tile = parameters_.D ? MatrixView{parameters_.D, parameters_.ldd, true}
                                        : MatrixView{delta_.forward.panel(panel) - panel * nr_, nr_, true};
  for (int64_t p = rows.begin; p < std::min(rows.end, across().count()); ++p) {
    for (int64_t chunk = chunks.begin; chunk < chunks.end; ++chunk) across().pack_chunk(kernels_, tile, p, chunk);
  }
}

}  // namespace idelta::core
