// The optimisers of idelta_update: one rule each, and the list that names, checks and kernels are made from.
//
//   kind, name      as in idelta/kinds.h, which has the formulas
//   states          arrays of the parameters' size that it keeps
//   settings        what it uses of idelta_optimizer beside learning_rate and weight_decay
//   constants(o)    the numbers of one step, made once for all parameters
//   step(c, g, w, state)
//                   the new w of gradients g and parameters w in vectors V; the state is changed in place
//
// To add one: its value and formula in idelta/kinds.h; its rule here, and its place in the list.
#ifndef IDELTA_KERNELS_OPTIMIZER_RULES_H
#define IDELTA_KERNELS_OPTIMIZER_RULES_H

#include "idelta/kinds.h"
#include "kernels/compiler.h"
#include "kernels/kernels.h"

namespace idelta {

// src/core/api/names.cc checks their ranges.
enum OptimizerSettings : unsigned { kUsesMomentum = 1, kUsesBeta2 = 2, kUsesEpsilon = 4, kUsesStep = 8 };

// The numbers of a step, as floats or splat to vectors.
template <int N, class T = float>
struct OptimizerConstants {
  T at[N];
};

struct Sgd {
  static constexpr idelta_optimizer_kind kind = IDELTA_OPTIMIZER_SGD;
  static constexpr const char* name = "sgd";
  static constexpr int states = 0;
  static constexpr unsigned settings = 0;

  static OptimizerConstants<2> constants(const idelta_optimizer& o) { return {{o.learning_rate, o.weight_decay}}; }
  template <class V>
  static IDELTA_INLINE V step(const OptimizerConstants<2, V>& c, V g, V w, V*) {
    const auto& [rate, decay] = c.at;
    return fnma(rate, fma(decay, w, g), w);
  }
};

struct Momentum {
  static constexpr idelta_optimizer_kind kind = IDELTA_OPTIMIZER_MOMENTUM;
  static constexpr const char* name = "momentum";
  static constexpr int states = 1;
  static constexpr unsigned settings = kUsesMomentum;

  static OptimizerConstants<3> constants(const idelta_optimizer& o) {
    return {{o.learning_rate, o.weight_decay, o.momentum}};
  }
  template <class V>
  static IDELTA_INLINE V step(const OptimizerConstants<3, V>& c, V g, V w, V* velocity) {
    const auto& [rate, decay, momentum] = c.at;
    velocity[0] = fma(momentum, velocity[0], fma(decay, w, g));
    return fnma(rate, velocity[0], w);
  }
};

struct Nesterov {
  static constexpr idelta_optimizer_kind kind = IDELTA_OPTIMIZER_NESTEROV;
  static constexpr const char* name = "nesterov";
  static constexpr int states = 1;
  static constexpr unsigned settings = kUsesMomentum;

  static OptimizerConstants<3> constants(const idelta_optimizer& o) { return Momentum::constants(o); }
  template <class V>
  static IDELTA_INLINE V step(const OptimizerConstants<3, V>& c, V g, V w, V* velocity) {
    const auto& [rate, decay, momentum] = c.at;
    g = fma(decay, w, g);
    velocity[0] = fma(momentum, velocity[0], g);
    return fnma(rate, fma(momentum, velocity[0], g), w);
  }
};

struct AdamW {
  static constexpr idelta_optimizer_kind kind = IDELTA_OPTIMIZER_ADAMW;
  static constexpr const char* name = "adamw";
  static constexpr int states = 2;
  static constexpr unsigned settings = kUsesMomentum | kUsesBeta2 | kUsesEpsilon | kUsesStep;

  // The two means are divided by 1 - beta^t, the second under the root.
  static OptimizerConstants<9> constants(const idelta_optimizer& o) {
    const double beta1 = o.momentum, beta2 = o.beta2, t = static_cast<double>(o.step);
    const auto correction1 = static_cast<float>(1 / (1 - __builtin_pow(beta1, t)));
    const auto correction2 = static_cast<float>(1 / __builtin_sqrt(1 - __builtin_pow(beta2, t)));
    return {{o.learning_rate, o.weight_decay, o.momentum, 1 - o.momentum, o.beta2, 1 - o.beta2, o.epsilon, correction1,
             correction2}};
  }
  template <class V>
  static IDELTA_INLINE V step(const OptimizerConstants<9, V>& c, V g, V w, V* means) {
    const auto& [rate, decay, beta1, rest1, beta2, rest2, epsilon, correction1, correction2] = c.at;
    means[0] = fma(beta1, means[0], rest1 * g);
    means[1] = fma(beta2, means[1], rest2 * (g * g));
    const V denominator = fma(sqrt(means[1]), correction2, epsilon);
    return fnma(rate, fma(decay, w, correction1 * means[0] / denominator), w);
  }
};

template <class... Rules>
struct OptimizerList {
  static_assert(((Rules::states <= kMostStates) && ...));

  // use.operator()<Rule>() with the rule of this kind, if there is one.
  template <class Use>
  static IDELTA_INLINE void with(int kind, const Use& use) {
    (void)((kind == Rules::kind && (use.template operator()<Rules>(), true)) || ...);
  }
};

// In the order of their kinds.
using Optimizers = OptimizerList<Sgd, Momentum, Nesterov, AdamW>;

}  // namespace idelta

#endif  // IDELTA_KERNELS_OPTIMIZER_RULES_H
