#include "src/core/formats/spectral.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "src/core/formats/dense_product.h"

namespace idelta::core {
namespace {

// out = (B^T B) v for B = diag(weights) |A|; the squared norm of B v.
double apply_gram(int64_t rows, int64_t cols, const float* A, const double* weights, const std::vector<double>& v,
                  std::vector<double>& out) {
  std::fill(out.begin(), out.end(), 0.0);
  double squares = 0;
  for (int64_t i = 0; i < rows; ++i) {
    const float* const a = A + i * cols;
    const double weight = weights ? weights[i] : 1.0;
    double sums[8] = {};  // side by side, for speed: one chain waits for itself
    int64_t j = 0;
    for (; j + 8 <= cols; j += 8) {
      for (int64_t c = 0; c < 8; ++c)
        sums[c] += std::fabs(static_cast<double>(a[j + c])) * v[static_cast<size_t>(j + c)];
    }
    for (; j < cols; ++j) sums[0] += std::fabs(static_cast<double>(a[j])) * v[static_cast<size_t>(j)];
    const double product = weight * std::accumulate(sums, sums + 8, 0.0);
    squares += product * product;
    const double factor = weight * product;
    for (j = 0; j < cols; ++j) out[static_cast<size_t>(j)] += factor * std::fabs(static_cast<double>(a[j]));
  }
  return squares;
}

}  // namespace

double frobenius(const std::vector<float>& A) {
  double squares = 0;
  for (const float a : A) squares += static_cast<double>(a) * static_cast<double>(a);
  return std::sqrt(squares);
}

// Collatz and Wielandt: for a nonnegative matrix M and any positive v, the largest (M v)_j / v_j bounds its spectral
// radius from above, here that of B^T B; Rayleigh's quotient bounds it from below. Every step of the power iteration
// gives a pair of bounds; they meet at the Perron vector. Sums of so many nonnegative fp64 terms, twice, and the slack
// pays for their rounding.
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

// ||A||_2^2 = ||G||_2 for G = A A^T (or A^T A, if that is smaller), and ||G||_2^2 = ||G^2||_2, G being symmetric: the
// norm of the third square, || |G^8| ||_2, is up to sqrt(n) too large, and its sixteenth root nearly exact. (The norm
// of |A| itself is up to sqrt(n) / 2 too large; that of |G| by n^(1/4) / 2.)
//
// Each product is made by a chain of fp32 of k terms. It is off by at most gamma(k) |A| |A|^T, whose norm is at most
// ||A||_F^2, and by what underflows, at most 2^-125 a term; so ||G||_2 <= || G^ ||_2 + that. The computed G^ is
// symmetric to the bit, for its entries (i, j) and (j, i) are chains of the same products. Scaling keeps entries up to
// 1; what it loses underflows as well.
double spectral_bound(const idelta_context& context, int64_t rows, int64_t cols, const std::vector<float>& A) {
  constexpr int kSquares = 3;
  const double whole = frobenius(A);
  if (!std::isfinite(whole)) return whole;
  if (Scaled(A).zero) return whole;  // kept as it is by those who only copy
  const int64_t n = std::min(rows, cols);
  std::array<double, kSquares + 1> rounding{};
  std::array<int, kSquares + 1> exponent{};
  std::vector<float> G(static_cast<size_t>(n * n));
  for (int square = 0; square <= kSquares; ++square) {
    const Scaled scaled(square == 0 ? A : G);
    const int64_t k = square == 0 ? std::max(rows, cols) : n;
    if (square == 0 && rows > cols) {
      const MatrixView given{scaled.values.data(), cols};
      const std::vector<float> transposed = dense(given.transpose(), cols, rows);
      dense_product(context, {n, k, n}, transposed.data(), given, G.data());
    } else {
      dense_product(context, {n, k, n}, scaled.values.data(), MatrixView{scaled.values.data(), k}.transpose(),
                    G.data());
    }
    const double size = frobenius(scaled.values), terms = static_cast<double>(n) * static_cast<double>(k);
    rounding[square] = gamma(static_cast<double>(k)) * size * size + terms * 0x1p-125;
    exponent[square] = scaled.exponent;
  }
  double bound = absolute_spectral_bounds(n, n, G.data()).upper;
  for (int square = kSquares; square >= 0; --square) {
    bound = std::ldexp(std::sqrt(bound + rounding[square]), exponent[square]);
  }
  constexpr double kSlack = 1 + 0x1p-20;  // for sums and roots in fp64
  return std::min(whole, bound) * kSlack;
}

}  // namespace idelta::core
