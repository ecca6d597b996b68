// update()'s last step: the optimiser on a block of D while its gradient is in cache, and the new D into the packed
// forms.
#ifndef IDELTA_CORE_PASSES_STEPPER_H
#define IDELTA_CORE_PASSES_STEPPER_H

#include <optional>

#include "src/core/formats/delta.h"
#include "src/core/passes/weights.h"
#include "src/core/plan/weights_plan.h"

namespace idelta::core {

// The rule and the numbers of a step; all else is for the caller to fill in.
OptimizerStep step_of(const idelta_optimizer& optimizer);

// Whether D lies out x in: then the gradient is dz^T x.
bool steps_transposed(const idelta_delta& delta, const Parameters& parameters);
// Whether D and state are read and written best down a panel, where all is contiguous, and not along rows.
bool steps_panels(const Parameters& parameters);

// Rows of D, whole panels of the pack of its transpose, in one panel of its columns.
struct TileOfD {
  Range row_panels;  // at most WeightsPlan::kRunPanels
  int64_t panel;
};

// Holds references; different tiles may be stepped by different threads.
class Stepper {
 public:
  // A delta whose format trains. streams: its packs are written past the caches.
  Stepper(const KernelTable& kernels, idelta_delta& delta, const Parameters& parameters, const OptimizerStep& step,
          bool streams);

  // Few rows of the batch are bound by memory: 24 bytes an element (D, one state and the pack of the other direction,
  // each read and written). What `next` needs is fetched meanwhile: rows of the other pack, and of a state that lies in
  // rows, are too many streams for the hardware to foresee.
  void operator()(const TileOfD& tile, const GradientTile& gradient, const std::optional<TileOfD>& next) const;

  // Once all tiles are done.
  void finish() const;

 private:
  static constexpr int64_t kMostLines = 4;  // in the width of a panel

  // An n x n array of parameters.
  struct Placed {
    float* data;
    int64_t ld, panel_stride;
    float* at(int64_t row, int64_t panel) const { return data ? data + row * ld + panel * panel_stride : nullptr; }
  };
  Placed placed(float* data, idelta_order order, int64_t ld) const;

  // The panels whose reduction goes along the rows of D as it lies, and those of its transpose.
  Panels& along() const { return transposed_ ? backward_ : forward_; }
  Panels& across() const { return transposed_ ? forward_ : backward_; }
  Word* across_chunk(int64_t row_panel, int64_t panel) const {
    return across().chunk(row_panel, panel * (nr_ / kLine));
  }

  OptimizerPacks packs_at(const TileOfD& tile) const;
  void set_nonzero(const TileOfD& tile, const bool* nonzero) const;
  void pack_again(Panels& panels, bool transposed) const;

  const KernelTable& kernels_;
  Panels none_;  // of a pass that is not packed
  Panels &forward_, &backward_;
  const Parameters& parameters_;
  OptimizerStep step_;
  int64_t n_, nr_;
  bool transposed_, streams_;
  bool writes_packs_;  // their panels are as wide as the kernel's; else D is stepped alone, and packed again at the end
  Placed w_, state_[kMostStates];
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_PASSES_STEPPER_H
