#include "src/core/passes/stepper.h"

#include <algorithm>
#include <cassert>

#include "kernels/optimizer_rules.h"

namespace idelta::core {

OptimizerStep step_of(const idelta_optimizer& optimizer) {
  OptimizerStep step{};
  step.kind = optimizer.kind;
  Optimizers::with(optimizer.kind, [&]<class Rule>() {
    const auto constants = Rule::constants(optimizer);
    std::copy(std::begin(constants.at), std::end(constants.at), step.constants);
  });
  return step;
}

bool steps_transposed(const idelta_delta& delta, const Parameters& parameters) {
  return parameters.D && delta.header.transposed;
}

bool steps_panels(const Parameters& parameters) {
  return parameters.order == IDELTA_ORDER_PANELS || (!parameters.D && !parameters.state[0]);
}

Stepper::Placed Stepper::placed(float* data, idelta_order order, int64_t ld) const {
  if (order == IDELTA_ORDER_ROWS) return {data, ld, nr_};
  return {data, nr_, n_ * nr_};
}

Stepper::Stepper(const KernelTable& kernels, idelta_delta& delta, const Parameters& parameters,
                 const OptimizerStep& step, bool streams)
    : kernels_(kernels),
      forward_(delta.packed.forward ? *delta.packed.forward->steppable() : none_),
      backward_(delta.packed.backward ? *delta.packed.backward->steppable() : none_),
      parameters_(parameters),
      step_(step),
      n_(delta.header.n),
      nr_(kernels.f32_optimizer_step.nr),
      transposed_(steps_transposed(delta, parameters)),
      streams_(streams),
      writes_packs_(std::max(forward_.nr(), backward_.nr()) == nr_),
      w_(parameters.D ? placed(parameters.D, parameters.order, parameters.ldd)
                      : placed(reinterpret_cast<float*>(pack().words(0, 0)), IDELTA_ORDER_PANELS, nr_)),
      state_{placed(parameters.state[0], parameters.order, n_), placed(parameters.state[1], parameters.order, n_)} {
  assert(kernels.f32_forward.nr == nr_ && kernels.f32_weights.nr == nr_ && nr_ <= kMostLines * kLine);
}

OptimizerPacks Stepper::packs_at(const TileOfD& tile) const {
  if (!writes_packs_) return {};
  const Panels& any = pack().empty() ? transposed_pack() : pack();
  const int64_t first = tile.row_panels.begin;
  return {.copy = !pack().empty() && parameters_.D ? pack().words(tile.panel, first * nr_) : nullptr,
          .transposed = transposed_pack().empty() ? nullptr : transposed_chunk(first, tile.panel),
          .transposed_panel_stride = transposed_pack().stride(),
          .transposed_ahead = 0,
          .pairs = any.shape().kr == 2,
          .low_plane = any.low_plane(),
          .streams = streams_};
}

void Stepper::operator()(const TileOfD& tile, const GradientTile& gradient, const std::optional<TileOfD>& next) const {
  const int64_t row = tile.row_panels.begin * nr_, last = tile.row_panels.end - 1;
  bool nonzero[WeightsPlan::kRunPanels * kMostLines * kMostLines];
  assert(tile.row_panels.size() <= WeightsPlan::kRunPanels);

  OptimizerStep s = step_;
  s.rows = std::min(tile.row_panels.size() * nr_, n_ - row);
  s.cols = std::min(nr_, n_ - tile.panel * nr_);
  s.gradient = gradient;
  s.w = w_.at(row, tile.panel);
  s.ldw = w_.ld;
  for (int k = 0; k < kMostStates; ++k) s.state[k] = state_[k].at(row, tile.panel);
  s.ld_state = state_[0].ld;
  s.contiguous = w_.ld == nr_ && (!state_[0].data || state_[0].ld == nr_);
  s.packs = packs_at(tile);
  s.nonzero = writes_packs_ ? nonzero : nullptr;
  if (next) {
    const int64_t first = next->row_panels.begin;
    s.w_ahead = w_.at(first * nr_, next->panel) - w_.at(last * nr_, tile.panel);
    if (state_[0].data) s.state_ahead = state_[0].at(first * nr_, next->panel) - state_[0].at(last * nr_, tile.panel);
    if (s.packs.transposed)
      s.packs.transposed_ahead = transposed_chunk(first, next->panel) - transposed_chunk(last, tile.panel);
  }
  kernels_.f32_optimizer_step(s);
  if (writes_packs_) set_nonzero(tile, nonzero);
}

void Stepper::finish() const {
  if (!writes_packs_) {
    pack_again(pack(), false);
    pack_again(transposed_pack(), true);
    return;
  }
  for (Panels* panels : {&pack(), &transposed_pack()}) panels->find_used();
}

// Packs from D, in rows or panels: the columns of a chunk are in one panel of D.
void Stepper::pack_again(Panels& panels, bool transposed) const {
  for (int64_t p = 0; p < panels.count(); ++p) {
    for (int64_t chunk = 0; chunk < panels.chunks(); ++chunk) {
      const int64_t column = transposed ? chunk * kLine : p * panels.nr();
      const float* const D = w_.data + column / nr_ * (w_.panel_stride - nr_);
      panels.pack_chunk(kernels_, {D, w_.ld, transposed}, p, chunk);
    }
  }
  panels.find_used();
}

// nonzero: [lines of rows][lines of columns].
void Stepper::set_nonzero(const TileOfD& tile, const bool* nonzero) const {
  const int64_t lines = nr_ / kLine, first_row = tile.row_panels.begin * lines, first_column = tile.panel * lines;
  const int64_t row_lines = std::min(tile.row_panels.size() * lines, ceil_div(n_, kLine) - first_row);
  const int64_t column_lines = std::min(lines, ceil_div(n_, kLine) - first_column);
  // The usual case, which would else take 5 to 8 % of an update of one row.
  if (pack().full() && transposed_pack().full() &&
      std::find(nonzero, nonzero + row_lines * column_lines, false) == nonzero + row_lines * column_lines) {
    return;
  }
  for (int64_t i = 0; i < row_lines && !pack().empty(); ++i) {
    const bool* const row = nonzero + i * column_lines;
    pack().set_nonzero(tile.panel, first_row + i, std::any_of(row, row + column_lines, [](bool b) { return b; }));
  }
  for (int64_t q = 0; q < tile.row_panels.size() && !transposed_pack().empty(); ++q) {
    for (int64_t j = 0; j < column_lines; ++j) {
      bool any = false;
      for (int64_t i = q * lines; i < std::min((q + 1) * lines, row_lines); ++i) any |= nonzero[i * column_lines + j];
      transposed_pack().set_nonzero(tile.row_panels.begin + q, first_column + j, any);
    }
  }
}

}  // namespace idelta::core
