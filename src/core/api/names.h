// The names of the enumerations of idelta.h, and what the settings of each activation and optimiser must be: the one
// list of each, from which the C calls, libidelta_nn, the program, benchmarks and tests take theirs.
//
// Kinds are numbered from 0 on without a gap, so that a function from kind to name lists them all.
#ifndef IDELTA_CORE_API_NAMES_H
#define IDELTA_CORE_API_NAMES_H

#include <string>
#include <string_view>

#include "idelta/idelta.h"
#include "src/core/base/named.h"

namespace idelta::core {

struct ActivationKind {
  idelta_activation_kind kind;
  const char* name;
  void (*check)(const idelta_activation&);  // throws Failure unless its settings can be used
};

// From its rule: kernels/optimizer_rules.h.
struct OptimizerKind {
  idelta_optimizer_kind kind;
  const char* name;
  int32_t state_arrays;  // of D's and of the bias' size
  unsigned settings;     // that it uses, beyond what all of them share
};

// Null for none of ours.
const ActivationKind* find_activation(idelta_activation_kind kind);
const OptimizerKind* find_optimizer(idelta_optimizer_kind kind);

// Null for none of ours; formats/list.h, machine/dispatch.h and machine/bf16_product.h have the other names.
const char* activation_name(idelta_activation_kind kind);
const char* optimizer_name(idelta_optimizer_kind kind);

// Kind and all settings. Throws Failure.
void check_activation(const idelta_activation& activation);
void check_optimizer(const idelta_optimizer& optimizer);

}  // namespace idelta::core

#endif  // IDELTA_CORE_API_NAMES_H
