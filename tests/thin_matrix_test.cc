// The dense algebra of packing, in fp64: bases and eigenvectors of hard cases.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "src/core/formats/thin_matrix.h"
#include "support/random.h"

namespace idelta_test {
namespace {

using idelta::core::Eigen;
using idelta::core::multiply;
using idelta::core::orthonormalise;
using idelta::core::symmetric_eigen;
using idelta::core::Thin;

Thin random_matrix(int64_t rows, int64_t cols, uint64_t seed) {
  Random random(seed);
  Thin A(rows, cols);
  for (double& a : A.values) a = static_cast<double>(random.uniform(-1, 1));
  return A;
}

double most_off_identity(const Thin& A) {
  const Thin gram = multiply(A.transpose(), A);
  double most = 0;
  for (int64_t i = 0; i < gram.rows; ++i) {
    for (int64_t j = 0; j < gram.cols; ++j) most = std::max(most, std::fabs(gram.row(i)[j] - (i == j ? 1 : 0)));
  }
  return most;
}

// How much of A's columns the basis Q misses, relative to A's largest entry.
double missed(const Thin& Q, const Thin& A) {
  const Thin kept = multiply(Q, multiply(Q.transpose(), A));
  double most = 0, largest = 0;
  for (size_t i = 0; i < A.values.size(); ++i) {
    most = std::max(most, std::fabs(A.values[i] - kept.values[i]));
    largest = std::max(largest, std::fabs(A.values[i]));
  }
  return largest > 0 ? most / largest : 0;
}

void expect_basis(const Thin& A, int64_t rank, const std::string& what, double tolerance = 1e-12) {
  Thin Q(A);
  orthonormalise(Q);
  EXPECT_EQ(rank, Q.cols) << what;
  EXPECT_EQ(A.rows, Q.rows) << what;
  EXPECT_LT(most_off_identity(Q), 1e-14 * static_cast<double>(A.rows + 10)) << what;
  EXPECT_LT(missed(Q, A), tolerance) << what;
}

TEST(Orthonormalise, IndependentColumns) {
  for (const int64_t n : {1, 2, 17, 60}) {
    for (const int64_t cols : {int64_t{1}, (n + 1) / 2, n}) expect_basis(random_matrix(n, cols, 1), cols, "random");
  }
}

TEST(Orthonormalise, LeavesOutDependentAndZeroColumns) {
  Thin A = random_matrix(30, 8, 2);
  for (int64_t i = 0; i < 30; ++i) {
    A.row(i)[0] = 0;
    A.row(i)[4] = 3 * A.row(i)[2] - A.row(i)[1];
    A.row(i)[7] = A.row(i)[6];
  }
  expect_basis(A, 5, "dependent");
  expect_basis(Thin(9, 4), 0, "zero");
  expect_basis(Thin(9, 0), 0, "none");
  // More columns than rows.
  expect_basis(random_matrix(3, 7, 3), 3, "wide");
}

// Lauchli's matrix: classical Gram-Schmidt, and one pass of the modified, lose the right angles.
TEST(Orthonormalise, NearlyDependentColumnsStayAtRightAngles) {
  for (const double epsilon : {1e-3, 1e-6, 1e-9, 1e-12}) {
    Thin A(11, 10);
    for (int64_t j = 0; j < 10; ++j) A.row(0)[j] = 1, A.row(j + 1)[j] = epsilon;
    expect_basis(A, 10, "Lauchli " + std::to_string(epsilon));
  }
}

TEST(Orthonormalise, AnySize) {
  for (const double size : {1e-140, 1e-30, 1e30, 1e140}) {
    Thin A = random_matrix(20, 6, 4);
    for (int64_t i = 0; i < 20; ++i) {
      for (int64_t j = 0; j < 6; ++j) A.row(i)[j] *= j % 2 == 0 ? size : 1 / std::sqrt(size);
    }
    Thin Q(A);
    orthonormalise(Q);
    EXPECT_EQ(6, Q.cols) << size;
    EXPECT_LT(most_off_identity(Q), 1e-13) << size;
  }
}

void expect_eigen(const Thin& A, const std::string& what) {
  const Eigen eigen = symmetric_eigen(A);
  const int64_t n = A.rows;
  ASSERT_EQ(static_cast<size_t>(n), eigen.values.size()) << what;
  double size = 0;
  for (const double a : A.values) size += a * a;
  size = std::sqrt(size);
  const double tolerance = 1e-14 * static_cast<double>(n + 10) * size;
  EXPECT_LT(most_off_identity(eigen.vectors), 1e-13 * static_cast<double>(n + 10)) << what;
  const Thin mapped = multiply(A, eigen.vectors);
  for (int64_t j = 0; j < n; ++j) {
    const double value = eigen.values[static_cast<size_t>(j)];
    EXPECT_GE(eigen.values[static_cast<size_t>(j > 0 ? j - 1 : 0)], value) << what;
    for (int64_t i = 0; i < n; ++i) {
      ASSERT_NEAR(value * eigen.vectors.row(i)[j], mapped.row(i)[j], tolerance) << what << " " << i << ", " << j;
    }
  }
}

TEST(SymmetricEigen, HardCases) {
  for (const int64_t n : {1, 2, 3, 10, 40}) {
    const std::string size = " of " + std::to_string(n);
    expect_eigen(Thin(n, n), "zero" + size);
    Thin identity(n, n), ones(n, n), second(n, n);
    for (double& one : ones.values) one = 1;  // 0 is an eigenvalue n - 1 times
    for (int64_t i = 0; i < n; ++i) {
      identity.row(i)[i] = 2;
      second.row(i)[i] = 2;
      if (i > 0) second.row(i)[i - 1] = second.row(i - 1)[i] = -1;
    }
    expect_eigen(identity, "identity" + size), expect_eigen(ones, "ones" + size), expect_eigen(second, "second" + size);
    EXPECT_NEAR(static_cast<double>(n), symmetric_eigen(ones).values[0], 1e-12 * static_cast<double>(n));
    const double angle = 3.14159265358979323846 / (2 * (static_cast<double>(n) + 1));
    EXPECT_NEAR(4 * std::pow(std::cos(angle), 2), symmetric_eigen(second).values[0], 1e-13 * static_cast<double>(n));
    const Thin A = random_matrix(n, n, 5);
    Thin both(A);
    for (size_t i = 0; i < both.values.size(); ++i) both.values[i] += A.transpose().values[i];
    expect_eigen(both, "indefinite" + size);
    expect_eigen(multiply(A, A.transpose()), "Gram" + size);
    for (double& b : both.values) b *= 1e-120;
    expect_eigen(both, "tiny" + size);
    for (double& b : both.values) b *= 1e240;
    expect_eigen(both, "huge" + size);
  }
  EXPECT_TRUE(symmetric_eigen(Thin(0, 0)).values.empty());
}

// Clusters: two of three values alike, coupled by numbers far smaller.
TEST(SymmetricEigen, Clusters) {
  Thin A(6, 6);
  for (int64_t i = 0; i < 6; ++i) {
    for (int64_t j = 0; j < 6; ++j) A.row(i)[j] = i == j ? (i < 3 ? 1 : 1e-3) : 1e-13 * static_cast<double>(i + j);
  }
  expect_eigen(A, "clusters");
}

TEST(ThinProducts, MatchTheDefinition) {
  const Thin A = random_matrix(5, 3, 6), B = random_matrix(3, 4, 7), C = multiply(A, B), first = A.first_columns(2);
  for (int64_t i = 0; i < 5; ++i) {
    for (int64_t j = 0; j < 4; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < 3; ++k) sum += A.row(i)[k] * B.row(k)[j];
      EXPECT_NEAR(sum, C.row(i)[j], 1e-15);
    }
    EXPECT_EQ(A.row(i)[1], first.row(i)[1]);
    EXPECT_EQ(A.row(i)[2], A.transpose().row(2)[i]);
  }
  EXPECT_EQ(2, first.cols);
}

}  // namespace
}  // namespace idelta_test
