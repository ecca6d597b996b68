// dz = dy act'(y) alone: backward_data without dx.
#ifndef IDELTA_CORE_PASSES_ACTIVATION_H
#define IDELTA_CORE_PASSES_ACTIVATION_H

#include "src/core/context.h"
#include "src/core/formats/multiplication.h"

namespace idelta::core {

// Writes dz of m rows of n.
void activation_backward(const idelta_context& context, int64_t m, int64_t n, const Rows& rows);

}  // namespace idelta::core

#endif  // IDELTA_CORE_PASSES_ACTIVATION_H
