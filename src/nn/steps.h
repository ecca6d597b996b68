// The step of a layer from what the kernel gave: its input h, its contribution Delta, and nothing of its output.
//
//   z = a h + Delta, rounded once, as the kernel's epilogue does
//   step = (a - 1) h + Delta + (act(z) - z)
//
// act is evaluated here anew and the step is not h' - h, so that the sum of the steps shows whether Delta and h' of the
// kernel belong together.
#ifndef IDELTA_NN_STEPS_H
#define IDELTA_NN_STEPS_H

#include <cmath>
#include <limits>

#include "idelta/nn.hpp"

namespace idelta::nn {

// act(z) = min(high, max(low, slope z or z)), as the kernels compute it. For one z it is line() z + offset.
struct PiecewiseLinear {
  float slope = 1;  // below 0
  float low = -std::numeric_limits<float>::infinity(), high = std::numeric_limits<float>::infinity();

  float operator()(float z) const {
    const float scaled = slope * z, bent = z < scaled ? scaled : z;
    const float raised = bent < low ? low : bent;
    return raised > high ? high : raised;
  }
  // The slope of the piece that z lies on.
  float gain(float z) const { return z < low || z > high ? 0.0f : z < 0 ? slope : 1.0f; }
  float offset(float z) const { return z < low ? low : z > high ? high : 0.0f; }
};

// In fp64: the residual of a sum of steps then holds what the kernel's tanh errs by.
struct Tanh {
  double operator()(float z) const { return std::tanh(static_cast<double>(z)); }
  float gain(float z) const { return z == 0 ? 1.0f : static_cast<float>((*this)(z) / z); }
  float offset(float) const { return 0; }
};

// z of W = a I + D; for a = 1 without a call of fma, which is a function where the compiler may not use instructions
// for it.
struct UnitScale {
  float z(float h, float contribution) const { return h + contribution; }
  double rest(float) const { return 0; }
};
struct AnyScale {
  float a;
  float z(float h, float contribution) const { return std::fma(a, h, contribution); }
  double rest(float h) const { return (static_cast<double>(a) - 1) * h; }
};

struct Step {
  double activation_change, step;
};

template <class Scale, class Act>
Step step_of(const Scale& scale, const Act& act, float h, float contribution) {
  const float z = scale.z(h, contribution);
  const double change = static_cast<double>(act(z)) - z;
  return {change, scale.rest(h) + contribution + change};
}

// Calls work(scale, act) with those of a layer.
template <class Work>
void with_layer(const Network& network, int64_t layer, const Work& work) {
  const idelta_activation activation = network.activation(layer);
  const auto with_act = [&](const auto& act) {
    const float a = network.options().identity_scale;
    a == 1 ? work(UnitScale{}, act) : work(AnyScale{a}, act);
  };
  switch (activation.kind) {
    case IDELTA_ACTIVATION_IDENTITY:
      return with_act(PiecewiseLinear{});
    case IDELTA_ACTIVATION_RELU:
      return with_act(PiecewiseLinear{.low = 0});
    case IDELTA_ACTIVATION_LEAKY_RELU:
      return with_act(PiecewiseLinear{.slope = activation.slope});
    case IDELTA_ACTIVATION_HARD_TANH:
      return with_act(PiecewiseLinear{.low = -1, .high = 1});
    case IDELTA_ACTIVATION_TANH:
      return with_act(Tanh{});
  }
}

}  // namespace idelta::nn

#endif  // IDELTA_NN_STEPS_H
