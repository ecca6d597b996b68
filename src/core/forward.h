// forward and backward_data: out = act(a r + r B + b) for rows r and panels of B (D, or D^T).
#ifndef IDELTA_CORE_FORWARD_H
#define IDELTA_CORE_FORWARD_H

#include "src/core/context.h"
#include "src/core/delta.h"
#include "src/core/formats.h"

namespace idelta::core {

// The rows r: x as it is, or dz = dy act'(y).
struct Rows {
  const float* src;  // m x n
  int64_t ld;
  const float* y = nullptr;  // given: multiply by act'(y)
  int64_t ldy = 0;
  ActivationGradient gradient{};
  float* dz = nullptr;  // given: r is written here too
  int64_t lddz = 0;
};

Activation activation_of(const idelta_activation& activation);
ActivationGradient gradient_of(const idelta_activation& activation);

size_t forward_workspace_bytes(const idelta_context& context, idelta_format format, int64_t m, int64_t n);

// Fills in the epilogue's residual and fetch_y.
void forward(const idelta_context& context, const Panels& panels, int64_t m, int64_t n, const Rows& rows,
             Epilogue& epilogue, const OfferedWorkspace& offered);

// Only dz = dy act'(y).
void activation_backward(const idelta_context& context, int64_t m, int64_t n, const Rows& rows);

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORWARD_H
