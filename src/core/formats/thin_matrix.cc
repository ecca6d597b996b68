#include "src/core/formats/thin_matrix.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace idelta::core {
namespace {

double squared_norm_of_column(const Thin& A, int64_t j) {
  double squares = 0;
  for (int64_t i = 0; i < A.rows; ++i) squares += A.row(i)[j] * A.row(i)[j];
  return squares;
}

// Makes the columns after j orthogonal to column j. Goes by rows, which are contiguous.
void project_out(Thin& A, int64_t j, std::vector<double>& dots) {
  std::fill(dots.begin(), dots.end(), 0.0);
  for (int64_t i = 0; i < A.rows; ++i) {
    const double* const row = A.row(i);
    for (int64_t c = j + 1; c < A.cols; ++c) dots[static_cast<size_t>(c)] += row[j] * row[c];
  }
  for (int64_t i = 0; i < A.rows; ++i) {
    double* const row = A.row(i);
    for (int64_t c = j + 1; c < A.cols; ++c) row[c] -= row[j] * dots[static_cast<size_t>(c)];
  }
}

void keep_columns(Thin& A, const std::vector<int64_t>& kept) {
  if (static_cast<int64_t>(kept.size()) == A.cols) return;
  Thin fewer(A.rows, static_cast<int64_t>(kept.size()));
  for (int64_t i = 0; i < A.rows; ++i) {
    for (size_t c = 0; c < kept.size(); ++c) fewer.row(i)[c] = A.row(i)[kept[c]];
  }
  A = std::move(fewer);
}

void gram_schmidt(Thin& A) {
  constexpr double kDependent = 1e-26;  // of the squared norm: less is rounding
  std::vector<double> before(static_cast<size_t>(A.cols)), dots(before);
  for (int64_t j = 0; j < A.cols; ++j) before[static_cast<size_t>(j)] = squared_norm_of_column(A, j);
  std::vector<int64_t> kept;
  for (int64_t j = 0; j < A.cols; ++j) {
    const double squares = squared_norm_of_column(A, j);
    const bool dependent = !(squares > kDependent * before[static_cast<size_t>(j)]);
    const double scale = dependent ? 0 : 1 / std::sqrt(squares);
    for (int64_t i = 0; i < A.rows; ++i) A.row(i)[j] *= scale;
    if (dependent) continue;
    kept.push_back(j);
    project_out(A, j, dots);
  }
  keep_columns(A, kept);
}

// A rotation in the plane of rows p and q.
struct Rotation {
  double c, s;

  void apply(double* p, double* q, int64_t count) const {
    for (int64_t i = 0; i < count; ++i) {
      const double a = p[i], b = q[i];
      p[i] = c * a - s * b;
      q[i] = s * a + c * b;
    }
  }
};

// Makes entry (p, q) zero (Golub & Van Loan, Matrix Computations, 8.5).
Rotation rotation_for(const Thin& A, int64_t p, int64_t q) {
  const double tau = (A.row(q)[q] - A.row(p)[p]) / (2 * A.row(p)[q]);
  const double t = (tau >= 0 ? 1.0 : -1.0) / (std::fabs(tau) + std::sqrt(1 + tau * tau));
  const double c = 1 / std::sqrt(1 + t * t);
  return {c, t * c};
}

}  // namespace

Thin Thin::transpose() const {
  Thin t(cols, rows);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < cols; ++j) t.row(j)[i] = row(i)[j];
  }
  return t;
}

Thin Thin::first_columns(int64_t count) const {
  Thin first(rows, count);
  for (int64_t i = 0; i < rows; ++i) std::copy_n(row(i), count, first.row(i));
  return first;
}

Thin multiply(const Thin& A, const Thin& B) {
  Thin C(A.rows, B.cols);
  for (int64_t i = 0; i < A.rows; ++i) {
    for (int64_t p = 0; p < A.cols; ++p) {
      const double a = A.row(i)[p];
      const double* const b = B.row(p);
      double* const c = C.row(i);
      for (int64_t j = 0; j < B.cols; ++j) c[j] += a * b[j];
    }
  }
  return C;
}

void orthonormalise(Thin& A) {
  gram_schmidt(A);
  gram_schmidt(A);
}

Eigen symmetric_eigen(Thin A) {
  constexpr int kSweeps = 30;  // eight are enough as a rule
  constexpr double kSmall = 1e-15;
  const int64_t n = A.rows;
  Thin V(n, n);  // rows are eigenvectors
  for (int64_t i = 0; i < n; ++i) V.row(i)[i] = 1;
  double squares = 0;
  for (const double a : A.values) squares += a * a;
  const double small = kSmall * std::sqrt(squares);
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    bool rotated = false;
    for (int64_t p = 0; p < n; ++p) {
      for (int64_t q = p + 1; q < n; ++q) {
        if (!(std::fabs(A.row(p)[q]) > small)) continue;
        rotated = true;
        const Rotation rotation = rotation_for(A, p, q);
        rotation.apply(A.row(p), A.row(q), n);
        for (int64_t i = 0; i < n; ++i) rotation.apply(A.row(i) + p, A.row(i) + q, 1);
        rotation.apply(V.row(p), V.row(q), n);
      }
    }
    if (!rotated) break;
  }
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return A.row(a)[a] > A.row(b)[b]; });
  Eigen eigen{std::vector<double>(order.size()), Thin(n, n)};
  for (int64_t j = 0; j < n; ++j) {
    const int64_t from = order[static_cast<size_t>(j)];
    eigen.values[static_cast<size_t>(j)] = A.row(from)[from];
    for (int64_t i = 0; i < n; ++i) eigen.vectors.row(i)[j] = V.row(from)[i];
  }
  return eigen;
}

}  // namespace idelta::core
