// What calls of forward have in common, of one delta and of a chain: their checks, and what they multiply.
#ifndef IDELTA_CORE_API_FORWARD_CALL_H
#define IDELTA_CORE_API_FORWARD_CALL_H

#include <cmath>
#include <string>

#include "src/core/api/checks.h"
#include "src/core/api/names.h"
#include "src/core/formats/delta.h"

namespace idelta::core {

// out may be in, but with the same row stride.
inline void check_in_place(const float* in, int64_t ld_in, const char* in_name, const float* out, int64_t ld_out,
                           const char* out_name) {
  if (in == out && ld_in != ld_out) {
    invalid(std::string(out_name) + " is " + in_name + ", but their row strides differ: " + std::to_string(ld_out) +
            " and " + std::to_string(ld_in));
  }
}

// x: the rows that are multiplied; null where they lie in memory of the library's own.
inline void check_contribution(const idelta_forward_args& a, const float* x, int64_t m, int64_t n) {
  if (!a.contribution) return;
  check_matrix(a.contribution, "contribution", m, a.ldc, "ldc", n);
  if (a.contribution == x || a.contribution == a.y) invalid("contribution overlaps x or y");
}

// Not inlined, so that calls without them need no stack for it.
[[gnu::noinline]] inline void check_row_errors(const idelta_forward_args& a, const float* x) {
  for (const float* other : {x, a.bias, static_cast<const float*>(a.y), static_cast<const float*>(a.contribution)}) {
    if (a.row_error && a.row_error == other)
      invalid("row_error is x, bias, y or contribution; it needs memory of its own");
    if (a.row_norm && a.row_norm == other)
      invalid("row_norm is x, bias, y or contribution; it needs memory of its own");
  }
  if (a.row_error == a.row_norm) invalid("row_norm is row_error; it needs memory of its own");
}

inline RowBound row_bound_for(const idelta_context& context, const idelta_delta& delta, const float* bias) {
  const RowBound bound = row_bound_of(context, delta);
  if (!bias) return bound;
  double squares = 0;
  const int64_t n = delta.header.n;
  context.kernels.f32_row_squares({.rows = 1, .cols = n, .src = bias, .ld = n, .squares = &squares});
  return bound.with_bias(std::sqrt(squares));
}

// Without row errors.
inline Multiplication forward_call(const idelta_delta& delta, const idelta_forward_args& a) {
  return {.m = a.m,
          .rows = {.src = a.x, .ld = a.ldx},
          .epilogue = {.identity_scale = delta.header.identity_scale,
                       .bias = a.bias,
                       .activation = activation_of(a.activation),
                       .y = a.y,
                       .ldy = a.ldy,
                       .contribution = a.contribution,
                       .ldc = a.ldc},
          .workspace = {a.workspace, a.workspace_bytes}};
}

}  // namespace idelta::core

#endif  // IDELTA_CORE_API_FORWARD_CALL_H
