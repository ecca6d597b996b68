#include "src/core/formats/f32.h"

#include <limits>

namespace idelta::core {

// Nothing is dropped, and only the elementwise bound is used.
Norms F32Operator::norms(const idelta_context& /*context*/, const float* /*B*/) const {
  return {.stored = 0, .values = std::numeric_limits<double>::infinity(), .second = 0};
}

double F32Operator::sums(const idelta_context& context, double norm, int64_t later) const {
  return error_of_sums(k(), cols(), values(context), chain_roundings(k(), 1 + later), norm);
}

ErrorTerms F32Operator::error(const idelta_context& context, const Norms& norms) const {
  return {.sums = sums(context, norms.values)};
}

const Format kF32 = {
    .id = IDELTA_FORMAT_F32,
    .name = "f32",
    .runs = [](const idelta_context&) { return true; },
    .exact = true,
    .trains = true,
    .pack = pack_panel_operators<F32Operator, false>,
    .steps =
        [](const idelta_context& context, const ProductSize& size, int64_t /*rank*/, idelta_tail /*tail*/) {
          return chains_steps(context, context.kernels.f32_forward, size, /*word_steps=*/1);
        }};

}  // namespace idelta::core
