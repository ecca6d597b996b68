// idelta_sidmm and idelta_sidmv: y = alpha (a x + x op(D)) + beta y on an unpacked D.
#include <cmath>
#include <cstdlib>
#include <string>

#include "support/fixture.h"
#include "support/reference.h"

namespace idelta_test {
namespace {

using SidmmTest = ContextTest;

struct Scalars {
  float alpha, identity_scale, beta;
};
constexpr Scalars kScalars[] = {{1, 1, 0},     {1, 1, 1},     {2.5f, 1, 0}, {-1, 0.5f, 0.25f},
                                {0.5f, 0, -1}, {1, -2, 0.5f}, {0, 1, 2},    {0, 1, 0}};

TEST_F(SidmmTest, MatchesTheFormula) {
  Random random(1);
  for (const int64_t n : {1, 3, 16, 33, 65, 130}) {
    for (const int64_t m : {0, 1, 2, 15, 29, 300}) {
      for (const Scalars& s : kScalars) {
        for (const bool transposed : {false, true}) {
          if (m == 300 && (n > 65 || reduced())) continue;
          SCOPED_TRACE("m " + std::to_string(m) + " n " + std::to_string(n) + " alpha " + std::to_string(s.alpha) +
                       " a " + std::to_string(s.identity_scale) + " beta " + std::to_string(s.beta) +
                       (transposed ? " transposed" : ""));
          const Flush flush = random.below(2) == 0 ? Flush::kLeft : Flush::kRight;
          const int64_t gap = random.below(3);
          Matrix x(m, n, n + gap, flush), D(n, n, n + 2 * gap, flush);
          const Matrix y(m, n, n + 3 * gap, flush);
          fill_uniform(x, random), fill_delta(D, random);
          if (s.beta != 0) fill_uniform(y, random);  // else NaN stays there
          const Dense op = transposed ? transpose(dense(D)) : dense(D);
          const Bounded expected = sidmm_reference(x, op, s.alpha, s.identity_scale, s.beta, dense(y));
          x.freeze(), D.freeze();
          ASSERT_OK(idelta_sidmm(context.get(), transposed ? 1 : 0, m, n, s.alpha, s.identity_scale, x.data(), x.ld(),
                                 D.data(), D.ld(), s.beta, y.data(), y.ld()));
          expect_within(y, expected, "y");
          EXPECT_TRUE(x.unchanged() && D.unchanged() && y.surroundings_untouched());
          if (HasFailure()) return;
        }
      }
    }
  }
}

// Element i of a vector with stride inc in a column matrix: BLAS counts a negative stride from the end.
int64_t position(int64_t i, int64_t n, int64_t inc) { return inc > 0 ? i * inc : (i - n + 1) * inc; }

TEST_F(SidmmTest, VectorStrides) {
  Random random(2);
  for (const int64_t n : {1, 5, 40, 97}) {
    for (const int64_t incx : {1, 3, -1, -2}) {
      for (const int64_t incy : {1, 2, -1, -3}) {
        for (const Scalars& s : kScalars) {
          for (const bool transposed : {false, true}) {
            SCOPED_TRACE("n " + std::to_string(n) + " incx " + std::to_string(incx) + " incy " + std::to_string(incy) +
                         " beta " + std::to_string(s.beta) + (transposed ? " transposed" : ""));
            // Columns of stride |inc|: Matrix checks the elements between.
            Matrix x(n, 1, std::abs(incx)), D(n, n);
            const Matrix y(n, 1, std::abs(incy));
            fill_uniform(x, random), fill_delta(D, random);
            if (s.beta != 0) fill_uniform(y, random);
            const Matrix x_row(1, n), y_row(1, n);
            for (int64_t i = 0; i < n; ++i) {
              x_row(0, i) = x.data()[position(i, n, incx)];
              y_row(0, i) = y.data()[position(i, n, incy)];
            }
            const Dense op = transposed ? transpose(dense(D)) : dense(D);
            const Bounded expected = sidmm_reference(x_row, op, s.alpha, s.identity_scale, s.beta, dense(y_row));
            x.freeze(), D.freeze();
            ASSERT_OK(idelta_sidmv(context.get(), transposed ? 1 : 0, n, s.alpha, s.identity_scale, x.data(), incx,
                                   D.data(), n, s.beta, y.data(), incy));
            for (int64_t i = 0; i < n; ++i) y_row(0, i) = y.data()[position(i, n, incy)];
            expect_within(y_row, expected, "y");
            EXPECT_TRUE(x.unchanged() && D.unchanged() && y.surroundings_untouched());
            if (HasFailure()) return;
          }
        }
      }
    }
  }
}

// BLAS's alpha = 0: nothing of x or D reaches y, nor need they be there; beta = 0 does not read y.
TEST_F(SidmmTest, AlphaZeroReadsNeitherXNorD) {
  for (const float beta : {0.0f, 1.0f, -0.5f}) {
    for (const bool given : {true, false}) {
      const Matrix x(3, 7), D(7, 7), y(3, 7, 9), y_row(7, 1, 2);  // all NaN at first
      const float* const from = given ? x.data() : nullptr;
      const float* const matrix = given ? D.data() : nullptr;
      if (beta != 0) fill(y, [] { return 3.0f; }), fill(y_row, [] { return 3.0f; });
      ASSERT_OK(idelta_sidmm(context.get(), 0, 3, 7, 0, 1, from, 7, matrix, 7, beta, y.data(), y.ld()));
      ASSERT_OK(idelta_sidmv(context.get(), 1, 7, 0, 1, from, 1, matrix, 7, beta, y_row.data(), -2));
      for (int64_t j = 0; j < 7; ++j) {
        for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(3 * beta, y(i, j));
        EXPECT_EQ(3 * beta, y_row(j, 0));
      }
      EXPECT_TRUE(y.surroundings_untouched() && y_row.surroundings_untouched());
    }
  }
}

// alpha = 1, beta = 0 is idelta_forward without packing: the same bits.
TEST_F(SidmmTest, IsForwardBitForBit) {
  Random random(3);
  const Matrix x(31, 90), D(90, 90), y(31, 90), packed_y(31, 90);
  fill_uniform(x, random), fill_delta(D, random);
  const DeltaPtr delta = pack(context, D, delta_options(0.5f));
  const idelta_forward_args args = forward_args(x, packed_y);
  ASSERT_OK(idelta_forward(context.get(), delta.get(), &args));
  ASSERT_OK(idelta_sidmm(context.get(), 0, 31, 90, 1, 0.5f, x.data(), 90, D.data(), 90, 0, y.data(), 90));
  EXPECT_EQ(packed_y.element_bits(), y.element_bits());
}

// One row is forward's too; and with n beyond what is packed at once.
TEST_F(SidmmTest, OneRowHasTheBitsOfForward) {
  Random random(5);
  for (const int64_t n : {1, 63, 64, 65, 130, 200}) {
    for (const bool transposed : {false, true}) {
      const Matrix x(1, n), D(n, n), y(1, n), packed_y(1, n);
      fill_uniform(x, random), fill_delta(D, random);
      const DeltaPtr delta = pack(context, D, delta_options(-2.0f, IDELTA_PASS_BOTH, transposed));
      const idelta_forward_args args = forward_args(x, packed_y);
      ASSERT_OK(idelta_forward(context.get(), delta.get(), &args));
      ASSERT_OK(idelta_sidmv(context.get(), transposed ? 1 : 0, n, 1, -2.0f, x.data(), 1, D.data(), n, 0, y.data(), 1));
      EXPECT_EQ(packed_y.element_bits(), y.element_bits()) << n;
    }
  }
}

// BLAS's zero scalars are alpha and beta. identity_scale is none: 0 times NaN is NaN, as in idelta_forward.
TEST_F(SidmmTest, IdentityScaleZeroStillReadsX) {
  const Matrix x(1, 5), D(5, 5), y(1, 5), row(1, 5);  // x all NaN
  fill(D, [] { return 0.0f; });
  ASSERT_OK(idelta_sidmm(context.get(), 0, 1, 5, 1, 0, x.data(), 5, D.data(), 5, 0, y.data(), 5));
  ASSERT_OK(idelta_sidmv(context.get(), 0, 5, 1, 0, x.data(), 1, D.data(), 5, 0, row.data(), 1));
  for (int64_t j = 0; j < 5; ++j) EXPECT_TRUE(std::isnan(y(0, j)) && std::isnan(row(0, j)));
}

}  // namespace
}  // namespace idelta_test
