// update()'s last step: the optimiser on a block of D while its gradient is in cache, and the new D into the packed
// forms.
#ifndef IDELTA_CORE_STEPPER_H
#define IDELTA_CORE_STEPPER_H

#include "src/core/blocking.h"
#include "src/core/delta.h"
#include "src/core/weights.h"

namespace idelta::core {

OptimizerStep step_of(const idelta_optimizer& optimizer);

// Holds references only; different (block, panel) may be stepped by different threads.
class Stepper {
 public:
  Stepper(const KernelTable& kernels, idelta_delta& delta, const Parameters& parameters, const OptimizerStep& step)
      : kernels_(kernels), delta_(delta), parameters_(parameters), step_(step), n_(delta.header.n), nr_(kernels.nr) {}

  // The order of D out x in: then the gradient is dz^T x.
  bool transposed() const { return parameters_.D && delta_.header.transposed; }

  // Row block `block` (WeightsBlocks) of D and panel `panel` of its columns, with their gradient g. With m up to 128
  // this is bound by the way to L3: 24 bytes an element (D, one state, the pack of the other direction, each read and
  // written) at 25 GB/s. Fetching the next block's D and state while its gradient is computed gained nothing.
  void operator()(int64_t block, int64_t panel, const float* g, int64_t ldg) const;

 private:
  // The panels whose reduction goes along the rows of D as it lies, and those of its transpose.
  Panels& along() const { return transposed() ? delta_.backward : delta_.forward; }
  Panels& across() const { return transposed() ? delta_.forward : delta_.backward; }

  Range chunks_of(Range panels) const;
  void repack_across(Range rows, int64_t panel) const;

  const KernelTable& kernels_;
  idelta_delta& delta_;
  const Parameters& parameters_;
  const OptimizerStep& step_;
  int64_t n_, nr_;
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_STEPPER_H
