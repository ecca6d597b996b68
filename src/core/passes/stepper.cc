#include "src/core/passes/stepper.h"

#include <algorithm>
#include <cassert>
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

Stepper::Placed Stepper::placed(float* data, idelta_order order, int64_t ld) const {
  if (order == IDELTA_ORDER_ROWS) return {data, ld, nr_};
  return {data, nr_, n_ * nr_};
}

Stepper::Stepper(const KernelTable& kernels, idelta_delta& delta, const Parameters& parameters,
                 const OptimizerStep& step)
    : kernels_(kernels),
      forward_(delta.packed.forward ? *delta.packed.forward->steppable() : none_),
      backward_(delta.packed.backward ? *delta.packed.backward->steppable() : none_),
      parameters_(parameters),
      step_(step),
      n_(delta.header.n),
      nr_(kernels.f32_optimizer_step.nr),
      transposed_(parameters.D && delta.header.transposed),
      writes_packs_(std::max(forward_.nr(), backward_.nr()) == nr_),
      w_(parameters.D ? placed(parameters.D, parameters.order, parameters.ldd)
                      : placed(reinterpret_cast<float*>(along().chunk(0, 0)), IDELTA_ORDER_PANELS, nr_)),
      state_{placed(parameters.state[0], parameters.order, n_), placed(parameters.state[1], parameters.order, n_)} {
  assert(kernels.f32_forward.nr == nr_ && kernels.f32_weights.nr == nr_);
}

void Stepper::operator()(const TileOfD& tile, const Gradient& gradient, const std::optional<TileOfD>& next) const {
  const int64_t row = tile.row_panels.begin * nr_, column = tile.panel * nr_, lines = nr_ / kLine;
  const int64_t last = tile.row_panels.end - 1;
  bool nonzero[kMostPanels * kMostLines * kMostLines];

  OptimizerStep s = step_;
  s.rows = std::min(tile.row_panels.size() * nr_, n_ - row);
  s.cols = std::min(nr_, n_ - column);
  s.g = gradient.g;
  s.ldg = gradient.ldg;
  s.m = gradient.m;
  s.lhs = gradient.lhs;
  s.lhs_stride = gradient.lhs_stride;
  s.rhs = gradient.rhs;
  s.rhs_stride = gradient.rhs_stride;
  s.w = w_.at(row, tile.panel);
  s.ldw = w_.ld;
  for (int a = 0; a < 2; ++a) s.state[a] = state_[a].at(row, tile.panel);
  s.ld_state = state_[0].ld;
  const bool packs = writes_packs_ && !along().empty();
  s.copy = packs && parameters_.D ? along().chunk(tile.panel, tile.row_panels.begin * lines) : nullptr;
  s.transposed = !writes_packs_ || across().empty() ? nullptr : across_chunk(tile.row_panels.begin, tile.panel);
  s.transposed_panel_stride = across().stride();
  s.pairs = (packs ? along() : across()).shape().kr == 2;
  s.low_plane = (packs ? along() : across()).low_plane();
  s.nonzero = writes_packs_ ? nonzero : nullptr;
  if (next) {
    const int64_t first = next->row_panels.begin;
    s.w_ahead = w_.at(first * nr_, next->panel) - w_.at(last * nr_, tile.panel);
    if (state_[0].data) s.state_ahead = state_[0].at(first * nr_, next->panel) - state_[0].at(last * nr_, tile.panel);
    if (s.transposed) s.transposed_ahead = across_chunk(first, next->panel) - across_chunk(last, tile.panel);
  }
  kernels_.f32_optimizer_step(s);
  if (writes_packs_) set_nonzero(tile, nonzero);
}

void Stepper::finish() const {
  if (!writes_packs_) {
    pack_again(along(), false);
    pack_again(across(), true);
    return;
  }
  along().set_stepped(down() ? Stepped::kByPanels : Stepped::kAcrossPanels);
  across().set_stepped(down() ? Stepped::kAcrossPanels : Stepped::kByPanels);
  for (Panels* panels : {&along(), &across()}) panels->find_used();
}

// From D as it lies. A chunk's columns of D are in one panel of it.
void Stepper::pack_again(Panels& panels, bool transposed) const {
  for (int64_t p = 0; p < panels.count(); ++p) {
    for (int64_t chunk = 0; chunk < panels.chunks(); ++chunk) {
      const int64_t column = transposed ? chunk * kLine : p * panels.nr();
      const float* const D = w_.data + column / nr_ * (w_.panel_stride - nr_);
      panels.pack_chunk(kernels_, {D, w_.ld, transposed}, p, chunk);
    }
  }
  panels.find_used();
  panels.set_stepped(Stepped::kNot);
}

// nonzero: [lines of rows][lines of columns].
void Stepper::set_nonzero(const TileOfD& tile, const bool* nonzero) const {
  const int64_t lines = nr_ / kLine, first_row = tile.row_panels.begin * lines, first_column = tile.panel * lines;
  const int64_t down = std::min(tile.row_panels.size() * lines, ceil_div(n_, kLine) - first_row);
  const int64_t wide = std::min(lines, ceil_div(n_, kLine) - first_column);
  // As a rule there is nothing to note, and that took 5 to 8 % of an update of one row.
  if (along().full() && across().full() && std::find(nonzero, nonzero + down * wide, false) == nonzero + down * wide) {
    return;
  }
  for (int64_t i = 0; i < down && !along().empty(); ++i) {
    const bool* const row = nonzero + i * wide;
    along().set_nonzero(tile.panel, first_row + i, std::any_of(row, row + wide, [](bool b) { return b; }));
  }
  for (int64_t q = 0; q < tile.row_panels.size() && !across().empty(); ++q) {
    for (int64_t j = 0; j < wide; ++j) {
      bool any = false;
      for (int64_t i = q * lines; i < std::min((q + 1) * lines, down); ++i) any |= nonzero[i * wide + j];
      across().set_nonzero(tile.row_panels.begin + q, first_column + j, any);
    }
  }
}

}  // namespace idelta::core
