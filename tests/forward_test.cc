// idelta_forward against the fp64 reference: every size class, activation, option and memory layout, between guard
// pages on both sides. The bound is that of reference.h, elementwise.
#include <vector>

#include "support/fixture.h"
#include "support/reference.h"

namespace idelta_test {
namespace {

struct Case {
  int64_t m, n;
  Flush flush = Flush::kRight;
  int64_t gap = 0;    // ld - n of x; twice, three and four times that of D, y and the contribution
  int64_t shift = 0;  // elements between guard page and operand
  idelta_activation activation = kIdentity;
  float identity_scale = 1.0f;
  bool bias = true;
  bool contribution = true;
  bool in_place = false;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << "m " << c.m << " n " << c.n << (c.flush == Flush::kLeft ? " left" : " right") << " gap " << c.gap
             << " shift " << c.shift << " activation " << c.activation.kind << " a " << c.identity_scale
             << (c.bias ? " bias" : "") << (c.contribution ? " contribution" : "") << (c.in_place ? " in place" : "");
}

using ForwardTest = ContextTest;

enum class Numbers { kReal, kIntegers };

float either_sign(float value, Random& random) { return random.below(2) == 0 ? value : -value; }

// Integers whose products are exact in the format under test: as integers of 7 and 8 bits each row of x needs the
// largest one, and so does each row and column of D.
void fill_exact_rows(const Matrix& x, Random& random) {
  fill_integers(x, random, stores_int8() ? 127 : 4);
  for (int64_t i = 0; stores_int8() && i < x.rows(); ++i) x(i, random.below(x.cols())) = either_sign(127, random);
}
void fill_exact_delta(const Matrix& D, Random& random) {
  fill_integers(D, random, stores_int8() ? 63 : 3);
  for (int64_t j = 0; stores_int8() && j < D.cols(); ++j) D(j, j) = either_sign(63, random);
}

// D of a case, and packed: what does not depend on the rows. INT8 measures each D, which takes longer than to multiply.
struct Weights {
  Numbers numbers;
  Matrix D;
  DeltaPtr delta;

  Weights(const ContextPtr& context, const Case& c, Numbers of)
      : numbers(of), D(c.n, c.n, c.n + 2 * c.gap, c.flush, c.shift) {
    Random random(static_cast<uint64_t>(c.n));
    numbers == Numbers::kIntegers ? fill_exact_delta(D, random) : fill_delta(D, random);
    D.freeze();
    delta = pack(context, D, delta_options(c.identity_scale, IDELTA_PASS_FORWARD));
    EXPECT_TRUE(D.unchanged());
  }
};

// Runs one case and checks the result, that inputs kept their bits, and that nothing outside was written.
void check(const ContextPtr& context, const Case& c, const Weights& weights) {
  SCOPED_TRACE(::testing::PrintToString(c));
  Random random(static_cast<uint64_t>(c.m * 4099 + c.n));
  const bool integers = weights.numbers == Numbers::kIntegers;
  Matrix x(c.m, c.n, c.n + c.gap, c.flush, c.shift), bias(1, c.n, c.n, c.flush, c.shift);
  integers ? fill_exact_rows(x, random) : fill_uniform(x, random, 2.0f);
  integers ? fill_integers(bias, random, 8) : fill_uniform(bias, random);
  const ForwardReference expected =
      forward_reference(x, weights.D, c.bias ? bias.data() : nullptr, c.identity_scale, c.activation);
  const Matrix separate(c.m, c.n, c.n + 3 * c.gap, c.flush, c.shift),
      contribution(c.m, c.n, c.n + 4 * c.gap, c.flush, c.shift);
  const Matrix& y = c.in_place ? x : separate;
  x.freeze(), bias.freeze();

  idelta_forward_args args = forward_args(x, y, c.activation);
  args.bias = c.bias ? bias.data() : nullptr;
  args.contribution = c.contribution ? contribution.data() : nullptr;
  args.ldc = contribution.ld();
  ASSERT_OK(idelta_forward(context.get(), weights.delta.get(), &args));

  if (integers && c.activation.kind != IDELTA_ACTIVATION_TANH) {
    expect_equal(y, expected.y.value, "y");
    if (c.contribution) expect_equal(contribution, expected.contribution.value, "contribution");
  } else {
    expect_within(y, expected.y, "y");
    if (c.contribution) expect_within(contribution, expected.contribution, "contribution");
  }
  EXPECT_TRUE(y.surroundings_untouched());
  EXPECT_TRUE(c.contribution ? contribution.surroundings_untouched() : contribution.untouched());
  EXPECT_TRUE(c.in_place || x.unchanged());
  EXPECT_TRUE(bias.unchanged());
}

void check(const ContextPtr& context, const Case& c) { check(context, c, Weights(context, c, Numbers::kReal)); }

// The options of a case drawn from the seed, so that a sweep over sizes meets them in every mixture. D and what is
// packed with it are those of a width.
Case draw(Random& random, int64_t m, int64_t n, Flush flush) {
  return {.m = m,
          .n = n,
          .flush = flush,
          .gap = random.below(2) * (1 + random.below(20)),
          .shift = random.below(2) * random.below(16),
          .activation = kActivations[random.below(5)],
          .identity_scale = kIdentityScales[random.below(4)],
          .bias = random.below(2) == 0,
          .contribution = random.below(2) == 0,
          .in_place = random.below(3) == 0};
}

void sweep(const ContextPtr& context, const std::vector<int64_t>& rows, const std::vector<int64_t>& widths,
           Numbers numbers) {
  Random random(1);
  for (const int64_t n : widths) {
    for (const Flush flush : {Flush::kLeft, Flush::kRight}) {
      const Case of_width = draw(random, 0, n, flush);
      const Weights weights(context, of_width, numbers);
      for (const int64_t m : rows) {
        Case c = draw(random, m, n, flush);
        c.identity_scale = of_width.identity_scale;
        check(context, c, weights);
        if (::testing::Test::HasFailure()) return;
      }
    }
  }
}

std::vector<int64_t> up_to(int64_t last, int64_t step = 1) {
  std::vector<int64_t> all;
  for (int64_t value = 0; value <= last; value += step) all.push_back(value);
  return all;
}

const std::vector<int64_t> kRows = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  11, 12, 13, 14,  15,
                                    16, 17, 23, 24, 25, 28, 29, 31, 32, 33, 47, 63, 65, 127, 129};
const std::vector<int64_t> kWidths = {1,  2,  3,  4,  5,  7,  8,  9,  12, 13, 15, 16, 17, 23, 24,  25,  31,
                                      32, 33, 39, 40, 41, 47, 48, 49, 63, 64, 65, 95, 96, 97, 127, 128, 129};

TEST_F(ForwardTest, EverySmallSize) {
  sweep(context, reduced() ? up_to(17) : up_to(34), reduced() ? std::vector<int64_t>{1, 2, 15, 16, 17, 33} : kWidths,
        Numbers::kReal);
}
TEST_F(ForwardTest, EveryTileEdge) {
  sweep(context, reduced() ? std::vector<int64_t>{1, 8, 33} : kRows,
        reduced() ? std::vector<int64_t>{64, 65, 129} : kWidths, Numbers::kReal);
}

TEST_F(ForwardTest, EverySmallWidth) {
  std::vector<int64_t> widths = up_to(66);
  widths.erase(widths.begin());  // n = 0 is an error
  sweep(context, {1, 9}, widths, Numbers::kReal);
}

// The scalar table takes seconds to prove a certificate of INT8 beyond.
bool widest_is_slow() { return stores_int8() && reduced(); }

TEST_F(ForwardTest, LargeSizes) {
  const std::vector<int64_t> widths =
      widest_is_slow() ? std::vector<int64_t>{255, 257} : std::vector<int64_t>{255, 256, 257, 513, 794, 1025};
  sweep(context, reduced() ? std::vector<int64_t>{1, 5} : std::vector<int64_t>{1, 5, 16, 128, 200}, widths,
        Numbers::kReal);
}

// Rows whose distance is a multiple of a page are copied before they are multiplied.
TEST_F(ForwardTest, RowsAPageApart) {
  for (const bool in_place : {false, true}) {
    check(context, {.m = 33, .n = 40, .gap = 1024 - 40, .in_place = in_place});
  }
}

TEST_F(ForwardTest, IntegersAreExact) {
  sweep(context, {1, 2, 6, 14, 33, reduced() ? 40 : 200}, {1, 16, 17, 33, 64, 65, 129}, Numbers::kIntegers);
  sweep(context, {3, 29}, {257, widest_is_slow() ? 270 : 794, reduced() ? 300 : 1025}, Numbers::kIntegers);
}

// Every mixture of options at a size with full tiles and edges.
TEST_F(ForwardTest, EveryOption) {
  for (const idelta_activation activation : kActivations) {
    for (const float identity_scale : kIdentityScales) {
      for (unsigned mask = 0; mask < 16; ++mask) {
        check(context, {.m = 19,
                        .n = 37,
                        .gap = (mask & 8) != 0 ? 3 : 0,
                        .activation = activation,
                        .identity_scale = identity_scale,
                        .bias = (mask & 1) != 0,
                        .contribution = (mask & 2) != 0,
                        .in_place = (mask & 4) != 0});
        if (HasFailure()) return;
      }
    }
  }
}

TEST_F(ForwardTest, EveryAlignmentOfTheOperands) {
  for (const Flush flush : {Flush::kLeft, Flush::kRight}) {
    for (int64_t shift = 0; shift < 17; ++shift) {
      check(context, {.m = 15, .n = 50, .flush = flush, .gap = shift % 3, .shift = shift, .in_place = shift % 2 == 0});
      if (HasFailure()) return;
    }
  }
}

TEST_F(ForwardTest, NoRowsIsANoOp) {
  const Matrix D(5, 5), y(0, 5);
  Random random(2);
  fill_delta(D, random);
  const DeltaPtr delta = pack(context, D);
  idelta_forward_args args = forward_args(y, y);
  EXPECT_OK(idelta_forward(context.get(), delta.get(), &args));
}

// The default workspace keeps no trace of an earlier, larger call.
TEST_F(ForwardTest, SmallAfterLarge) {
  for (const int64_t n : {300, 3, 130, 17}) check(context, {.m = n / 2 + 1, .n = n});
}

}  // namespace
}  // namespace idelta_test
