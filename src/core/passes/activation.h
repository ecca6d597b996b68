// The activations of idelta.h in the kernels' form, and dz = dy act'(y) alone.
#ifndef IDELTA_CORE_PASSES_ACTIVATION_H
#define IDELTA_CORE_PASSES_ACTIVATION_H

#include "idelta/idelta.h"
#include "src/core/context.h"
#include "src/core/formats/multiplication.h"

namespace idelta::core {

ActivationArgs activation_of(const idelta_activation& activation);
ActivationGradient gradient_of(const idelta_activation& activation);

// Writes dz of m rows of n.
void activation_backward(const idelta_context& context, int64_t m, int64_t n, const Rows& rows);

}  // namespace idelta::core

#endif  // IDELTA_CORE_PASSES_ACTIVATION_H
