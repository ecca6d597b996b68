// Training that cannot come to anything, and training that did not.
#ifndef IDELTA_NN_DIVERGENCE_H
#define IDELTA_NN_DIVERGENCE_H

#include <string>

#include "idelta/nn.hpp"

namespace idelta::nn {

// What to change after a divergence, of what these options set.
std::string mend(const TrainOptions& options, const NetworkOptions& network);

// Throws where rate and weight decay together carry D past 0 in a single step.
void check_decay(const TrainOptions& options, int64_t layers);

// Throws if a run has ended with a loss that is far above a guess's. Parameters are finite then and of no use: once an
// activation is saturated, no gradient brings them back. `loss` is the last epoch's mean.
void check_learned(const TrainOptions& options, const NetworkOptions& network, double loss);

}  // namespace idelta::nn

#endif  // IDELTA_NN_DIVERGENCE_H
