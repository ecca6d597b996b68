// update()'s last step: the optimiser on a block of D while its gradient is in cache, and the new D into the packed
// forms.
#ifndef IDELTA_CORE_PASSES_STEPPER_H
#define IDELTA_CORE_PASSES_STEPPER_H

#include <algorithm>
#include <optional>

#include "src/core/formats/delta.h"
#include "src/core/passes/weights_product.h"
#include "src/core/plan/blocking.h"

namespace idelta::core {

OptimizerStep step_of(const idelta_optimizer& optimizer);

// Rows of D, a panel of across() each, in one panel of its columns.
struct TileOfD {
  Range row_panels;
  int64_t panel;
};

// Holds references; different tiles may be stepped by different threads.
class Stepper {
 public:
  // A delta whose format trains.
  Stepper(const KernelTable& kernels, idelta_delta& delta, const Parameters& parameters, const OptimizerStep& step);

  // The order of D out x in: then the gradient is dz^T x.
  bool transposed() const { return transposed_; }

  // Whether D and state are read and written best down a panel, where all lies on end, and not along rows.
  bool down() const { return parameters_.order == IDELTA_ORDER_PANELS || (!parameters_.D && !parameters_.state[0]); }

  // Row panels from `begin` on that operator() takes at once.
  static Range first_run(Range row_panels) {
    return {row_panels.begin, std::min(row_panels.begin + kMostPanels, row_panels.end)};
  }

  // Few rows of the batch are bound by memory: 24 bytes an element (D, one state and the pack of the other direction,
  // each read and written). What `next` needs is fetched meanwhile: rows of the other pack, and of a state that lies in
  // rows, are too many streams for the hardware to foresee. State in panels: a tenth faster at n = 512, a third at
  // 1024, where rows are a page apart; then down the panels, up to a quarter (n = 2048; m = 1, Zen 5, 2026-11). In
  // rows, a tile took 10 to 20 % longer down than along them. Under AVX2 fetching four tiles ahead gained nothing.
  void operator()(const TileOfD& tile, const Gradient& gradient, const std::optional<TileOfD>& next) const;

  // Once all tiles are done. D is cut over threads as it lies, in whole panels down them and across them along rows.
  void finish() const;

 private:
  static constexpr int64_t kMostPanels = 16;  // in a run
  static constexpr int64_t kMostLines = 4;    // in the width of a panel

  // An n x n array of parameters.
  struct Placed {
    float* data;
    int64_t ld, panel_stride;
    float* at(int64_t row, int64_t panel) const { return data ? data + row * ld + panel * panel_stride : nullptr; }
  };
  Placed placed(float* data, idelta_order order, int64_t ld) const;

  // The panels whose reduction goes along the rows of D as it lies, and those of its transpose.
  Panels& along() const { return transposed() ? backward_ : forward_; }
  Panels& across() const { return transposed() ? forward_ : backward_; }
  Word* across_chunk(int64_t row_panel, int64_t panel) const {
    return across().chunk(row_panel, panel * (nr_ / kLine));
  }

  void set_nonzero(const TileOfD& tile, const bool* nonzero) const;
  void pack_again(Panels& panels, bool transposed) const;

  const KernelTable& kernels_;
  Panels none_;  // of a pass that is not packed
  Panels &forward_, &backward_;
  const Parameters& parameters_;
  const OptimizerStep& step_;
  int64_t n_, nr_;
  bool transposed_;
  bool writes_packs_;  // their panels are as wide as the kernel's; else D is stepped alone, and packed again at the end
  Placed w_, state_[2];
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_PASSES_STEPPER_H
