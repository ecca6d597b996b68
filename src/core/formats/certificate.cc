// The one proof. With B = D or D^T, x~ what is multiplied of x, B~ what is stored of B, and s the computed sum,
//
//   y^ - y = [x (B~ - B)] + [(x~ - x) B~] + [s - x~ B~] + [fl(a x + s) - (a x + s)]
//
// whose norms are at most ErrorTerms::stored, rounded_rows and, for the last two together, sums + u |a|: the last
// rounding's share of s is one rounding more of each of its terms, its share of a x is u |a| |x|.
//
// The sums are bounded in two ways, of which the smaller is used. Elementwise: the term of step i passes through r_i
// roundings, so that |s - x~ B~| <= |x~| diag(gamma(r_i)) |B~|, whose norm is at most that of the matrix times |x~|.
// Or by norms: the partial sums of an order of reduction are x P B~ with ||P||_2 <= 1. A chain rounds k of them. Tiles
// go by steps of 32 rows of B~: in each, 33 roundings of sums of parts of x_i B~ (two chains of 16, then both), with
// sum |x_i| <= sqrt(steps) |x|; then one of the total.
//
// Integers. x~ = s q with s = fl(h / 127), h = ||x||_inf, and q the integer next to fl(x_i / s), which errs by at most
// 128 u: |x_i - s q_i| <= s (1/2 + 128 u) <= h / 254 (1 + 2^-15), of k entries at most sqrt(k) times that. Their sum
// with a column of B~ = t p, p integers, is exact; then fl(s t), the conversion of the sum, the product and sum of both
// and the last rounding are one rounding each of s t sum, so that
//
//   ||s^ - x~ B~|| <= gamma(4) ||x~ B~|| <= gamma(4) ||B~|| (||x|| + ||x - x~||)
#include "src/core/formats/certificate.h"

#include <algorithm>
#include <cmath>

#include "src/core/formats/spectral.h"

namespace idelta::core {

double certificate(const ErrorTerms& terms, float identity_scale) {
  return terms.stored + terms.rounded_rows + terms.sums + terms.of_largest +
         kUnit * std::fabs(static_cast<double>(identity_scale));
}

Roundings chain_roundings(int64_t k, int64_t least) {
  Roundings roundings{std::vector<double>(static_cast<size_t>(k)), gamma(static_cast<double>(k + least))};
  for (int64_t i = 0; i < k; ++i) {
    roundings.of_step[static_cast<size_t>(i)] = gamma(static_cast<double>(k - i - 1 + least));
  }
  return roundings;
}

Roundings tile_roundings(int64_t k, int64_t products) {
  const double steps = std::ceil(static_cast<double>(k) / 32), sums = static_cast<double>(products) * steps;
  const double within = gamma(33) * std::sqrt(steps), total = gamma(sums + 1);
  return {std::vector<double>(static_cast<size_t>(k), gamma(16 + 1 + sums + 1)), within + total + within * total};
}

ErrorTerms error_of_integers(int64_t k, double norm) {
  constexpr double kRoundings = gamma(4), kHalf = (1 + 0x1p-15) / 254;
  const double of_change = (1 + kRoundings) * norm;
  return {.sums = kRoundings * norm,
          .of_change = of_change,
          .of_largest = kHalf * std::sqrt(static_cast<double>(k)) * of_change};
}

double error_of_sums(int64_t k, int64_t cols, const std::vector<float>& B, const Roundings& roundings, double norm,
                     double size_of_rows) {
  const double elementwise = absolute_spectral_bounds(k, cols, B.data(), roundings.of_step.data()).upper;
  return size_of_rows * std::min(elementwise, roundings.of_norm * norm);
}

double sgemm_error(int64_t n, const std::vector<float>& D, float identity_scale) {
  std::vector<float> W(D);
  for (int64_t i = 0; i < n; ++i) W[static_cast<size_t>(i * n + i)] += identity_scale;
  return absolute_spectral_bounds(n, n, W.data(), chain_roundings(n, 2).of_step.data()).lower;
}

}  // namespace idelta::core
