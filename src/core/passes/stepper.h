// The last step of update(): the optimiser steps a tile of D while its gradient is in cache, and packs the new D.
#ifndef IDELTA_CORE_PASSES_STEPPER_H
#define IDELTA_CORE_PASSES_STEPPER_H

#include <optional>

#include "src/core/formats/delta.h"
#include "src/core/passes/weights.h"
#include "src/core/plan/weights_plan.h"

namespace idelta::core {

// A step with its rule and constants; the caller fills in the rest.
OptimizerStep step_of(const idelta_optimizer& optimizer);

// Whether D is out x in, so that its gradient is dz^T x.
bool steps_transposed(const idelta_delta& delta, const Parameters& parameters);
// Whether D and state are in panels, so that going by row panels is contiguous.
bool steps_panels(const Parameters& parameters);

// Some row panels of D (panels of the pack of its transpose) in one panel of its columns.
struct TileOfD {
  Range row_panels;  // at most WeightsPlan::kRunPanels
  int64_t panel;
};

// Holds references; different tiles may be stepped by different threads.
class Stepper {
 public:
  // The delta's format must train. streams: packs are written past the caches.
  Stepper(const KernelTable& kernels, idelta_delta& delta, const Parameters& parameters, const OptimizerStep& step,
          bool streams);

  // Steps a tile, and prefetches what `next` needs: small batches are bound by memory (24 bytes an element), and the
  // hardware does not follow so many streams.
  void operator()(const TileOfD& tile, const GradientTile& gradient, const std::optional<TileOfD>& next) const;

  // To be called once all tiles are done.
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

  // The pack of D in the caller's order, and that of its transpose.
  Panels& pack() const { return transposed_ ? backward_ : forward_; }
  Panels& transposed_pack() const { return transposed_ ? forward_ : backward_; }
  Word* transposed_chunk(int64_t row_panel, int64_t panel) const {
    return transposed_pack().words(row_panel, panel * nr_);
  }

  OptimizerPacks packs_at(const TileOfD& tile) const;
  void set_nonzero(const TileOfD& tile, const bool* nonzero) const;
  void pack_again(Panels& panels, bool transposed) const;

  const KernelTable& kernels_;
  Panels none_;  // stands for a pass that is not packed
  Panels &forward_, &backward_;
  const Parameters& parameters_;
  OptimizerStep step_;
  int64_t n_, nr_;
  bool transposed_, streams_;
  bool writes_packs_;  // the packs' panels are as wide as the kernel's; else D is packed again at the end
  Placed w_, state_[kMostStates];
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_PASSES_STEPPER_H
