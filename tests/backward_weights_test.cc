// idelta_backward_weights: dD = beta dD + x^T dz, db = beta db + column sums of dz.
#include <algorithm>
#include <cmath>
#include <string>

#include "support/fixture.h"
#include "support/reference.h"

namespace idelta_test {
namespace {

using BackwardWeightsTest = ContextTest;

struct Case {
  int64_t m, n;
  float beta = 0.0f;
  bool dD = true;
  bool db = true;
  bool integers = false;
  int64_t gap = 0;  // ld - n of x; twice and three times that of dz and dD
  Flush flush = Flush::kRight;
};

void check(const ContextPtr& context, const Case& c) {
  SCOPED_TRACE("m " + std::to_string(c.m) + " n " + std::to_string(c.n) + " beta " + std::to_string(c.beta) +
               (c.dD ? " dD" : "") + (c.db ? " db" : "") + " gap " + std::to_string(c.gap));
  const int64_t m = c.m, n = c.n, ld = c.n + c.gap;
  Random random(static_cast<uint64_t>(m * 523 + n));
  Matrix x(m, n, ld, c.flush), dz(m, n, ld + c.gap, c.flush);
  const Matrix dD(n, n, ld + 2 * c.gap, c.flush), db(1, n, n, c.flush);
  c.integers ? fill_integers(x, random, 5) : fill_uniform(x, random);
  c.integers ? fill_integers(dz, random, 5) : fill_uniform(dz, random);
  // With beta = 0 the outputs keep their NaN: reading them shows.
  if (c.beta != 0) c.integers ? fill_integers(dD, random, 6) : fill_uniform(dD, random);
  if (c.beta != 0) c.integers ? fill_integers(db, random, 6) : fill_uniform(db, random);
  const BackwardWeightsReference expected = backward_weights_reference(x, dz, c.beta, dense(dD), dense(db));
  x.freeze(), dz.freeze();

  idelta_backward_weights_args args = backward_weights_args(x, dz, dD, c.db ? db.data() : nullptr);
  args.beta = c.beta;
  if (!c.dD) args.dD = nullptr;
  ASSERT_OK(idelta_backward_weights(context.get(), &args));
  if (c.dD) c.integers ? expect_equal(dD, expected.dD.value, "dD") : expect_within(dD, expected.dD, "dD");
  if (c.db) c.integers ? expect_equal(db, expected.db.value, "db") : expect_within(db, expected.db, "db");
  EXPECT_TRUE(dD.surroundings_untouched());
  EXPECT_TRUE(db.surroundings_untouched());
  EXPECT_TRUE(c.dD || c.beta != 0 || dD.untouched());
  EXPECT_TRUE(c.db || c.beta != 0 || db.untouched());
  EXPECT_TRUE(x.unchanged());
  EXPECT_TRUE(dz.unchanged());
}

constexpr float kBetas[] = {0.0f, 1.0f, 0.5f};

TEST_F(BackwardWeightsTest, EverySize) {
  Random random(1);
  for (const int64_t n : {1, 2, 7, 8, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 129, 257, 794}) {
    for (const int64_t m : {1, 2, 3, 4, 5, 6, 7, 8, 13, 14, 15, 17, 33, 64, 130, 300}) {
      if (n > 200 && (m > 17 || reduced()) && m != 1) continue;
      for (const Flush flush : {Flush::kLeft, Flush::kRight}) {
        const bool dD = random.below(6) != 0;
        check(context, {.m = m,
                        .n = n,
                        .beta = kBetas[random.below(3)],
                        .dD = dD,
                        .db = !dD || random.below(2) == 0,
                        .gap = random.below(2) * random.below(9),
                        .flush = flush});
        if (HasFailure()) return;
      }
    }
  }
}

TEST_F(BackwardWeightsTest, IntegersAreExact) {
  for (const float beta : kBetas) {
    for (const int64_t n : {1, 16, 33, 100, 257}) {
      for (const int64_t m : {1, 5, 64, reduced() ? 65 : 400}) {
        check(context, {.m = m, .n = n, .beta = beta, .integers = true, .gap = 1});
        if (HasFailure()) return;
      }
    }
  }
}

// The empty sum: NaN of the prefill shows where beta = 0 would read.
TEST_F(BackwardWeightsTest, NoRowsLeaveBetaTimesWhatWasThere) {
  const Matrix none(0, 7);
  for (const float beta : kBetas) {
    const Matrix dD(7, 7), db(1, 7);
    for (int64_t i = 0; i < 49 && beta != 0; ++i) dD.data()[i / 7 * dD.ld() + i % 7] = static_cast<float>(i);
    for (int64_t j = 0; j < 7 && beta != 0; ++j) db.data()[j] = static_cast<float>(j);
    idelta_backward_weights_args args = backward_weights_args(none, none, dD, db.data());
    args.beta = beta;
    ASSERT_OK(idelta_backward_weights(context.get(), &args));
    for (int64_t i = 0; i < 49; ++i) {
      EXPECT_EQ(dD.data()[i / 7 * dD.ld() + i % 7], beta == 0 ? 0.0f : beta * static_cast<float>(i)) << beta;
    }
    for (int64_t j = 0; j < 7; ++j) EXPECT_EQ(db.data()[j], beta == 0 ? 0.0f : beta * static_cast<float>(j)) << beta;
  }
}

TEST_F(BackwardWeightsTest, PiecesWithBetaOneGiveTheBitsOfTheWhole) {
  const int64_t m = 61, n = 70;
  if (rounds_weights(m)) GTEST_SKIP() << "promised of F32 only";
  Random random(2);
  const Matrix x(m, n), dz(m, n), whole(n, n), whole_db(1, n);
  fill_uniform(x, random), fill_uniform(dz, random);
  const idelta_backward_weights_args all = backward_weights_args(x, dz, whole, whole_db.data());
  ASSERT_OK(idelta_backward_weights(context.get(), &all));
  for (const int64_t piece : {1, 2, 7, 14, 15, 32, 60}) {
    const Matrix dD(n, n), db(1, n);
    for (int64_t first = 0; first < m; first += piece) {
      idelta_backward_weights_args args = backward_weights_args(x, dz, dD, db.data());
      args.m = std::min(piece, m - first);
      args.x = x.data() + first * n;
      args.dz = dz.data() + first * n;
      args.beta = first == 0 ? 0.0f : 1.0f;
      ASSERT_OK(idelta_backward_weights(context.get(), &args));
    }
    EXPECT_EQ(whole.element_bits(), dD.element_bits()) << "pieces of " << piece;
    EXPECT_EQ(whole_db.element_bits(), db.element_bits()) << "pieces of " << piece;
  }
}

// Many rows go in several blocks, toy caches or not; NaN and Inf reach every element that they meet.
TEST_F(BackwardWeightsTest, SeveralBlocksOfRows) {
  const ScopedEnvironment toy("IDELTA_CACHES", kToyCaches);
  const ContextPtr small = make_context();
  for (const float beta : kBetas) check(small, {.m = reduced() ? 200 : 700, .n = 70, .beta = beta, .gap = 2});
}

// Rows a page apart are packed, and past L2 where dD alone stays in it.
TEST_F(BackwardWeightsTest, SeveralBlocksOfRowsPastL2) {
  const ScopedEnvironment toy("IDELTA_CACHES", "4096,20000,100000");
  const ContextPtr small = make_context();
  for (const float beta : kBetas) check(small, {.m = 301, .n = 70, .beta = beta, .gap = 1024 - 70});
}

TEST_F(BackwardWeightsTest, NanAndInfSpread) {
  const int64_t m = 40, n = 37;
  Random random(3);
  const Matrix x(m, n), dz(m, n), dD(n, n);
  fill_uniform(x, random), fill_uniform(dz, random);
  x.data()[5 * n + 4] = NAN, dz.data()[39 * n + 36] = INFINITY;
  const idelta_backward_weights_args args = backward_weights_args(x, dz, dD, nullptr);
  ASSERT_OK(idelta_backward_weights(context.get(), &args));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      EXPECT_EQ(i == 4, std::isnan(dD(i, j))) << i << ", " << j;
      EXPECT_EQ(i != 4 && j == 36, std::isinf(dD(i, j))) << i << ", " << j;
    }
  }
}

// A format that rounds does so from 32 rows on, and F32 never.
TEST_F(BackwardWeightsTest, RoundsWhereItPays) {
  for (const int64_t m : {31, 32, 100}) {
    Random random(4);
    const Matrix x(m, 50), dz(m, 50), dD(50, 50), of_f32(50, 50);
    fill_uniform(x, random), fill_uniform(dz, random);
    idelta_backward_weights_args args = backward_weights_args(x, dz, dD, nullptr);
    ASSERT_OK(idelta_backward_weights(context.get(), &args));
    args.dD = of_f32.data();
    args.format = IDELTA_FORMAT_AUTO;
    ASSERT_OK(idelta_backward_weights(context.get(), &args));
    EXPECT_EQ(rounds_weights(m), dD.element_bits() != of_f32.element_bits()) << "m " << m;
  }
}

}  // namespace
}  // namespace idelta_test
