// The one list of activations and of optimisers: their names, what their settings must be, and the kernels' form.
#ifndef IDELTA_CORE_API_NAMES_H
#define IDELTA_CORE_API_NAMES_H

#include "idelta/idelta.h"
#include "kernels/kernels.h"
#include "src/core/base/named.h"

namespace idelta::core {

// From the rules of kernels/optimizer_rules.h.
struct OptimizerKind {
  idelta_optimizer_kind kind;
  const char* name;
  int32_t state_arrays;  // of the size of D, and of the bias
  unsigned settings;     // OptimizerSettings that it uses
};

// Null for an unknown kind.
const OptimizerKind* find_optimizer(idelta_optimizer_kind kind);

// Likewise. formats/list.h, machine/dispatch.h and machine/bf16_product.h have the other names.
const char* activation_name(idelta_activation_kind kind);
const char* optimizer_name(idelta_optimizer_kind kind);

// Of a checked activation.
ActivationArgs activation_of(const idelta_activation& activation);
ActivationGradient gradient_of(const idelta_activation& activation);

// Check the kind and all settings. Throw Failure.
void check_activation(const idelta_activation& activation);
void check_optimizer(const idelta_optimizer& optimizer);

}  // namespace idelta::core

#endif  // IDELTA_CORE_API_NAMES_H
