#include "src/core/formats/panel_operator.h"

#include <algorithm>
#include <limits>

#include "src/core/formats/spectral.h"

namespace idelta::core {
namespace {

// The scalar ISA takes seconds for the tight bound at n = 1000 and does without.
double norm_bound(const idelta_context& context, int64_t rows, int64_t cols, const std::vector<float>& A) {
  if (context.isa != IDELTA_ISA_SCALAR) return spectral_bound(context, rows, cols, A);
  return std::min(frobenius(A), absolute_spectral_bounds(rows, cols, A.data()).upper);
}

}  // namespace

std::vector<float> PanelOperator::all_of(float (Panels::*at)(int64_t k, int64_t j) const) const {
  std::vector<float> all(static_cast<size_t>(k() * cols()));
  for (int64_t i = 0; i < k(); ++i) {
    for (int64_t j = 0; j < cols(); ++j) all[static_cast<size_t>(i * cols() + j)] = (panels_.*at)(i, j);
  }
  return all;
}

double PanelOperator::zero_share() const {
  int64_t used = 0;
  for (int64_t p = 0; p < panels_.count(); ++p) used += panels_.used(p).size();
  const int64_t all = panels_.count() * k();
  return all == 0 ? 0 : 1.0 - static_cast<double>(used) / static_cast<double>(all);
}

// Without B: a rounding errs by at most half a unit in the last place of its result.
Norms PanelOperator::norms(const idelta_context& context, const float* B) const {
  std::vector<float> values = this->values(context);
  const std::vector<float> low = low_values();
  Norms norms{.stored = 0,
              .values = needs_norm_of_values() ? norm_bound(context, k(), cols(), values)
                                               : std::numeric_limits<double>::infinity(),
              .second = low.empty() ? 0 : norm_bound(context, k(), cols(), low)};
  if (!B) {
    const std::vector<float>& rounded_last = low.empty() ? values : low;
    norms.stored = kBf16HalfUlp * absolute_spectral_bounds(k(), cols(), rounded_last.data()).upper;
    return norms;
  }
  for (size_t i = 0; i < values.size(); ++i) values[i] = B[i] - values[i];  // exact
  norms.stored = norm_bound(context, k(), cols(), values);
  return norms;
}

RowBound PanelOperator::row_bound(const idelta_context& context, const Norms& norms, float identity_scale) const {
  return row_bound_of_dense(k(), error(context, norms), frobenius(values(context)), identity_scale);
}

void measure(const idelta_context& context, Packed& packed, int64_t n, const MatrixView& D) {
  const std::vector<float> given = dense(packed.forward ? D : D.transpose(), n, n);
  packed.norms = packed.any().norms(context, given.data());
  packed.norms_of_backward.reset();
  if (!packed.forward || !packed.backward || !packed.backward->has_own_values()) return;
  packed.norms_of_backward = packed.backward->norms(context, transposed(given, n, n).data());
}

}  // namespace idelta::core
