#include "src/core/certificate.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "src/core/weights.h"

namespace idelta::core {
namespace {

constexpr double kUnit = 0x1p-24;        // of fp32
constexpr double kRounding = 1.0 / 257;  // bf16: |x - rounded(x)| <= 2^-8 / (1 + 2^-8) |x|
constexpr double kHalfUlp = 0x1p-8;      // and <= 2^-8 |rounded(x)|

// k roundings of one term: (1 + u)^k - 1 <= gamma(k).
double gamma(double k) { return k * kUnit / (1 - k * kUnit); }

double frobenius(const std::vector<float>& A) {
  double squares = 0;
  for (const float a : A) squares += static_cast<double>(a) * static_cast<double>(a);
  return std::sqrt(squares);
}

double weight(const double* weights, int64_t i) { return weights ? weights[i] : 1.0; }

// out = (B^T B) v for B = diag(rows) |A| diag(columns); the squared norm of B v.
double apply_gram(int64_t n, const float* A, const double* rows, const double* columns, const std::vector<double>& v,
                  std::vector<double>& out) {
  std::vector<double> scaled(v);
  for (int64_t j = 0; j < n; ++j) scaled[static_cast<size_t>(j)] *= weight(columns, j);
  std::fill(out.begin(), out.end(), 0.0);
  double squares = 0;
  for (int64_t i = 0; i < n; ++i) {
    const float* const a = A + i * n;
    double sums[8] = {};  // side by side, for speed: one chain waits for itself
    int64_t j = 0;
    for (; j + 8 <= n; j += 8) {
      for (int64_t c = 0; c < 8; ++c)
        sums[c] += std::fabs(static_cast<double>(a[j + c])) * scaled[static_cast<size_t>(j + c)];
    }
    for (; j < n; ++j) sums[0] += std::fabs(static_cast<double>(a[j])) * scaled[static_cast<size_t>(j)];
    const double product = weight(rows, i) * std::accumulate(sums, sums + 8, 0.0);
    squares += product * product;
    const double factor = weight(rows, i) * product;
    for (j = 0; j < n; ++j) out[static_cast<size_t>(j)] += factor * std::fabs(static_cast<double>(a[j]));
  }
  for (int64_t j = 0; j < n; ++j) out[static_cast<size_t>(j)] *= weight(columns, j);
  return squares;
}

// Roundings that the term of reduction step i may pass through, the last one, of a x + sum, among them.
std::vector<double> roundings(const StoredDelta& delta) {
  std::vector<double> weights(static_cast<size_t>(delta.n));
  const double products = delta.low.empty() ? 1 : 3;
  for (int64_t i = 0; i < delta.n; ++i) {
    const double left = static_cast<double>(delta.n - i);
    const double steps = products * std::ceil(static_cast<double>(delta.n) / 32);
    weights[static_cast<size_t>(i)] = gamma(delta.arithmetic == Arithmetic::kChain      ? left + 1
                                            : delta.arithmetic == Arithmetic::kDotChain ? left + 2
                                                                                        : 16 + 1 + steps + 1);
  }
  return weights;
}

// What sums of terms bounded together by 1 may err by, if the partial sums of an order of reduction are x P B with
// ||P||_2 = 1. A chain rounds n of them. Tiles go by steps of 32 rows of B: in each, 33 roundings of sums of parts of
// x_k B (two chains of 16, then both), with sum |x_k| <= sqrt(steps) |x|; then one of the total.
double error_of_sums(const StoredDelta& delta) {
  const auto n = static_cast<double>(delta.n);
  if (delta.arithmetic != Arithmetic::kTiles) return gamma(n + 2);
  const double steps = std::ceil(n / 32), products = delta.low.empty() ? 1 : 3;
  const double within = gamma(33) * std::sqrt(steps), total = gamma(products * steps + 1);
  return within + total + within * total;
}

}  // namespace

// Collatz and Wielandt: for a nonnegative matrix M and any positive v, the largest (M v)_j / v_j bounds its spectral
// radius from above, here that of B^T B; Rayleigh's quotient bounds it from below. Every step of the power iteration
// gives a pair of bounds; they meet at the Perron vector. Sums of n nonnegative fp64 terms, twice, and the slack pays
// for their rounding.
Bounds absolute_spectral_bounds(int64_t n, const float* A, const double* rows, const double* columns) {
  constexpr int kSteps = 8;
  constexpr double kClose = 1.01;  // more steps are not worth their time
  constexpr double kFloor = 1e-6;  // v stays positive where A has columns of zeros
  const double slack = 1 + 8 * static_cast<double>(n) * std::numeric_limits<double>::epsilon();
  std::vector<double> v(static_cast<size_t>(n), 1.0), next(v);
  Bounds bounds{0, std::numeric_limits<double>::infinity()};
  for (int step = 0; step < kSteps; ++step) {
    double size = 0, largest = 0, ratio = 0;
    for (const double x : v) size += x * x;
    const double squares = apply_gram(n, A, rows, columns, v, next);
    if (!std::isfinite(squares)) return {squares, squares};
    for (size_t j = 0; j < v.size(); ++j) {
      ratio = std::max(ratio, next[j] / v[j]);
      largest = std::max(largest, next[j]);
    }
    bounds.lower = std::max(bounds.lower, std::sqrt(squares / size) / slack);
    bounds.upper = std::min(bounds.upper, std::sqrt(ratio) * slack);
    if (largest == 0 || bounds.upper < kClose * bounds.lower) break;
    for (size_t j = 0; j < v.size(); ++j) v[j] = std::max(next[j] / largest, kFloor);
  }
  return bounds;
}

// ||A||_2^2 = ||A^T A||_2 <= || |A^T A| ||_2: signs cancel within A^T A as they do not within |A|, so for n x n random
// entries this is n^(1/4) / 2 too large where || |A| ||_2 and ||A||_F are sqrt(n) / 2. The product is made by
// backward_weights in fp32: off by at most gamma(n) |A|^T |A|, whose norm is at most ||A||_F^2, and by what underflows,
// at most 2^-126 a term, A being scaled to 1. The scalar ISA, for which n^3 takes seconds at n = 1000, goes without.
double spectral_bound(const idelta_context& context, int64_t n, const std::vector<float>& A) {
  float largest = 0;
  for (const float a : A) largest = std::max(largest, std::fabs(a));
  const double whole = frobenius(A);
  if (!std::isfinite(whole) || largest == 0) return whole;
  if (context.isa == IDELTA_ISA_SCALAR) return std::min(whole, absolute_spectral_bounds(n, A.data()).upper);
  const double scale = std::ldexp(1.0, -std::ilogb(largest));
  std::vector<float> scaled(A.size()), gram(A.size());
  std::transform(A.begin(), A.end(), scaled.begin(),
                 [&](float a) { return static_cast<float>(static_cast<double>(a) * scale); });
  backward_weights(context, {n, n, scaled.data(), n, scaled.data(), n}, 0.0f, gram.data(), n, nullptr, {});
  const double size = static_cast<double>(n), squared = whole * scale * whole * scale;
  const double rounding = gamma(size) * squared + size * size * 0x1p-126;
  return std::min(whole, std::sqrt(absolute_spectral_bounds(n, gram.data()).upper + rounding) / scale);
}

StoredDelta stored_delta(const idelta_context& context, int64_t n, idelta_format format, const std::vector<float>& D) {
  StoredDelta delta{.n = n, .arithmetic = arithmetic_of(context, format), .values = D, .low = {}};
  if (format == IDELTA_FORMAT_F32) return delta;
  const int64_t padded = round_up(n, kPairLine);
  std::vector<uint16_t> hi(static_cast<size_t>(padded)), lo(hi);
  const auto widened = [](uint16_t half) { return std::bit_cast<float>(uint32_t{half} << 16); };
  const bool split = format == IDELTA_FORMAT_BF16X3;
  if (split) delta.low.resize(D.size());
  for (int64_t i = 0; i < n; ++i) {
    context.kernels.bf16_round_rows({.rows = 1,
                                     .cols = n,
                                     .src = D.data() + i * n,
                                     .ld = n,
                                     .hi = hi.data(),
                                     .lo = split ? lo.data() : nullptr,
                                     .ldr = padded});
    for (int64_t j = 0; j < n; ++j) {
      const auto at = static_cast<size_t>(i * n + j), column = static_cast<size_t>(j);
      delta.values[at] = widened(hi[column]);
      if (split) delta.values[at] += delta.low[at] = widened(lo[column]);  // exact: no finer than D's last place
    }
  }
  return delta;
}

StoredNorms stored_norms(const idelta_context& context, const StoredDelta& delta, const std::vector<float>& D) {
  StoredNorms norms{spectral_bound(context, delta.n, delta.values), 0, 0};
  if (!delta.low.empty()) norms.low = spectral_bound(context, delta.n, delta.low);
  std::vector<float> error(D);
  for (size_t i = 0; i < D.size(); ++i) error[i] -= delta.values[i];  // exact
  norms.error = spectral_bound(context, delta.n, error);
  return norms;
}

StoredNorms stored_norms(const idelta_context& context, const StoredDelta& delta) {
  StoredNorms norms{spectral_bound(context, delta.n, delta.values), 0, 0};
  const std::vector<float>& last = delta.low.empty() ? delta.values : delta.low;  // what was rounded last
  if (!delta.low.empty()) norms.low = spectral_bound(context, delta.n, delta.low);
  norms.error = kHalfUlp * absolute_spectral_bounds(delta.n, last.data()).upper;
  return norms;
}

// With B = D or D^T, x D~ computed as s, and t = the roundings of the sum:
//
//   |y^ - y| <= |x (B - B~)| + |(x - x~) B~| + (s's own error) + u |a x + s|
//
// s's own error, from above in two ways, of which the lesser counts: elementwise |x| diag(gamma(t_i)) |B~|; or as in
// error_of_sums(), times ||B~||_2, of which a split takes ||B_hi|| + ||B_lo|| <= ||B~|| + 2 ||B_lo||. The last
// rounding's share of s is one more of either; its share of a x is u |a|. BF16X3 leaves out x_lo B_lo, |x_lo| <= (1 +
// 1/257) / 257 |x|, and what is below x_lo, |x| / 257^2.
Certificates certificates_of(const StoredDelta& delta, const StoredNorms& norms, float identity_scale) {
  const bool rounds_x = delta.arithmetic != Arithmetic::kChain, split = !delta.low.empty();
  const double rounding_of_x = !rounds_x ? 0
                               : split ? kRounding * kRounding * norms.values + kRounding * (1 + kRounding) * norms.low
                                       : kRounding * norms.values;
  // Of |x_hi| or |x_hi| + |x_lo| against |x|.
  const double size_of_x = rounds_x ? 1 + 3 * kRounding : 1;
  const std::vector<double> weights = roundings(delta);
  const double by_norm = error_of_sums(delta) * (norms.values + 2 * norms.low);
  const auto total = [&](const double* rows, const double* columns) {
    const double elementwise = absolute_spectral_bounds(delta.n, delta.values.data(), rows, columns).upper;
    return norms.error + rounding_of_x + size_of_x * std::min(elementwise, by_norm) +
           kUnit * std::fabs(static_cast<double>(identity_scale));
  };
  return {total(weights.data(), nullptr), total(nullptr, weights.data())};
}

double sgemm_error(int64_t n, const std::vector<float>& D, float identity_scale) {
  StoredDelta W{.n = n, .arithmetic = Arithmetic::kChain, .values = D, .low = {}};
  for (int64_t i = 0; i < n; ++i) W.values[static_cast<size_t>(i * n + i)] += identity_scale;
  return absolute_spectral_bounds(n, W.values.data(), roundings(W).data()).lower;
}

}  // namespace idelta::core
