#include "src/core/formats/f32.h"

#include <limits>

#include "src/core/formats/chain_product.h"

namespace idelta::core {

F32Operator::F32Operator(const idelta_context& context, const MatrixView& B, int64_t k, int64_t cols)
    : PanelOperator(context, B, k, cols, PanelShape::of(context.kernels.f32_forward)) {}

size_t F32Operator::workspace_bytes(const idelta_context& context, int64_t m) const {
  return chains_workspace_bytes(context, context.kernels.f32_forward, m, k(), cols());
}

void F32Operator::multiply(const idelta_context& context, Multiplication& call) const {
  multiply_chains(context, context.kernels.f32_forward, panels(), call);
}

// Nothing is dropped, and only the elementwise bound is used.
Norms F32Operator::norms(const idelta_context& /*context*/, const float* /*B*/) const {
  return {.stored = 0, .values = std::numeric_limits<double>::infinity(), .second = 0};
}

double F32Operator::sums(double norm) const {
  return error_of_sums(k(), cols(), values(), chain_roundings(k(), 2), norm);
}

ErrorTerms F32Operator::error(const idelta_context& /*context*/, const Norms& norms) const {
  return {.sums = sums(norms.values)};
}

const Format kF32 = {.id = IDELTA_FORMAT_F32,
                     .name = "f32",
                     .runs = [](const idelta_context&) { return true; },
                     .exact = true,
                     .trains = true,
                     .pack = pack_panel_operators<F32Operator, false>};

}  // namespace idelta::core
