// Checks an implementation's result against fp64 after it was timed: what is fast and wrong must not get a figure.
#pragma once

#include <string>

#include "bench/implementation.h"

namespace idelta::bench {

struct Verdict {
  double relative_error = 0.0;  // 2-norm over the sampled rows of the pass' main result: y, dx, dD or the new weights
  std::string failure;          // empty if every element is within its bound; else the first that is not
};

// Looks at all outputs of the last run(): a sample of rows against fp64, the rest against SGEMM. An update or
// train_step is reset and run once with a learning rate that lets a wrong gradient show; a train_step then once more,
// whose forward and backward_data must be those of the new weights. Each stage's reference starts from what the
// implementation itself made of the stage before (its y decides act', its dz the gradients), so that a kink is not
// taken for an error. D of low rank is the product of its factors in fp64.
// entry: what made the implementation.
Verdict verify(const Problem& problem, Implementation& implementation, const ImplementationEntry& entry);

}  // namespace idelta::bench
