// Spectral norms, bounded with proof.
#ifndef IDELTA_CORE_FORMATS_SPECTRAL_H
#define IDELTA_CORE_FORMATS_SPECTRAL_H

#include <cstdint>
#include <vector>

#include "src/core/context.h"

namespace idelta::core {

inline constexpr double kUnit = 0x1p-24;  // of fp32

// k roundings of one term: (1 + u)^k - 1 <= gamma(k).
constexpr double gamma(double k) { return k * kUnit / (1 - k * kUnit); }

double frobenius(const std::vector<float>& A);  // denormals counted

// Bounds of || diag(weights) |A| ||_2; A is rows x cols, row-major without gaps. Null weights are ones.
struct Bounds {
  double lower, upper;
};
Bounds absolute_spectral_bounds(int64_t rows, int64_t cols, const float* A, const double* weights = nullptr);

// An upper bound of || a I + A ||_2; A is square unless a = 0. Within 1 % of the norm up to n = 1000 or so, unless a I
// and A cancel. Never above |a| + the bound of ||A||_2. Not finite if A is not.
double spectral_bound(const idelta_context& context, int64_t rows, int64_t cols, const std::vector<float>& A,
                      float identity_scale = 0);

struct MatrixNorms {
  double spectral, frobenius;
};
// Bounds the Frobenius norm of the error of A B by chains of k roundings in fp32, without underflow.
double rounding_of_product(int64_t k, const MatrixNorms& A, const MatrixNorms& B);

// An upper bound of ||U^T U - I||_2 for U (n x r), nearly as tight as fp64.
double departure_from_orthonormal(int64_t n, int64_t r, const std::vector<float>& U);

// An upper bound of ||U^T E||_2 for U (n x r) and E (n x n), as tight as products in fp32.
struct Normed {
  const std::vector<float>& values;
  double norm;  // spectral, from above
};
double overlap_bound(const idelta_context& context, int64_t n, int64_t r, const Normed& U, const Normed& E);

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_SPECTRAL_H
