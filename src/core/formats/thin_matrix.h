// Dense algebra in fp64 for packing, with a fixed order of sums.
#ifndef IDELTA_CORE_FORMATS_THIN_MATRIX_H
#define IDELTA_CORE_FORMATS_THIN_MATRIX_H

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

namespace idelta::core {

// Row-major without gaps, mostly many rows and few columns.
struct Thin {
  int64_t rows = 0, cols = 0;
  std::vector<double> values;

  Thin() = default;
  Thin(int64_t r, int64_t c) : rows(r), cols(c), values(static_cast<size_t>(r * c)) {}
  Thin(int64_t r, int64_t c, const std::vector<float>& from) : rows(r), cols(c), values(from.begin(), from.end()) {}

  double* row(int64_t i) { return values.data() + i * cols; }
  const double* row(int64_t i) const { return values.data() + i * cols; }
  Thin transpose() const;
  Thin first_columns(int64_t count) const;
  std::vector<float> rounded() const { return {values.begin(), values.end()}; }
};

// term(0) + ... + term(count - 1). Eight chains hide the latency of an addition.
template <class Term>
double sum_of(int64_t count, const Term& term) {
  double sums[8] = {};
  int64_t j = 0;
  for (; j + 8 <= count; j += 8) {
    for (int64_t c = 0; c < 8; ++c) sums[c] += term(j + c);
  }
  for (; j < count; ++j) sums[0] += term(j);
  return std::accumulate(sums, sums + 8, 0.0);
}

Thin multiply(const Thin& A, const Thin& B);

// Replaces the columns by an orthonormal basis of their span (modified Gram-Schmidt, twice). Columns that depend on
// earlier ones are left out.
void orthonormalise(Thin& A);

// Eigenvectors of a symmetric matrix as columns, by descending eigenvalue (cyclic Jacobi).
struct Eigen {
  std::vector<double> values;
  Thin vectors;
};
Eigen symmetric_eigen(Thin A);

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_THIN_MATRIX_H
