#include "src/core/formats/factorise.h"

#include <algorithm>
#include <cmath>

#include "src/core/formats/chain_product.h"
#include "src/core/formats/spectral.h"

namespace idelta::core {
namespace {

// Signs from splitmix64 (Steele, Lea & Flood 2014), which is integers alone: the same test matrix everywhere.
std::vector<float> random_signs(int64_t count) {
  uint64_t state = 0x1de17a;
  std::vector<float> signs(static_cast<size_t>(count));
  for (float& sign : signs) {
    state += 0x9e3779b97f4a7c15;
    uint64_t z = state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    sign = (z ^ z >> 31) >> 63 ? 1.0f : -1.0f;
  }
  return signs;
}

// What D is multiplied by first. If all directions are wanted it is the identity: at small n a matrix of signs may be
// singular, and no power iteration brings back a lost direction.
std::vector<float> test_matrix(int64_t n, int64_t count) {
  if (count < n) return random_signs(n * count);
  std::vector<float> identity(static_cast<size_t>(n * n));
  for (int64_t i = 0; i < n; ++i) identity[static_cast<size_t>(i * n + i)] = 1;
  return identity;
}

// An orthonormal basis of the columns of D X; X is n x count.
Thin range_of(const idelta_context& context, int64_t n, const std::vector<float>& D, const std::vector<float>& X,
              int64_t count) {
  std::vector<float> Y(static_cast<size_t>(n * count));
  dense_product(context, {n, n, count}, D.data(), {X.data(), count}, Y.data());
  Thin basis(n, count, Y);
  orthonormalise(basis);
  return basis;
}

// Q^T D.
Thin projected(const idelta_context& context, int64_t n, const std::vector<float>& D, const Thin& Q) {
  const std::vector<float> rows = Q.transpose().rounded();
  std::vector<float> B(static_cast<size_t>(Q.cols * n));
  dense_product(context, {Q.cols, n, n}, rows.data(), {D.data(), n}, B.data());
  return {Q.cols, n, B};
}

// The columns of Q turned into the left singular vectors of Q B.
Subspace singular_subspace(const Thin& Q, const Thin& B) {
  const Eigen eigen = symmetric_eigen(multiply(B, B.transpose()));
  Subspace subspace{multiply(Q, eigen.vectors), {}};
  for (const double value : eigen.values) subspace.sigma.push_back(std::sqrt(std::max(value, 0.0)));
  return subspace;
}

}  // namespace

Factors transposed(const Factors& factors) {
  const auto& [n, r, U, V] = factors;
  return {n, r, transposed(V, r, n), transposed(U, n, r)};
}

int64_t Subspace::numerical_rank() const {
  const double least = sigma.empty() ? 0 : static_cast<double>(U.rows) * kUnit * sigma.front();
  return std::count_if(sigma.begin(), sigma.end(), [&](double s) { return s > least; });
}

// Two power iterations separate singular values that are close to each other well enough.
Subspace leading_subspace(const idelta_context& context, int64_t n, const std::vector<float>& given, int64_t count) {
  constexpr int kPowers = 2;
  const Scaled scaled(given);
  const std::vector<float>& D = scaled.values;
  if (scaled.zero) return {Thin(n, 0), {}};
  Thin Q = range_of(context, n, D, test_matrix(n, count), count);
  Thin B = projected(context, n, D, Q);
  for (int power = 0; power < kPowers; ++power) {
    Thin rows_of_D = B.transpose();
    orthonormalise(rows_of_D);
    Q = range_of(context, n, D, rows_of_D.rounded(), rows_of_D.cols);
    B = projected(context, n, D, Q);
  }
  Subspace subspace = singular_subspace(Q, B);
  for (double& s : subspace.sigma) s = std::ldexp(s, scaled.exponent);
  return subspace;
}

Factors factors_of(const idelta_context& context, int64_t n, const std::vector<float>& D, const Subspace& subspace,
                   int64_t rank) {
  const Scaled scaled(D);
  const Thin U = subspace.U.first_columns(rank);
  Thin V = projected(context, n, scaled.values, U);
  for (double& v : V.values) v = std::ldexp(v, scaled.exponent);
  return {n, rank, U.rounded(), V.rounded()};
}

Factors orthonormal_factors(const Factors& given) {
  const Thin U(given.n, given.rank, given.U), V(given.rank, given.n, given.V);
  Thin Q(U);
  orthonormalise(Q);
  const Subspace subspace = singular_subspace(Q, multiply(multiply(Q.transpose(), U), V));
  const int64_t rank = subspace.numerical_rank();
  const std::vector<float> orthonormal = subspace.U.first_columns(rank).rounded();
  const Thin rounded(given.n, rank, orthonormal);
  return {given.n, rank, orthonormal, multiply(multiply(rounded.transpose(), U), V).rounded()};
}

}  // namespace idelta::core
