// Norms of a square matrix, in double.
#ifndef IDELTA_NN_NORMS_H
#define IDELTA_NN_NORMS_H

#include <cstdint>
#include <span>

namespace idelta::nn {

// sqrt of the sum of squares.
double frobenius_norm(std::span<const float> matrix);

// The largest singular value of an n x n matrix, from LAPACK's divide and conquer; an error if an entry or
// the norm is not finite.
double spectral_norm(std::span<const float> matrix, int64_t n);

}  // namespace idelta::nn

#endif  // IDELTA_NN_NORMS_H
