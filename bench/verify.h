// Checks an implementation's result against fp64 after it was timed: what is fast and wrong must not get a figure.
#pragma once

#include <string>

#include "bench/implementation.h"

namespace idelta::bench {

struct Verdict {
  double relative_error = 0.0;  // 2-norm over the sampled rows of the pass' main result: y, dx, dD or the new weights
  std::string failure;          // empty if every sampled element is within its bound; else the first that is not
};

// Looks at the outputs of the last run() on a sample of rows, all columns. A train_step is reset and run once with a
// learning rate that lets a wrong gradient show. Each stage's reference starts from what the implementation itself
// made of the stage before (its y decides act', its dz the gradients), so that a kink is not taken for an error.
Verdict verify(const Problem& problem, const Inputs& inputs, Implementation& implementation, bool identity_apart);

}  // namespace idelta::bench
