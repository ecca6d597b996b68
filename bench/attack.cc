// See attack.h.
#include "bench/attack.h"

#include <algorithm>
#include <cmath>

namespace idelta::bench {

double norm(const Vector& v) {
  double squares = 0.0;
  for (const double value : v) squares += value * value;
  return std::sqrt(squares);
}

namespace {

void normalize(Vector& v) {
  const double length = norm(v);
  for (double& value : v) value /= length > 0.0 ? length : 1.0;
}

}  // namespace

SingularPair leading_pair(int64_t n, const Vector& A) {
  constexpr int kSteps = 40;
  SingularPair pair{Vector(size_t(n)), Vector(size_t(n))};
  for (int64_t i = 0; i < n; ++i) pair.left[size_t(i)] = i % 3 == 0 ? 1.0 : -0.7;  // at right angles to nothing likely
  for (int step = 0; step < kSteps; ++step) {
    std::fill(pair.right.begin(), pair.right.end(), 0.0);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) pair.right[size_t(j)] += pair.left[size_t(i)] * A[size_t(i * n + j)];
    }
    normalize(pair.right);
    for (int64_t i = 0; i < n; ++i) {
      double sum = 0.0;
      for (int64_t j = 0; j < n; ++j) sum += A[size_t(i * n + j)] * pair.right[size_t(j)];
      pair.left[size_t(i)] = sum;
    }
    normalize(pair.left);
  }
  return pair;
}

Buffer attack_rows(const Vector& dropped, const Vector& kept) {
  const auto n = int64_t(kept.size());
  Buffer rows(3 * n);
  for (int64_t j = 0; j < n; ++j) {
    const double e = dropped[size_t(j)], k = kept[size_t(j)];
    const double power = k == 0.0 ? 0.0 : std::copysign(std::exp2(std::round(std::log2(std::fabs(k)))), k);
    rows[j] = float(e);
    rows[n + j] = float(power * (1.0 + 0x1.fep-9));
    rows[2 * n + j] = float(power * (1.0 + 0x1.fep-9) + e * 0x1p-9);
  }
  return rows;
}

}  // namespace idelta::bench
