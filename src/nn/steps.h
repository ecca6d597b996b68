// The step of a layer from what the kernel gave: its input h, its contribution Delta, and nothing of its output.
//
//   z = a h + Delta,     step = (a - 1) h + Delta + (act(z) - z)
//
// act is evaluated here anew, in fp64, and the step is not h' - h, so that the sum of the steps shows whether Delta and
// h' of the kernel belong together: it misses h' by the roundings of z and act in the kernel.
#ifndef IDELTA_NN_STEPS_H
#define IDELTA_NN_STEPS_H

#include <cmath>
#include <limits>

#include "idelta/nn.hpp"

namespace idelta::nn {

// act(z) = min(high, max(low, slope z or z)). For one z it is gain z + offset.
struct PiecewiseLinear {
  double slope = 1;  // below 0
  double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();

  double operator()(double z) const {
    const double scaled = slope * z, bent = z < scaled ? scaled : z;
    const double raised = bent < low ? low : bent;
    return raised > high ? high : raised;
  }
  // Roundings of the kernel in h' = act(z), as multiples of 2^-24 |h'|: of z, and of slope z where that is taken.
  double roundings(double z) const { return z < slope * z ? 2 : 1; }
  double gain(double z) const { return z < low || z > high ? 0 : z < 0 ? slope : 1; }
  double offset(double z) const { return z < low ? low : z > high ? high : 0; }
};

struct Tanh {
  double operator()(double z) const { return std::tanh(z); }
  double roundings(double) const { return 5; }  // of z, and 2 ulp of tanh, each at most 2 x 2^-24 |h'|
  double gain(double z) const { return z == 0 ? 1 : std::tanh(z) / z; }
  double offset(double) const { return 0; }
};

struct Step {
  double z, output;  // output = act(z)
  double activation_change, step;
};

template <class Act>
Step step_of(double a, const Act& act, float h, float contribution) {
  const double z = a * h + contribution, output = act(z), change = output - z;
  return {z, output, change, (a - 1) * h + contribution + change};
}

// Calls work(act) with that of a layer.
template <class Work>
void with_activation(const Network& network, int64_t layer, const Work& work) {
  const idelta_activation activation = network.activation(layer);
  switch (activation.kind) {
    case IDELTA_ACTIVATION_IDENTITY:
      return work(PiecewiseLinear{});
    case IDELTA_ACTIVATION_RELU:
      return work(PiecewiseLinear{.low = 0});
    case IDELTA_ACTIVATION_LEAKY_RELU:
      return work(PiecewiseLinear{.slope = activation.slope});
    case IDELTA_ACTIVATION_HARD_TANH:
      return work(PiecewiseLinear{.low = -1, .high = 1});
    case IDELTA_ACTIVATION_TANH:
      return work(Tanh{});
  }
}

}  // namespace idelta::nn

#endif  // IDELTA_NN_STEPS_H
