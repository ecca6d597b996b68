// The C ABI: the passes, their workspaces, and sidmm.
#include "idelta/idelta.h"
#include "src/core/api/forward_call.h"
#include "src/core/api/guard.h"
#include "src/core/api/names.h"
#include "src/core/api/struct_versions.h"
#include "src/core/formats/delta.h"
#include "src/core/formats/list.h"
#include "src/core/passes/activation.h"
#include "src/core/passes/sidmm.h"
#include "src/core/passes/weights.h"

using namespace idelta::core;

namespace {

void check_order(idelta_order order) {
  if (order != IDELTA_ORDER_ROWS && order != IDELTA_ORDER_PANELS) {
    invalid("order = " + std::to_string(order) + " is none of idelta_order's values");
  }
}

// Checks that the format can be stepped, and that D is given or the delta is exact and can be the master.
void check_master(const idelta_update_args& a, const idelta_delta& delta) {
  const int64_t n = delta.header.n;
  const Format& format = *delta.header.format;
  if (!format.trains) {
    throw Failure(IDELTA_UNSUPPORTED, std::string("delta of format ") + format.name +
                                          " cannot be stepped; train in f32, bf16 or bf16x3 and pack the result");
  }
  if (a.D) {
    if (a.order == IDELTA_ORDER_ROWS) check_matrix(a.D, "D", n, a.ldd, "ldd", n);
  } else if (!format.exact) {
    invalid(std::string("D is null, but delta of format ") + format.name +
            " is too coarse to be the master; give D in fp32");
  } else if (!delta.packed.forward) {
    invalid("D is null, but delta has no forward pass that could be the master; give D or pack both passes");
  }
}

void check_states(const idelta_update_args& a, int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    if (!a.state[i]) invalid("state[" + std::to_string(i) + "] is null; this optimizer keeps it, n x n, zero at first");
    if (a.bias && !a.bias_state[i]) invalid("bias_state[" + std::to_string(i) + "] is null, but bias is given");
  }
}

// bf16 numbers of each operand of x^T dz. It has no certificate by which AUTO could choose: AUTO is fp32.
int64_t gradient_planes(const idelta_context& context, idelta_format given, const char* name) {
  check_gradient_format(given, name);
  return given == IDELTA_FORMAT_AUTO ? 0 : format_for(context, given)->gradient_planes;
}

// What all workspace queries have in common.
template <class Query>
void answer(size_t* bytes, int64_t m, int64_t n, Query&& query) {
  check_pointer(bytes, "bytes");
  check_rows(m);
  check_width(n, m);
  *bytes = query();
}

template <class Query>
void answer_for_delta(const idelta_context* context, const idelta_delta* delta, idelta_passes pass, size_t* bytes,
                      int64_t m, Query&& query) {
  check_context(context);
  check_delta(*context, delta, pass);
  answer(bytes, m, delta->header.n, [&] { return query(*context, *delta); });
}

size_t bytes_of(const idelta_context& context, const Operator& op, int64_t m) {
  return m == 0 ? 0 : op.workspace_bytes(context, m);
}

// Not inlined, so that other calls need no stack for it.
[[gnu::noinline]] void multiply_with_row_errors(const idelta_context& context, const idelta_delta& delta,
                                                const idelta_forward_args& a, Multiplication& call) {
  check_row_errors(a, a.x);
  const RowBound bound = row_bound_for(context, delta, a.bias);
  call.errors = {.at = a.row_error, .norms = a.row_norm, .bound = &bound};
  delta.packed.forward->multiply(context, call);
}

}  // namespace

extern "C" {

idelta_status idelta_forward(const idelta_context* context, const idelta_delta* delta,
                             const idelta_forward_args* args) {
  return guarded(__func__, [&] {
    check_context(context);
    check_delta(*context, delta, IDELTA_PASS_FORWARD);
    const Given given(args, "args");
    const idelta_forward_args& a = *given;
    const int64_t m = a.m, n = delta->header.n;
    check_rows(m);
    check_width(n, m);
    check_activation(a.activation);
    if (m == 0) return;
    check_matrix(a.x, "x", m, a.ldx, "ldx", n);
    check_matrix(a.y, "y", m, a.ldy, "ldy", n);
    check_in_place(a.x, a.ldx, "x", a.y, a.ldy, "y");
    check_contribution(a, a.x, m, n);

    Multiplication call = forward_call(*delta, a);
    if (a.row_error || a.row_norm) [[unlikely]]
      return multiply_with_row_errors(*context, *delta, a, call);
    delta->packed.forward->multiply(*context, call);
  });
}

idelta_status idelta_backward_data(const idelta_context* context, const idelta_delta* delta,
                                   const idelta_backward_data_args* args) {
  return guarded(__func__, [&] {
    check_context(context);
    const Given given(args, "args");
    const idelta_backward_data_args& a = *given;
    check_delta(*context, delta, a.dx ? IDELTA_PASS_BACKWARD_DATA : idelta_passes{});
    const int64_t m = a.m, n = delta->header.n;
    const bool linear = a.activation.kind == IDELTA_ACTIVATION_IDENTITY;
    check_rows(m);
    check_width(n, m);
    check_activation(a.activation);
    if (m == 0) return;
    check_matrix(a.dy, "dy", m, a.lddy, "lddy", n);
    if (!linear) check_matrix(a.y, "y", m, a.ldy, "ldy", n);
    if (a.dz) check_matrix(a.dz, "dz", m, a.lddz, "lddz", n);
    if (a.dx) check_matrix(a.dx, "dx", m, a.lddx, "lddx", n);
    if (!a.dx && !a.dz) invalid("dx and dz are both null: nothing is wanted");
    if (a.dx && a.dx == a.dz) invalid("dx is dz; each needs memory of its own");
    check_in_place(a.dy, a.lddy, "dy", a.dx, a.lddx, "dx");
    check_in_place(a.dy, a.lddy, "dy", a.dz, a.lddz, "dz");

    // Without an activation dz is a copy of dy: any y will do with a gradient of 1.
    const float* y = linear ? (a.dz ? a.dy : nullptr) : a.y;
    Multiplication call{.m = m,
                        .rows = {.src = a.dy,
                                 .ld = a.lddy,
                                 .y = y,
                                 .ldy = linear ? a.lddy : a.ldy,
                                 .gradient = gradient_of(a.activation),
                                 .dz = a.dz,
                                 .lddz = a.lddz},
                        .epilogue = {.identity_scale = delta->header.identity_scale,
                                     .activation = kIdentityActivation,
                                     .y = a.dx,
                                     .ldy = a.lddx},
                        .workspace = {a.workspace, a.workspace_bytes}};
    if (!a.dx) return activation_backward(*context, m, n, call.rows);
    delta->packed.backward->multiply(*context, call);
  });
}

idelta_status idelta_backward_weights(const idelta_context* context, const idelta_backward_weights_args* args) {
  return guarded(__func__, [&] {
    check_context(context);
    const Given given(args, "args");
    const idelta_backward_weights_args& a = *given;
    check_rows(a.m);
    check_width(a.n, a.m);
    check_matrix(a.x, "x", a.m, a.ldx, "ldx", a.n);
    check_matrix(a.dz, "dz", a.m, a.lddz, "lddz", a.n);
    check_finite(a.beta, "beta");
    const int64_t planes = gradient_planes(*context, a.format, "format");
    if (!a.dD && !a.db) {
      if (a.m == 0) return;
      invalid("dD and db are both null: nothing is wanted");
    }
    if (a.dD) check_matrix(a.dD, "dD", a.n, a.lddD, "lddD", a.n);

    backward_weights(*context, {a.m, a.n, a.x, a.ldx, a.dz, a.lddz, planes}, a.beta, a.dD, a.lddD, a.db,
                     {a.workspace, a.workspace_bytes});
  });
}

idelta_status idelta_update(const idelta_context* context, idelta_delta* delta, const idelta_update_args* args) {
  return guarded(__func__, [&] {
    check_context(context);
    check_delta(*context, delta, {});
    const Given given(args, "args");
    const idelta_update_args& a = *given;
    const int64_t m = a.m, n = delta->header.n;
    check_rows(m);
    check_width(n, m);
    check_order(a.order);
    const int64_t planes = gradient_planes(*context, a.gradient_format, "gradient_format");
    const Given optimizer(a.optimizer, "optimizer");
    check_optimizer(*optimizer);
    if (m == 0) return;
    check_matrix(a.x, "x", m, a.ldx, "ldx", n);
    check_matrix(a.dz, "dz", m, a.lddz, "lddz", n);
    check_master(a, *delta);
    check_states(a, find_optimizer((*optimizer).kind)->state_arrays);

    update(*context, *delta, {m, n, a.x, a.ldx, a.dz, a.lddz, planes}, *optimizer,
           {.order = a.order,
            .D = a.D,
            .ldd = a.ldd,
            .state = {a.state[0], a.state[1]},
            .bias = a.bias,
            .bias_state = {a.bias_state[0], a.bias_state[1]}},
           {a.workspace, a.workspace_bytes});
  });
}

idelta_status idelta_forward_workspace_bytes(const idelta_context* context, const idelta_delta* delta, int64_t m,
                                             size_t* bytes) {
  return guarded(__func__, [&] {
    answer_for_delta(context, delta, IDELTA_PASS_FORWARD, bytes, m,
                     [m](const idelta_context& c, const idelta_delta& d) { return bytes_of(c, *d.packed.forward, m); });
  });
}

idelta_status idelta_backward_data_workspace_bytes(const idelta_context* context, const idelta_delta* delta, int64_t m,
                                                   size_t* bytes) {
  return guarded(__func__, [&] {
    answer_for_delta(context, delta, {}, bytes, m, [m](const idelta_context& c, const idelta_delta& d) {
      return bytes_of(c, d.packed.backward ? *d.packed.backward : d.packed.any(), m);
    });
  });
}

idelta_status idelta_backward_weights_workspace_bytes(const idelta_context* context, int64_t m, int64_t n,
                                                      size_t* bytes) {
  return guarded(__func__, [&] {
    check_context(context);
    answer(bytes, m, n, [&] { return weights_workspace_bytes(*context, m, n); });
  });
}

idelta_status idelta_update_workspace_bytes(const idelta_context* context, const idelta_delta* delta, int64_t m,
                                            size_t* bytes) {
  return guarded(__func__, [&] {
    answer_for_delta(context, delta, {}, bytes, m, [m](const idelta_context& c, const idelta_delta& d) {
      return update_workspace_bytes(c, m, d.header.n);
    });
  });
}

idelta_status idelta_sidmm(const idelta_context* context, int32_t transposed, int64_t m, int64_t n, float alpha,
                           float identity_scale, const float* x, int64_t ldx, const float* D, int64_t ldd, float beta,
                           float* y, int64_t ldy) {
  return guarded(__func__, [&] {
    check_context(context);
    check_rows(m);
    check_width(n, m);
    if (m == 0) return;
    if (alpha != 0) {
      check_matrix(x, "x", m, ldx, "ldx", n);
      check_matrix(D, "D", n, ldd, "ldd", n);
    }
    check_matrix(y, "y", m, ldy, "ldy", n);
    sidmm(*context, {m, n, alpha, identity_scale, x, ldx, {D, ldd, transposed != 0}, beta, y, ldy});
  });
}

idelta_status idelta_sidmv(const idelta_context* context, int32_t transposed, int64_t n, float alpha,
                           float identity_scale, const float* x, int64_t incx, const float* D, int64_t ldd, float beta,
                           float* y, int64_t incy) {
  return guarded(__func__, [&] {
    check_context(context);
    check_width(n);
    check_pointer(y, "y");
    if (incx == 0) invalid("incx = 0; it is the distance between elements of x");
    if (incy == 0) invalid("incy = 0; it is the distance between elements of y");
    if (alpha != 0) {
      check_pointer(x, "x");
      check_matrix(D, "D", n, ldd, "ldd", n);
    }
    const auto first = [n](int64_t inc) { return inc > 0 ? 0 : (1 - n) * inc; };  // as in BLAS
    if (alpha != 0) x += first(incx);
    sidmv(*context, {n, alpha, identity_scale, x, incx, {D, ldd, transposed != 0}, beta, y + first(incy), incy});
  });
}

}  // extern "C"
