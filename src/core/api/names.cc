#include "src/core/api/names.h"

#include <array>
#include <cmath>
#include <iterator>
#include <limits>

#include "kernels/optimizer_rules.h"
#include "src/core/api/checks.h"
#include "src/core/formats/multiplication.h"

namespace idelta::core {
namespace {

void check_unit(float value, const char* name) {
  if (!(value >= 0 && value < 1)) invalid(std::string(name) + " = " + std::to_string(value) + " is not in [0, 1)");
}

// Checks the settings that a rule uses.
void check_settings(const idelta_optimizer& o, unsigned uses) {
  if (uses & kUsesMomentum) check_unit(o.momentum, "optimizer->momentum");
  if (uses & kUsesBeta2) check_unit(o.beta2, "optimizer->beta2");
  if ((uses & kUsesEpsilon) && !(o.epsilon > 0)) {
    invalid("optimizer->epsilon = " + std::to_string(o.epsilon) + " is not positive");
  }
  if ((uses & kUsesStep) && o.step < 1) {
    invalid("optimizer->step = " + std::to_string(o.step) + " is not 1, 2, ...");
  }
}

struct ActivationKind {
  const char* name;
  idelta_activation_kind kind;
  ActivationArgs args;
  bool takes_slope = false;  // in place of that of args
};

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// In the order of the enumeration.
constexpr ActivationKind kActivations[] = {
    {"identity", IDELTA_ACTIVATION_IDENTITY, kIdentityActivation},
    {"relu", IDELTA_ACTIVATION_RELU, {1, 0, kInfinity}},
    {"leaky_relu", IDELTA_ACTIVATION_LEAKY_RELU, kIdentityActivation, true},
    {"hard_tanh", IDELTA_ACTIVATION_HARD_TANH, {1, -1, 1}},
    {"tanh", IDELTA_ACTIVATION_TANH, {1, -kInfinity, kInfinity, true}},
};

template <class... Rules>
constexpr std::array<OptimizerKind, sizeof...(Rules)> kinds_of(OptimizerList<Rules...>) {
  return {{{Rules::kind, Rules::name, Rules::states, Rules::settings}...}};
}
constexpr auto kOptimizers = kinds_of(Optimizers{});

constexpr bool in_order(const auto& rows) {
  for (size_t i = 0; i < std::size(rows); ++i) {
    if (static_cast<size_t>(rows[i].kind) != i) return false;
  }
  return true;
}
static_assert(in_order(kActivations) && in_order(kOptimizers));

template <class Row>
const char* name_of(const Row* row) {
  return row ? row->name : nullptr;
}

}  // namespace

const OptimizerKind* find_optimizer(idelta_optimizer_kind kind) { return row_of(kOptimizers, kind); }

const char* activation_name(idelta_activation_kind kind) { return name_of(row_of(kActivations, kind)); }
const char* optimizer_name(idelta_optimizer_kind kind) { return name_of(find_optimizer(kind)); }

void check_activation(const idelta_activation& activation) {
  const ActivationKind* kind = row_of(kActivations, activation.kind);
  if (!kind) {
    invalid("activation.kind = " + std::to_string(activation.kind) +
            " is none of idelta_activation_kind's values: " + listed(activation_name));
  }
  if (kind->takes_slope && !(activation.slope > 0 && activation.slope < 1)) {
    invalid("activation.slope = " + std::to_string(activation.slope) + " of " + kind->name +
            " is not between 0 and 1; give 0.01, say");
  }
}

ActivationArgs activation_of(const idelta_activation& activation) {
  const auto& [name, kind, args, takes_slope] = kActivations[activation.kind];
  return {takes_slope ? activation.slope : args.slope, args.low, args.high, args.tanh};
}

// act' is that of the piecewise linear part between its limits.
ActivationGradient gradient_of(const idelta_activation& activation) {
  const auto limit = [](float at) { return std::fabs(at) == kInfinity ? std::numeric_limits<float>::quiet_NaN() : at; };
  const ActivationArgs args = activation_of(activation);
  return {args.slope, limit(args.low), limit(args.high), args.tanh};
}

void check_optimizer(const idelta_optimizer& o) {
  const OptimizerKind* kind = find_optimizer(o.kind);
  if (!kind) {
    invalid("optimizer->kind = " + std::to_string(o.kind) +
            " is none of idelta_optimizer_kind's values: " + listed(optimizer_name));
  }
  check_finite(o.learning_rate, "optimizer->learning_rate");
  check_finite(o.weight_decay, "optimizer->weight_decay");
  check_settings(o, kind->settings);
}

}  // namespace idelta::core
