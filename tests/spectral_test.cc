// Proved bounds of spectral norms: never below the norm, and near it.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "src/core/formats/spectral.h"
#include "support/low_rank.h"

namespace idelta_test {
namespace {

using idelta::core::absolute_spectral_bounds;
using idelta::core::spectral_bound;

class Spectral : public ::testing::Test {
 protected:
  double bound(View A) { return spectral_bound(*context, A.rows, A.cols, elements(A)); }
  // Where the norm is known.
  void expect_bound(View A, double norm, double slack, const std::string& what) {
    const double found = bound(A);
    EXPECT_GE(found, norm) << what;
    EXPECT_LE(found, slack * norm) << what;
    RecordProperty(what, std::to_string(found / norm));
  }
  ContextPtr context = make_context();
};

TEST_F(Spectral, IntegerMatricesOfKnownNorms) {
  for (const int64_t n : {1, 2, 7, 16, 33, 100}) {
    const std::string size = " of " + std::to_string(n);
    const Matrix ones(n, n), identity(n, n), diagonal(n, n), shifted(n, n);
    for (const Matrix* each : {&identity, &diagonal, &shifted}) fill(*each, [] { return 0.0f; });
    fill(ones, [] { return 1.0f; });
    for (int64_t i = 0; i < n; ++i)
      identity(i, i) = 3, diagonal(i, i) = static_cast<float>(i + 1), shifted(i, (i + 1) % n) = -5;
    const auto d = static_cast<double>(n);
    expect_bound(ones, d, 1.001, "ones" + size);
    expect_bound(identity, 3, 1.001, "identity" + size);
    expect_bound(diagonal, d, 1.02, "diagonal" + size);
    expect_bound(shifted, 5, 1.001, "permutation" + size);
  }
  // Sylvester's: entries of +-1, all singular values sqrt(n), the worst case for |A|.
  for (const int64_t n : {2, 16, 64}) {
    const Matrix H(n, n);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) H(i, j) = __builtin_parityll(static_cast<uint64_t>(i & j)) != 0 ? -1.0f : 1.0f;
    }
    expect_bound(H, std::sqrt(static_cast<double>(n)), 1.001, "Hadamard of " + std::to_string(n));
  }
  const Matrix tall(4, 1), wide(1, 4), three(2, 3);
  fill(tall, [] { return -1.0f; }), fill(wide, [] { return 1.0f; }), fill(three, [] { return 0.0f; });
  three(0, 0) = 3, three(0, 1) = 4, three(1, 2) = 2;
  expect_bound(tall, 2, 1.001, "tall");
  expect_bound(wide, 2, 1.001, "wide");
  expect_bound(three, 5, 1.001, "three");
}

TEST_F(Spectral, SpectraOfEveryKind) {
  for (const int64_t n : {20, 65, 130}) {
    for (const double ratio : {0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      Random random(static_cast<uint64_t>(n));
      const Matrix D(n, n);
      fill_spectrum(D, falling_spectrum(n, 1, ratio), random);
      // Rounding D to fp32 moves its norm by at most u sqrt(n).
      const double norm = 1 - kUnit * std::sqrt(static_cast<double>(n));
      expect_bound(D, norm, 1.02, "whole, ratio " + std::to_string(ratio) + " of " + std::to_string(n));
    }
  }
}

// Many equal singular values beside zeros: a projector, whose absolute values are far larger. The bound's worst case.
TEST_F(Spectral, Projectors) {
  for (const int64_t n : {40, 130}) {
    for (const int64_t rank : {n / 2, n - 10, n - 1}) {
      Random random(static_cast<uint64_t>(n));
      const Matrix D(n, n);
      fill_spectrum(D, std::vector<double>(static_cast<size_t>(rank), 0.5), random);
      expect_bound(D, 0.5 * (1 - 1e-6), 1.1, "projector of " + std::to_string(rank) + " in " + std::to_string(n));
    }
  }
}

// Singular values near the largest are many: 2.4 % at n = 200.
TEST_F(Spectral, RandomNumbersOfAnyShape) {
  struct Shape {
    int64_t rows, cols;
  };
  for (const auto& [rows, cols] : {Shape{1, 1}, {3, 50}, {50, 3}, {64, 64}, {130, 40}, {40, 130}, {200, 200}}) {
    Random random(5);
    const Matrix A(rows, cols);
    fill_uniform(A, random);
    const double norm = spectral_norm(dense(A));
    expect_bound(A, norm * (1 - 1e-9), 1.04, std::to_string(rows) + " x " + std::to_string(cols));
  }
}

TEST_F(Spectral, RankOneAndSigns) {
  Random random(6);
  const Matrix u(70, 1), v(1, 50);
  fill_integers(u, random, 9), fill_integers(v, random, 9);
  const Dense product = multiply(dense(u), dense(v));
  const Matrix A(70, 50);
  for (int64_t i = 0; i < 70 * 50; ++i) A.data()[i] = static_cast<float>(product.at[static_cast<size_t>(i)]);
  double uu = 0, vv = 0;
  for (int64_t i = 0; i < 70; ++i) uu += std::pow(static_cast<double>(u(i, 0)), 2);
  for (int64_t j = 0; j < 50; ++j) vv += std::pow(static_cast<double>(v(0, j)), 2);
  expect_bound(A, std::sqrt(uu * vv), 1.001, "rank 1");
}

TEST_F(Spectral, ScaleChangesNothing) {
  Random random(7);
  const Matrix A(60, 60), scaled(60, 60);
  fill_uniform(A, random);
  const double at_one = bound(A);
  for (const int exponent : {-100, -60, 60, 127}) {
    for (int64_t i = 0; i < 3600; ++i) scaled.data()[i] = std::ldexp(A.data()[i], exponent);
    EXPECT_DOUBLE_EQ(std::ldexp(at_one, exponent), bound(scaled)) << exponent;
  }
  // Where a part of the entries is below fp32's range, and read as zero.
  for (int64_t i = 0; i < 3600; ++i) scaled.data()[i] = std::ldexp(A.data()[i], -126);
  EXPECT_GE(bound(scaled), spectral_norm(dense(scaled)));
}

TEST_F(Spectral, ZeroAndWhatIsNotFinite) {
  const Matrix A(5, 9);
  fill(A, [] { return 0.0f; });
  EXPECT_EQ(0, bound(A));
  fill(A, [] { return 1e-40f; });
  EXPECT_GE(bound(A), 6.7e-40);
  EXPECT_LE(bound(A), 6.8e-40);
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    A(2, 3) = bad;
    EXPECT_FALSE(std::isfinite(bound(A)));
  }
  EXPECT_EQ(0, spectral_bound(*context, 0, 5, {}));
  EXPECT_EQ(0, spectral_bound(*context, 5, 0, {}));
}

TEST_F(Spectral, AbsoluteBoundsHoldTheNormOfAbsoluteValuesBetweenThem) {
  for (const int64_t n : {1, 9, 70}) {
    Random random(8);
    const Matrix A(n, n + 3);
    fill_uniform(A, random);
    std::vector<double> weights(static_cast<size_t>(n));
    for (double& w : weights) w = static_cast<double>(random.uniform(0, 2));
    Dense weighted = magnitude(dense(A));
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n + 3; ++j) weighted(i, j) *= weights[static_cast<size_t>(i)];
    }
    const double norm = spectral_norm(weighted);
    const idelta::core::Bounds bounds = absolute_spectral_bounds(n, n + 3, A.data(), weights.data());
    EXPECT_LE(bounds.lower, norm * (1 + 1e-9));
    EXPECT_GE(bounds.upper, norm * (1 - 1e-9));
    EXPECT_LE(bounds.upper, 1.02 * norm);
  }
}

}  // namespace
}  // namespace idelta_test
