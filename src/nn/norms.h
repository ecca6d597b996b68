// Norms, singular values and singular vectors of a square matrix.
#ifndef IDELTA_NN_NORMS_H
#define IDELTA_NN_NORMS_H

#include <cstdint>
#include <span>
#include <vector>

namespace idelta::nn {

// sqrt of the sum of squares.
double frobenius_norm(std::span<const float> matrix);

// n x n matrix = sum_i values[i] left_i right_i^T.
struct SingularValues {
  std::vector<float> values;       // n, falling
  int64_t vectors = 0;             // how many of those asked for have a value above the roundings of the largest
  std::vector<float> left, right;  // vectors x n, a row a vector: of the matrix' rows, and of its columns
};

// By LAPACK's divide and conquer, with at most so many vectors. An error if an entry or the norm is not finite.
SingularValues singular_values(std::span<const float> matrix, int64_t n, int64_t vectors = 0);

// The largest singular value.
double spectral_norm(std::span<const float> matrix, int64_t n);

// exp of the entropy of the weights as shares of their sum: how many they are, were they equal. Weights below 0 count
// as 0; 0 if all are.
double effective_count(std::span<const double> weights);

}  // namespace idelta::nn

#endif  // IDELTA_NN_NORMS_H
