// See factors.h.
#include "bench/factors.h"

#include <cmath>
#include <cstdlib>
#include <map>
#include <utility>
#include <vector>

#include "bench/random.h"

namespace idelta::bench {

namespace {

constexpr const char kPrefix[] = "lr";

using Column = std::vector<double>;

double dot(const Column& a, const Column& b) {
  double sum = 0.0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Gram and Schmidt, each column twice, which is enough for orthogonality to the last places of fp64.
void orthonormalize(std::vector<Column>& columns) {
  for (size_t c = 0; c < columns.size(); ++c) {
    Column& column = columns[c];
    for (int pass = 0; pass < 2; ++pass) {
      for (size_t b = 0; b < c; ++b) {
        const double share = dot(columns[b], column);
        for (size_t i = 0; i < column.size(); ++i) column[i] -= share * columns[b][i];
      }
    }
    const double length = std::sqrt(dot(column, column));
    for (double& value : column) value /= length;
  }
}

}  // namespace

std::string low_rank_name(int64_t rank) { return kPrefix + std::to_string(rank); }

int64_t rank_of(const std::string& format) {
  return format.rfind(kPrefix, 0) == 0 ? std::atoll(format.c_str() + sizeof kPrefix - 1) : 0;
}

Factors random_factors(int64_t n, int64_t rank) {
  Random random(static_cast<uint64_t>(n) * 1000003u + static_cast<uint64_t>(rank));
  std::vector<Column> columns(static_cast<size_t>(rank), Column(static_cast<size_t>(n)));
  for (Column& column : columns) {
    for (double& value : column) value = double(random.uniform(1.0f));
  }
  orthonormalize(columns);
  Factors factors{n, rank, Buffer(n * rank), Buffer()};
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t c = 0; c < rank; ++c) factors.U[i * rank + c] = float(columns[size_t(c)][size_t(i)]);
  }
  // ||U V||_2 = ||V||_2, and entries of variance s^2 / 3 give V a norm of about s (sqrt(n) + sqrt(r)) / sqrt(3).
  factors.V = random_buffer(random, rank * n, 0.52f / (std::sqrt(float(n)) + std::sqrt(float(rank))));
  return factors;
}

const Factors& factors_for(int64_t n, int64_t rank) {
  static std::map<std::pair<int64_t, int64_t>, Factors> all;
  const auto found = all.find({n, rank});
  if (found != all.end()) return found->second;
  return all.emplace(std::pair{n, rank}, random_factors(n, rank)).first->second;
}

}  // namespace idelta::bench
