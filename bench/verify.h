// Checks an implementation's result against fp64 after it was timed: what is fast and wrong must not get a figure.
#pragma once

#include "bench/check.h"
#include "bench/implementation.h"

namespace idelta::bench {

// Looks at all outputs of the last run(), stage by stage (passes.cc): a sample of rows against fp64, the rest against
// SGEMM. A pass that trains is reset and run once with a learning rate that lets a wrong gradient show; if it also
// multiplies by D it runs once more, and must have multiplied by the new D. Each stage's reference starts from what the
// implementation itself made of the stage before (its y decides act', its dz the gradients), so that a kink is not
// taken for an error. D of low rank is the product of its factors in fp64.
// entry: what made the implementation.
Verdict verify(const Problem& problem, Implementation& implementation, const ImplementationEntry& entry);

}  // namespace idelta::bench
