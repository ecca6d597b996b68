// Singular values through LAPACKE.
#include "norms.h"

#include <lapacke.h>

#include <algorithm>
#include <cmath>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "error.h"

namespace idelta::nn {
namespace {

// Keeps the LAPACK calls of this thread on this thread. Half of a bidiagonalisation is matrix-vector products with a
// barrier after each: n = 794 takes 0.2 s on one thread and, where other programs want the cores too, 1 to 18 s on two
// (Xeon, 2 cores, load 5, OpenBLAS 0.3.21 with OpenMP).
class OneThread {
 public:
#ifdef _OPENMP
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }

 private:
  int before_;
#else
  OneThread() {}
#endif
};

}  // namespace

double frobenius_norm(std::span<const float> matrix) {
  double sum = 0;
  for (const float v : matrix) sum += static_cast<double>(v) * v;
  return std::sqrt(sum);
}

double spectral_norm(std::span<const float> matrix, int64_t n) {
  if (!std::all_of(matrix.begin(), matrix.end(), [](float v) { return std::isfinite(v); })) {
    fail("spectral_norm: the matrix holds a value that is not finite; did training diverge?");
  }
  // Rows and columns of zeros change no singular value but the zeros: the last layer of a trained network keeps only
  // its class columns, the first loses the rows of pixels that are always black.
  std::vector<int64_t> rows, columns;
  std::vector<char> column_used(static_cast<size_t>(n), 0);
  for (int64_t i = 0; i < n; ++i) {
    bool used = false;
    for (int64_t j = 0; j < n; ++j) {
      if (matrix[i * n + j] == 0.0f) continue;
      used = true;
      column_used[j] = 1;
    }
    if (used) rows.push_back(i);
  }
  for (int64_t j = 0; j < n; ++j) {
    if (column_used[j]) columns.push_back(j);
  }
  if (rows.empty()) return 0.0;

  std::vector<float> dense;
  dense.reserve(rows.size() * columns.size());
  for (const int64_t i : rows) {
    for (const int64_t j : columns) dense.push_back(matrix[i * n + j]);
  }
  const auto m = static_cast<lapack_int>(rows.size()), k = static_cast<lapack_int>(columns.size());
  std::vector<float> singular(std::min(rows.size(), columns.size()));
  float unused = 0.0f;
  // Row-major m x k is column-major k x m, which has the same singular values and needs no copy.
  const OneThread serial;
  const lapack_int info =
      LAPACKE_sgesdd(LAPACK_COL_MAJOR, 'N', k, m, dense.data(), k, singular.data(), &unused, k, &unused, m);
  if (info != 0) fail("spectral_norm: LAPACK's sgesdd of a ", m, " x ", k, " matrix returned ", info);
  if (!std::isfinite(singular[0])) {
    fail("spectral_norm: the norm of a ", m, " x ", k, " matrix is larger than a float holds; did training diverge?");
  }
  return singular[0];
}

}  // namespace idelta::nn
