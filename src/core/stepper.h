// update()'s last step: the optimiser on a block of D while its gradient is in cache, and the new D into the packed
// forms.
#ifndef IDELTA_CORE_STEPPER_H
#define IDELTA_CORE_STEPPER_H

#include "src/core/blocking.h"
#include "src/core/delta.h"
#include "src/core/weights_product.h"

namespace idelta::core {

OptimizerStep step_of(const idelta_optimizer& optimizer);

// Holds references only; different tiles may be stepped by different threads.
class Stepper {
 public:
  Stepper(const KernelTable& kernels, idelta_delta& delta, const Parameters& parameters, const OptimizerStep& step)
      : kernels_(kernels), delta_(delta), parameters_(parameters), step_(step), n_(delta.header.n), nr_(kernels.nr) {}

  // The order of D out x in: then the gradient is dz^T x.
  bool transposed() const { return parameters_.D && delta_.header.transposed; }

  // The nr rows of D that are panel row_panel of across(), in panel `panel` of its columns. Few rows of the batch are
  // bound by memory: 24 bytes an element (D, one state and the pack of the other direction, each read and written).
  // What the next panel needs is fetched meanwhile: rows of the state are too many streams for the hardware to foresee.
  // Down the rows of a panel, a tile took 10 to 20 % longer than along them. Under AVX2, whose tiles are a quarter as
  // large, fetching four tiles ahead, or no line twice, gained nothing.
  void operator()(int64_t row_panel, int64_t panel, const Gradient& gradient) const;

 private:
  static constexpr int64_t kMostLines = 4;  // in the width of a panel

  // The panels whose reduction goes along the rows of D as it lies, and those of its transpose.
  Panels& along() const { return transposed() ? delta_.backward : delta_.forward; }
  Panels& across() const { return transposed() ? delta_.forward : delta_.backward; }

  const KernelTable& kernels_;
  idelta_delta& delta_;
  const Parameters& parameters_;
  const OptimizerStep& step_;
  int64_t n_, nr_;
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_STEPPER_H
