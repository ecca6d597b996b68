// The formula of row_error by itself, on factors such as packing does not make: U far from orthonormal, and D - U V
// that U still reaches. And the squares that it is given, by every kernel.
#include "src/core/formats/row_bound.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "src/core/machine/cpu_features.h"
#include "src/core/machine/kernel_rows.h"
#include "support/low_rank.h"

namespace idelta_test {
namespace {

using idelta::core::FactorTerms;
using idelta::core::Norms;
using idelta::core::row_bound_of_factors;
using idelta::core::RowBound;

double squares(const Dense& a) {
  double sum = 0;
  for (const double value : a.at) sum += value * value;
  return sum;
}

Dense random_dense(int64_t rows, int64_t cols, double size, Random& random) {
  Dense A = zeros(rows, cols);
  for (double& value : A.at) value = size * static_cast<double>(random.uniform(-1, 1));
  return A;
}

Dense plus(Dense A, const Dense& B) {
  for (size_t i = 0; i < A.at.size(); ++i) A.at[i] += B.at[i];
  return A;
}

// Orthonormal columns but for an error; E with a part in their span; their norms from below, within a millionth.
struct Case {
  Dense U, E;
  Norms norms{};

  Case(int64_t n, int64_t rank, double askew, double inside, Random& random) : U(zeros(n, rank)), E(zeros(n, n)) {
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < rank; ++j) U(i, j) = cosine(n, j, i);
    }
    U = plus(U, random_dense(n, rank, askew, random));
    E = plus(random_dense(n, n, 0.1, random), multiply(U, random_dense(rank, n, inside, random)));
    Dense gram = multiply(transpose(U), U);
    for (int64_t i = 0; i < rank; ++i) gram(i, i) -= 1;
    norms.stored = spectral_norm(E) * (1 + 1e-6);
    norms.departure = spectral_norm(gram) * (1 + 1e-6);
    norms.overlap = spectral_norm(multiply(transpose(U), E)) * (1 + 1e-6);
  }
  Dense row(int64_t i, Random& random) const {
    const Dense any = random_dense(1, E.rows, 1, random),
                within = multiply(random_dense(1, U.cols, 1, random), transpose(U));
    std::vector<double> worst, of_overlap;
    spectral_norm(E, &worst);
    spectral_norm(multiply(transpose(U), E), &of_overlap);
    const Dense rows[] = {any,
                          within,
                          {1, E.rows, worst},
                          multiply(Dense{1, U.cols, of_overlap}, transpose(U)),
                          plus(within, random_dense(1, E.rows, 0.1, random))};
    return rows[i % 5];
  }
};

// t exact and nothing rounded: || x E || against what is left of the bound.
TEST(RowBound, BoundsWhatIsDroppedOfAnyFactors) {
  double closest_inside = 0;
  for (const double askew : {0.0, 1e-3, 0.03, 0.06}) {
    for (const double inside : {0.0, 0.1, 1.0}) {
      Random random(1);
      const Case c(40, 7, askew, inside, random);
      RowBound bound;
      bound.dropped = c.norms.stored, bound.departure = c.norms.departure, bound.overlap = c.norms.overlap;
      for (int64_t i = 0; i < 25; ++i) {
        const Dense x = c.row(i, random);
        const double error = std::sqrt(squares(multiply(x, c.E)));
        const auto limit = static_cast<double>(bound(squares(x), squares(multiply(x, c.U))));
        ASSERT_LE(error, limit) << "askew " << askew << " inside " << inside << " row " << i;
        if (i % 5 == 3 && askew == 0 && inside == 1) closest_inside = std::max(closest_inside, error / limit);
      }
    }
  }
  EXPECT_GE(closest_inside, 0.5) << "rows along the overlap should need it";
}

// U^T U is as far from I as this, in the direction that makes ||t|| largest: x = u, ||t||^2 = (1 + e)^2 ||u||^2.
TEST(RowBound, CountsTheDepartureOfUFromOrthonormal) {
  for (const double e : {-0.3, -0.1, 0.1, 0.3}) {
    const double length = 1 + e, departure = std::fabs(length * length - 1);
    RowBound bound;
    bound.dropped = 1, bound.departure = departure;
    // One column u = length e_1 and E = e_2 e_2^T: x = (c, s) has t = length c and ||x E|| = s; overlap 0.
    for (double angle = 0; angle < 1.6; angle += 0.05) {
      const double cosine = std::cos(angle), t = length * cosine;
      EXPECT_GE(static_cast<double>(bound(1, t * t)), std::fabs(std::sin(angle)) * (1 - 1e-12)) << e << ' ' << angle;
    }
  }
}

// The computed t may be too long by tau ||x||: less of x is then in the span of U than it says.
TEST(RowBound, CountsTheErrorsOfT) {
  RowBound bound;
  bound.dropped = 1, bound.departure = 0, bound.first_of_x = 0.1;
  for (double angle = 0; angle < 1.6; angle += 0.05) {
    for (const double by : {-0.1, 0.0, 0.1}) {
      const double computed = std::max(0.0, std::cos(angle) + by);
      EXPECT_GE(static_cast<double>(bound(1, computed * computed)), std::sin(angle) * (1 - 1e-12)) << angle;
    }
  }
  bound.first_of_x = 0, bound.first_constant = 0.1;
  EXPECT_GE(static_cast<double>(bound(1, 1)), std::sqrt(1 - 0.81) * (1 - 1e-12));
}

TEST(RowBound, UnknownNormsOfUAreNotTrusted) {
  RowBound bound;
  bound.dropped = 1;  // departure: infinity, overlap: 0
  EXPECT_GE(bound(1, 1), 1.0f);
  EXPECT_GE(bound(1, 0), 1.0f);
  bound.departure = 1.5;
  EXPECT_GE(bound(1, 1), 1.0f);
}

// What attacks cannot tell apart, each of these being twice what the worst row shows.
TEST(RowBound, CountsEveryRoundingOfBothProducts) {
  const FactorTerms none{1, 1, 0};
  const float a = -3;
  for (const FactorTerms& U : {none, FactorTerms{2, 3, 1e-3}}) {
    for (const FactorTerms& V : {none, FactorTerms{5, 7, 1e-2}}) {
      const RowBound bound = row_bound_of_factors(20, 4, Norms{}, U, V, a);
      const double x = 3, t = 2, b = 10, u = 0x1p-24;
      const double products = U.sums * x * V.norm + V.sums * t, of_bias = 2 * u * b + u * (V.norm + V.sums) * t;
      EXPECT_GE(static_cast<double>(bound(x * x, t * t)), products + u * 3 * x);
      EXPECT_GE(static_cast<double>(bound.with_bias(b)(x * x, t * t)), products + u * 3 * x + of_bias);
      EXPECT_LE(static_cast<double>(bound.with_bias(b)(x * x, t * t)), (products + u * 3 * x + of_bias) * 1.001);
    }
  }
}

TEST(RowBound, CountsEveryTermOfTheCertificate) {
  const idelta::core::ErrorTerms terms{.stored = 1e-3, .rounded_rows = 1e-4, .sums = 1e-5};
  const double x = 3, b = 10, u = 0x1p-24, size = 7, of_row = (1e-3 + 1e-4 + 1e-5 + u * 2) * x;
  const RowBound bound = idelta::core::row_bound_of_dense(20, terms, size, 2);
  EXPECT_GE(static_cast<double>(bound(x * x, 0)), of_row);
  EXPECT_LE(static_cast<double>(bound(x * x, 0)), of_row * (1 + 1e-6));
  EXPECT_GE(static_cast<double>(bound.with_bias(b)(x * x, 0)), of_row + 2 * u * b + u * size * x);
}

TEST(RowBound, IsRoundedUp) {
  RowBound bound;
  bound.of_x = 1;
  Random random(2);
  for (int i = 0; i < 1000; ++i) {
    const double x = std::ldexp(1 + static_cast<double>(random.uniform(0, 1)) * (1 + 0x1p-30), i % 200 - 100);
    const auto limit = static_cast<double>(bound(x * x, 0));
    EXPECT_GE(limit, x);
    EXPECT_LE(limit, x * (1 + 0x1p-22));
  }
}

TEST(RowBound, IsInfinityWhereANumberMayLeaveTheRangeOrIsNone) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  RowBound bound;
  bound.of_x = bound.reach_of_x = bound.reach_of_t = 1;
  EXPECT_LT(bound(0x1p200, 0x1p200), kInfinity);
  EXPECT_EQ(kInfinity, bound(0x1p252, 0));
  EXPECT_EQ(kInfinity, bound(0, 0x1p252));
  EXPECT_EQ(kInfinity, bound(std::nan(""), 0));
  EXPECT_EQ(kInfinity, bound(0, std::nan("")));
  EXPECT_EQ(kInfinity, bound.with_bias(0x1p125)(1, 1));
  EXPECT_EQ(kInfinity, bound.with_bias(std::nan(""))(1, 1));
  bound.constant = std::nan("");
  EXPECT_EQ(kInfinity, bound(1, 1));
}

// Of every kernel the same bits, whatever rows are beside it, also backwards.
TEST(RowSquares, EveryKernelGivesTheBitsOfTheScalarOne) {
  const auto features = idelta::core::cpu_features().set;
  for (const idelta::core::KernelRow& row : idelta::core::kKernelRows) {
    if (!row.table->f32_row_squares.run || !idelta::core::has(features, row.needs)) continue;
    for (int64_t cols = 0; cols <= 70; ++cols) {
      const int64_t rows = 1 + cols % 7;
      Random random(static_cast<uint64_t>(cols));
      const Matrix x(rows, cols, cols + 2);
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < cols; ++j)
          x(i, j) = std::ldexp(random.uniform(-1, 1), static_cast<int>(random.below(200)) - 100);
      }
      std::vector<double> expected(static_cast<size_t>(rows)), actual(expected), backwards(expected);
      const float* const last = x.data() + (rows - 1) * x.ld();
      idelta::scalar::kTable.f32_row_squares({rows, cols, x.data(), x.ld(), expected.data()});
      row.table->f32_row_squares({rows, cols, x.data(), x.ld(), actual.data()});
      row.table->f32_row_squares({rows, cols, last, -x.ld(), backwards.data()});
      for (int64_t i = 0; i < rows; ++i) {
        double sum = 0;
        for (int64_t j = 0; j < cols; ++j) sum += std::pow(static_cast<double>(x(i, j)), 2);
        const auto at = static_cast<size_t>(i);
        EXPECT_NEAR(sum, expected[at], 1e-14 * sum);
        EXPECT_EQ(std::bit_cast<uint64_t>(expected[at]), std::bit_cast<uint64_t>(actual[at]))
            << row.name << ' ' << cols;
        EXPECT_EQ(std::bit_cast<uint64_t>(expected[at]),
                  std::bit_cast<uint64_t>(backwards[static_cast<size_t>(rows - 1 - i)]));
      }
    }
  }
}

}  // namespace
}  // namespace idelta_test
