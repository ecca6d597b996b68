// The names of the enumerations of idelta.h, and what the settings of each activation and optimiser must be: the one
// list of each, from which the C calls, libidelta_nn, the program, benchmarks and tests take theirs.
//
// Kinds are numbered from 0 on without a gap, so that a function from kind to name lists them all.
#ifndef IDELTA_CORE_NAMES_H
#define IDELTA_CORE_NAMES_H

#include <string>
#include <string_view>

#include "idelta/idelta.h"
#include "src/core/dispatch.h"
#include "src/core/error.h"
#include "src/core/formats/list.h"

namespace idelta::core {

struct ActivationKind {
  idelta_activation_kind kind;
  const char* name;
  void (*check)(const idelta_activation&);  // throws Failure unless its settings can be used
};

struct OptimizerKind {
  idelta_optimizer_kind kind;
  const char* name;
  int32_t state_arrays;                    // of D's and of the bias' size
  void (*check)(const idelta_optimizer&);  // beyond what all of them share
};

// Null for none of ours.
const ActivationKind* find_activation(idelta_activation_kind kind);
const OptimizerKind* find_optimizer(idelta_optimizer_kind kind);

// Null for none of ours; formats/list.h and dispatch.h have those of formats and ISAs.
const char* activation_name(idelta_activation_kind kind);
const char* optimizer_name(idelta_optimizer_kind kind);
const char* bf16_product_name(idelta_bf16_product product);

// Kind and all settings. Throws Failure.
void check_activation(const idelta_activation& activation);
void check_optimizer(const idelta_optimizer& optimizer);

// "identity, relu, ...": all of a kind.
template <class Kind>
std::string listed(const char* (*name_of)(Kind)) {
  std::string names;
  for (int kind = 0; const char* name = name_of(static_cast<Kind>(kind)); ++kind) {
    names += (kind == 0 ? "" : ", ") + std::string(name);
  }
  return names;
}

// Throws Failure if none of them has that name; `what` says of what.
template <class Kind>
Kind kind_named(const char* what, const char* (*name_of)(Kind), std::string_view wanted) {
  for (int kind = 0; const char* name = name_of(static_cast<Kind>(kind)); ++kind) {
    if (name == wanted) return static_cast<Kind>(kind);
  }
  throw Failure(IDELTA_INVALID_ARGUMENT,
                std::string(what) + " = \"" + std::string(wanted) + "\" is none of " + listed(name_of));
}

}  // namespace idelta::core

#endif  // IDELTA_CORE_NAMES_H
