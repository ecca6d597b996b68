// Singular values through LAPACKE.
#include "norms.h"

#include <lapacke.h>

#include <algorithm>
#include <cmath>

#include "error.h"
#include "finite.h"
#include "lapack_memory.h"
#include "one_thread.h"

namespace idelta::nn {
namespace {

// A matrix without its rows and columns of zeros, which change no singular value but the zeros: the last layer of a
// trained network keeps only its class columns, the first loses the rows of pixels that are always black.
struct Stripped {
  std::vector<int64_t> rows, columns;  // those that are left
  std::vector<float> dense;            // rows x columns

  Stripped(std::span<const float> matrix, int64_t n) {
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
    dense.reserve(rows.size() * columns.size());
    for (const int64_t i : rows) {
      for (const int64_t j : columns) dense.push_back(matrix[i * n + j]);
    }
  }
};

// How many of the first `wanted` values are more than roundings of the first.
int64_t count_above_roundings(const std::vector<float>& values, int64_t wanted) {
  const float least = static_cast<float>(values.size()) * 0x1p-24f * values[0];
  int64_t count = 0;
  while (count < wanted && count < static_cast<int64_t>(values.size()) && values[count] > least) ++count;
  return count;
}

}  // namespace

double frobenius_norm(std::span<const float> matrix) {
  double sum = 0;
  for (const float v : matrix) sum += static_cast<double>(v) * v;
  return std::sqrt(sum);
}

SingularValues singular_values(std::span<const float> matrix, int64_t n, int64_t vectors) {
  if (!all_finite(matrix)) {
    fail("singular_values: the matrix holds a value that is not finite; did training diverge?");
  }
  SingularValues found;
  found.values.resize(static_cast<size_t>(n));
  Stripped part(matrix, n);
  if (part.rows.empty()) return found;

  const size_t rank = std::min(part.rows.size(), part.columns.size());
  const auto m = static_cast<lapack_int>(part.rows.size()), k = static_cast<lapack_int>(part.columns.size()),
             r = static_cast<lapack_int>(rank);
  // Row-major m x k is column-major k x m, the transpose, and needs no copy; its left vectors are our right ones.
  const bool some = vectors > 0;
  std::vector<float> right(some ? part.columns.size() * rank : 1), left(some ? part.rows.size() * rank : 1);
  const OneThread serial;
  const lapack_int info = with_memory(LAPACKE_sgesdd(LAPACK_COL_MAJOR, some ? 'S' : 'N', k, m, part.dense.data(), k,
                                                     found.values.data(), right.data(), k, left.data(), r));
  if (info != 0) fail("singular_values: LAPACK's sgesdd of a ", m, " x ", k, " matrix returned ", info);
  if (!std::isfinite(found.values[0])) {
    fail("singular_values: the norm of a ", m, " x ", k, " matrix is larger than a float holds; did training diverge?");
  }
  found.vectors = count_above_roundings(found.values, vectors);
  found.left.resize(static_cast<size_t>(found.vectors * n));
  found.right.resize(found.left.size());
  for (int64_t v = 0; v < found.vectors; ++v) {
    for (int64_t i = 0; i < m; ++i) found.left[v * n + part.rows[i]] = left[i * r + v];
    for (int64_t j = 0; j < k; ++j) found.right[v * n + part.columns[j]] = right[v * k + j];
  }
  return found;
}

double spectral_norm(std::span<const float> matrix, int64_t n) { return singular_values(matrix, n).values[0]; }

double effective_count(std::span<const double> weights) {
  double sum = 0;
  for (const double w : weights) sum += std::max(w, 0.0);
  if (sum == 0) return 0;
  double entropy = 0;
  for (const double w : weights) {
    if (w > 0) entropy -= w / sum * std::log(w / sum);
  }
  return std::exp(entropy);
}

}  // namespace idelta::nn
