// Lanczos' iteration proposes t. A Cholesky factorisation of t I - S that completes proves it. A t that is too low
// costs only time.
//
// The proof (Rump, Verification of positive definiteness, BIT 2006). Let T be t I - S as computed and R the computed
// factor. Then |T - R^T R| <= gamma(n + 1) |R|^T |R| with u = 2^-53, in any order of the sums (Higham, Accuracy and
// Stability, 10.3), so that || T - R^T R ||_2 <= gamma(n + 1) ||R||_F^2 <= 2 gamma(n + 1) trace T. R^T R has no
// negative eigenvalue, and the diagonal of T is off by u of itself, which is at most u trace T. Therefore
//   lambda_max(S) <= t + (n + 2) 2^-51 trace T.
// 2^-800 pays for what underflows, where no entry of S exceeds 2^300.
#include "src/core/formats/largest_eigenvalue.h"

#include <algorithm>
#include <cmath>

#include "src/core/formats/thin_matrix.h"

namespace idelta::core {
namespace {

double dot(const double* a, const double* b, int64_t count) {
  return sum_of(count, [&](int64_t j) { return a[j] * b[j]; });
}

// A fixed vector that is unlikely to be orthogonal to the leading eigenvector, with the same bits everywhere.
std::vector<double> start_of(int64_t n) {
  constexpr double kGoldenRatio = 0.61803398874989485;
  std::vector<double> v(static_cast<size_t>(n));
  for (int64_t j = 0; j < n; ++j) {
    const double turns = kGoldenRatio * static_cast<double>(j + 1) * static_cast<double>(j + 1);
    v[static_cast<size_t>(j)] = turns - std::floor(turns) - 0.4;  // none is zero
  }
  const double size = std::sqrt(dot(v.data(), v.data(), n));
  for (double& x : v) x /= size;
  return v;
}

// Lanczos' estimate of the largest eigenvalue of S. Within `distance` of it S has an eigenvalue, usually the largest.
// Where eigenvalues crowd, kNear of the spectrum's width is a closer guess.
struct Estimate {
  double largest, distance;
};

Estimate lanczos(int64_t n, const std::vector<double>& S) {
  constexpr int64_t kSteps = 40;
  constexpr double kNear = 0.004;
  const auto size = static_cast<size_t>(n);
  const int64_t most = std::min(n, kSteps);
  std::vector<double> v = start_of(n), before(size), next(size);
  Thin tridiagonal(most, most);
  int64_t steps = 0;
  double beta = 0;
  for (;;) {
    for (size_t i = 0; i < size; ++i) next[i] = dot(S.data() + i * size, v.data(), n);
    const double alpha = dot(next.data(), v.data(), n);
    tridiagonal.row(steps)[steps] = alpha;
    for (size_t i = 0; i < size; ++i) next[i] -= alpha * v[i] + beta * before[i];
    beta = std::sqrt(dot(next.data(), next.data(), n));
    if (++steps == most || !(beta > 0)) break;
    tridiagonal.row(steps)[steps - 1] = tridiagonal.row(steps - 1)[steps] = beta;
    for (double& x : next) x /= beta;
    before.swap(v), v.swap(next);
  }
  Thin leading(steps, steps);
  for (int64_t i = 0; i < steps; ++i) std::copy_n(tridiagonal.row(i), steps, leading.row(i));
  const Eigen eigen = symmetric_eigen(std::move(leading));
  const double largest = eigen.values.front(), width = largest - eigen.values.back();
  return {largest, std::min(kNear * width, beta * std::fabs(eigen.vectors.row(steps - 1)[0]))};
}

constexpr int64_t kTogether = 8;  // rows of the factor that are subtracted at once: 8 loads for each store

// row -= sum_p rows[p][i] rows[p], from column i on; the row stride is n.
void subtract(const double* __restrict rows, int64_t n, int64_t i, double* __restrict row) {
  double factor[kTogether];
  for (int64_t p = 0; p < kTogether; ++p) factor[p] = rows[p * n + i];
  for (int64_t j = i; j < n; ++j) {
    double sum = row[j];
    for (int64_t p = 0; p < kTogether; ++p) sum -= factor[p] * rows[p * n + j];
    row[j] = sum;
  }
}

// Rows [begin, end) of the factor; the rows before them are already subtracted.
bool factor_rows(double* T, int64_t n, int64_t begin, int64_t end) {
  for (int64_t k = begin; k < end; ++k) {
    double* const row = T + k * n;
    for (int64_t p = begin; p < k; ++p) {
      const double* const above = T + p * n;
      const double factor = above[k];
      for (int64_t j = k; j < n; ++j) row[j] -= factor * above[j];
    }
    if (!(row[k] > 0)) return false;
    const double pivot = std::sqrt(row[k]);
    for (int64_t j = k; j < n; ++j) row[j] /= pivot;
  }
  return true;
}

// Factorises T = R^T R (n x n, in its upper triangle); returns whether that completes. Each element's sum goes by rows
// in order, whatever the number of threads.
bool cholesky_completes(const idelta_context& context, int64_t n, double* T) {
  constexpr int64_t kBlock = 4 * kTogether;
  constexpr double kCost = 8;  // of a multiply-add here, in multiply-adds of the kernels
  const int64_t tasks = context.parallel.threads();
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = std::min(begin + kBlock, n), left = n - end;
    if (!factor_rows(T, n, begin, end)) return false;
    if (left == 0) break;
    const double work = kCost * 0.5 * static_cast<double>(left) * static_cast<double>(left) * kBlock;
    context.parallel.run(tasks, work, [&](int64_t task) {
      for (int64_t i = end + task; i < n; i += tasks) {
        for (int64_t p = begin; p < end; p += kTogether) subtract(T + p * n, n, i, T + i * n);
      }
    });
  }
  return true;
}

}  // namespace

double largest_eigenvalue_bound(const idelta_context& context, int64_t n, const std::vector<double>& S, double near) {
  const double whole = std::sqrt(dot(S.data(), S.data(), n * n)) * (1 + 0x1p-20);
  const Estimate estimate = lanczos(n, S);
  std::vector<double> T(S.size());
  for (double margin = estimate.distance + near;; margin *= 4) {
    const double t = estimate.largest + margin;
    if (!(t < whole)) return whole;
    double trace = 0;
    for (size_t i = 0; i < S.size(); ++i) T[i] = -S[i];
    for (int64_t i = 0; i < n; ++i) trace += T[static_cast<size_t>(i * n + i)] += t;
    if (cholesky_completes(context, n, T.data())) {
      return t + static_cast<double>(n + 2) * 0x1p-51 * trace + 0x1p-800;
    }
  }
}

}  // namespace idelta::core
