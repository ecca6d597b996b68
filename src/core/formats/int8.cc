#include "src/core/formats/int8.h"

#include <string>

#include "src/core/base/error.h"
#include "src/core/formats/spectral.h"

namespace idelta::core {
namespace {

Packed pack_int8(const idelta_context& context, int64_t n, const MatrixView& D, const PackOptions& options) {
  check_integers(n);
  check_finite("D", {D.data, D.ld}, n, n, "format int8 needs finite entries");
  return pack_panel_operators<Int8Operator, true>(context, n, D, options);
}

}  // namespace

Int8Operator::Int8Operator(const idelta_context& context, const MatrixView& B, int64_t k, int64_t cols,
                           const float* given_scales)
    : PanelOperator(context, B, k, cols, PanelShape::of(context.kernels.int8_dot), given_scales) {}

double Int8Operator::norm(const idelta_context& context) const {
  return spectral_bound(context, k(), cols(), values(context)) + rounding(context);
}

double Int8Operator::rounding(const idelta_context& context) const { return kUnit * frobenius(values(context)); }

// The difference from values() is rounded where B is near s / 2, by u of it, which is less than values() themselves.
Norms Int8Operator::norms(const idelta_context& context, const float* B) const {
  std::vector<float> rest = values(context);
  for (size_t i = 0; i < rest.size(); ++i) rest[i] = B[i] - rest[i];
  return {.stored = spectral_bound(context, k(), cols(), rest) + 2 * rounding(context),
          .values = norm(context),
          .second = 0};
}

ErrorTerms Int8Operator::error(const idelta_context& /*context*/, const Norms& norms) const {
  ErrorTerms terms = error_of_integers(k(), norms.values);
  terms.stored = norms.stored;
  return terms;
}

void check_integers(int64_t n) {
  constexpr int64_t kMost = INT32_MAX / (kActivationZero * kMostWeight);
  if (n <= kMost) return;
  throw Failure(IDELTA_INVALID_ARGUMENT, "n = " + std::to_string(n) + " is beyond " + std::to_string(kMost) +
                                             ", up to which sums of int8 fit into 32 bits; pack it as f32 or bf16");
}

const Format kInt8 = {.id = IDELTA_FORMAT_INT8,
                      .name = "int8",
                      .runs = [](const idelta_context&) { return true; },
                      .gradient_planes = -1,
                      .pack = pack_int8,
                      .steps = [](const idelta_context& context, const ProductSize& size, int64_t /*rank*/,
                                  idelta_tail /*tail*/) { return integers_steps(context, size); }};

}  // namespace idelta::core
