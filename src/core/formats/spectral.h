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

// || diag(weights) |A| ||_2 of A rows x cols, row-major without gaps, from below and above; null weights are ones.
struct Bounds {
  double lower, upper;
};
Bounds absolute_spectral_bounds(int64_t rows, int64_t cols, const float* A, const double* weights = nullptr);

// || a I + A ||_2 from above, A square unless a = 0: within 1 % of the norm, up to n = 1000 or so and where a I and A
// do not cancel. Never above |a| + the bound of ||A||_2. Not finite if A is not.
double spectral_bound(const idelta_context& context, int64_t rows, int64_t cols, const std::vector<float>& A,
                      float identity_scale = 0);

struct MatrixNorms {
  double spectral, frobenius;
};
// How far A B, by chains of k roundings in fp32, is off at most: its Frobenius norm, without what underflows.
double rounding_of_product(int64_t k, const MatrixNorms& A, const MatrixNorms& B);

// ||U^T U - I||_2 of U (n x r) from above, nearly as tight as fp64 is.
double departure_from_orthonormal(int64_t n, int64_t r, const std::vector<float>& U);

// ||U^T E||_2 of U (n x r) and E (n x n) from above, as tight as products in fp32 are.
struct Normed {
  const std::vector<float>& values;
  double norm;  // spectral, from above
};
double overlap_bound(const idelta_context& context, int64_t n, int64_t r, const Normed& U, const Normed& E);

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_SPECTRAL_H
