#include "src/core/formats/spectral.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "src/core/formats/chain_product.h"
#include "src/core/formats/largest_eigenvalue.h"
#include "src/core/formats/matrix.h"
#include "src/core/formats/thin_matrix.h"

namespace idelta::core {
namespace {

constexpr double kSlack = 1 + 0x1p-20;  // for sums and roots in fp64

// out = (B^T B) v for B = diag(weights) |A|. Returns the squared norm of B v.
double apply_gram(int64_t rows, int64_t cols, const float* A, const double* weights, const std::vector<double>& v,
                  std::vector<double>& out) {
  std::fill(out.begin(), out.end(), 0.0);
  double squares = 0;
  for (int64_t i = 0; i < rows; ++i) {
    const float* const a = A + i * cols;
    const double weight = weights ? weights[i] : 1.0;
    const auto size_of = [a](int64_t j) { return std::fabs(static_cast<double>(a[j])); };
    const double product = weight * sum_of(cols, [&](int64_t j) { return size_of(j) * v[static_cast<size_t>(j)]; });
    squares += product * product;
    const double factor = weight * product;
    for (int64_t j = 0; j < cols; ++j) out[static_cast<size_t>(j)] += factor * size_of(j);
  }
  return squares;
}

// Length of a chain in fp32. Longer ones round more, and gain less than 2 ms of 30 at n = 794.
constexpr int64_t kChunk = 64;

// A A^T, or A^T A if that is smaller.
std::vector<double> gram(const idelta_context& context, int64_t rows, int64_t cols, const std::vector<float>& A) {
  const bool tall = rows > cols;
  const int64_t n = std::min(rows, cols), k = std::max(rows, cols);
  std::vector<double> sum(static_cast<size_t>(n * n));
  std::vector<float> product(sum.size());
  for (int64_t begin = 0; begin < k; begin += kChunk) {
    const int64_t count = std::min(kChunk, k - begin);
    const std::vector<float> part = dense({A.data() + begin * (tall ? cols : 1), cols, tall}, n, count);
    dense_product(context, {n, count, n}, part.data(), MatrixView{part.data(), count}.transpose(), product.data());
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(product[i]);
  }
  return sum;
}

// S += scale (A + A^T) / 2.
void add_symmetric_part(int64_t n, double scale, const std::vector<float>& A, std::vector<double>& S) {
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      const size_t lower = static_cast<size_t>(i * n + j), upper = static_cast<size_t>(j * n + i);
      const double part = 0.5 * scale * (static_cast<double>(A[lower]) + static_cast<double>(A[upper]));
      S[lower] += part;
      if (i != j) S[upper] += part;
    }
  }
}

double root(double square) { return std::sqrt(std::max(square, 0.0)); }

}  // namespace

double frobenius(const std::vector<float>& A) {
  double squares = 0;
  for (const float a : A) squares += exact(a) * exact(a);
  return std::sqrt(squares);
}

// Collatz and Wielandt: for a nonnegative matrix M and any positive v, the largest (M v)_j / v_j bounds its spectral
// radius from above, here that of B^T B; Rayleigh's quotient bounds it from below. Every step of the power iteration
// gives a pair of bounds; they meet at the Perron vector. The slack pays for roundings.
Bounds absolute_spectral_bounds(int64_t rows, int64_t cols, const float* A, const double* weights) {
  constexpr int kSteps = 8;
  constexpr double kClose = 1.01;  // more steps are not worth their time
  constexpr double kFloor = 1e-6;  // v stays positive where A has columns of zeros
  const double slack = 1 + 8 * static_cast<double>(rows + cols) * std::numeric_limits<double>::epsilon();
  std::vector<double> v(static_cast<size_t>(cols), 1.0), next(v);
  Bounds bounds{0, std::numeric_limits<double>::infinity()};
  if (rows == 0 || cols == 0) return {0, 0};
  for (int step = 0; step < kSteps; ++step) {
    double size = 0, largest = 0, ratio = 0;
    for (const double x : v) size += x * x;
    const double squares = apply_gram(rows, cols, A, weights, v, next);
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

// W = a I + A: W W^T = a^2 I + S with S = a (A + A^T) + G and G = A A^T (without a also G = A^T A, if that is smaller),
// so that ||W||_2^2 = a^2 + lambda_max(S): neither the identity's flat spectrum nor a negative part of S is in the way.
// Roundings move S, and with it lambda_max, by no more than their norm:
//   G is made of chains of fp32 of k <= kChunk terms, which fp64 adds: |G^ - G| <= gamma(k + 1) |A| |A|^T, whose norm
//   is at most gamma(k + 1) ||A||_F^2; and what underflows is at most 2^-123 a term.
//   The rest is fp64: three roundings of |a| |A + A^T| and of |G|, at most 2^-50 (|a| ||A||_F + ||A||_F^2).
// Scaling keeps entries of A up to 2; what it loses is below 2^-126 an entry, and 2^-125 pays for it.
double spectral_bound(const idelta_context& context, int64_t rows, int64_t cols, const std::vector<float>& A,
                      float identity_scale) {
  const double whole = frobenius(A);
  if (!std::isfinite(whole)) return whole;
  const Scaled scaled(A);
  if (scaled.zero) return (exact(std::fabs(identity_scale)) + whole) * kSlack;
  const double a = std::ldexp(exact(identity_scale), -scaled.exponent), size = frobenius(scaled.values);
  const int64_t n = std::min(rows, cols);
  const double terms = static_cast<double>(rows) * static_cast<double>(cols);
  double rounding = gamma(kChunk + 1) * size * size + terms * 0x1p-123;
  std::vector<double> S = gram(context, rows, cols, scaled.values);
  const double lost = std::sqrt(terms) * 0x1p-125;
  const double of_A = root(largest_eigenvalue_bound(context, n, S, rounding) + rounding);
  double norm = (std::min(size, of_A) + lost) * kSlack;
  if (a != 0) {
    add_symmetric_part(n, 2 * a, scaled.values, S);
    rounding += 0x1p-50 * (std::fabs(a) * size + size * size);
    const double largest = largest_eigenvalue_bound(context, n, S, rounding) + rounding;
    const double rounding_of_sum = 0x1p-50 * (a * a + std::fabs(largest));
    const double of_W = root(a * a + largest + rounding_of_sum);
    norm = std::min((std::fabs(a) + norm) * (1 + 0x1p-50), (of_W + lost) * kSlack);
  }
  return std::ldexp(norm, scaled.exponent);
}

// Each step rounds a partial product of the first columns of A and rows of B, whose Frobenius norm is at most
// ||A||_2 ||B||_F and at most ||A||_F ||B||_2.
double rounding_of_product(int64_t k, const MatrixNorms& A, const MatrixNorms& B) {
  return gamma(static_cast<double>(k)) * std::min(A.spectral * B.frobenius, A.frobenius * B.spectral);
}

// Its Frobenius norm. A sum of n exact products in fp64 errs by n 2^-53 |U|^T |U|, whose norm is at most ||U||_F^2.
double departure_from_orthonormal(int64_t n, int64_t r, const std::vector<float>& values) {
  const Thin U(n, r, values);
  Thin gram = multiply(U.transpose(), U);
  double trace = 0, squares = 0;
  for (int64_t i = 0; i < r; ++i) {
    trace += gram.row(i)[i];
    gram.row(i)[i] -= 1;
  }
  for (const double g : gram.values) squares += g * g;
  return std::sqrt(squares) * kSlack + 0x1p-51 * static_cast<double>(n) * (1 + trace);
}

// E is scaled, so that what underflows is little beside it: below 2^-123 for each of n terms of n r sums.
double overlap_bound(const idelta_context& context, int64_t n, int64_t r, const Normed& U, const Normed& E) {
  const Scaled scaled(E.values);
  if (scaled.zero || r == 0) return U.norm * E.norm;
  const std::vector<float> rows = transposed(U.values, n, r);
  std::vector<float> product(static_cast<size_t>(r * n));
  dense_product(context, {r, n, n}, rows.data(), {scaled.values.data(), n}, product.data());
  const double rounding = rounding_of_product(n + 2, {U.norm, frobenius(U.values)},
                                              {std::ldexp(E.norm, -scaled.exponent), frobenius(scaled.values)});
  const double flushed = static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(r) * 0x1p-123;
  return std::ldexp(spectral_bound(context, r, n, product) + rounding + flushed, scaled.exponent);
}

}  // namespace idelta::core
