// Numbers that are not ordinary: NaN, Inf and subnormals in every operand of forward, and exact zeros in D.
#include <cctype>
#include <cmath>
#include <functional>
#include <limits>
#include <span>
#include <string>

#include "support/fixture.h"
#include "support/reference.h"

namespace idelta_test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
const float kNan = std::nanf("");

constexpr int64_t kRows = 17;
constexpr int64_t kWidth = 70;

class SpecialTest : public ContextTest {
 protected:
  SpecialTest() {
    Random random(3);
    fill_uniform(x, random);
    fill_delta(D, random);
    fill_uniform(bias, random);
  }
  Matrix run(const Matrix& X, const Matrix& delta_matrix, const Matrix& b, idelta_activation activation,
             float identity_scale = 1.0f) {
    Matrix y(X.rows(), kWidth);
    const DeltaPtr delta = pack(context, delta_matrix, delta_options(identity_scale));
    idelta_forward_args args = forward_args(X, y, activation);
    args.bias = b.data();
    EXPECT_OK(idelta_forward(context.get(), delta.get(), &args));
    return y;
  }
  Matrix run(float identity_scale = 1.0f) { return run(x, D, bias, kIdentity, identity_scale); }
  Matrix x{kRows, kWidth}, D{kWidth, kWidth}, bias{1, kWidth};
};

// NaN, +Inf, -Inf or finite: what IEEE dense arithmetic settles whatever the rounding.
void expect_same_class(View actual, const Dense& expected) {
  for (int64_t i = 0; i < actual.rows; ++i) {
    for (int64_t j = 0; j < actual.cols; ++j) {
      const double want = expected(i, j), got = actual(i, j);
      const bool same = std::isnan(want) ? std::isnan(got) : std::isinf(want) ? got == want : std::isfinite(got);
      ASSERT_TRUE(same) << "y(" << i << ", " << j << ") is " << got << ", not like " << want;
    }
  }
}

struct Placement {
  const char* what;
  std::function<void(const Matrix& x, const Matrix& D, const Matrix& bias)> place;
};

const Placement kPlacements[] = {
    {"NaN in one x", [](auto& x, auto&, auto&) { x(4, 11) = kNan; }},
    {"NaN in the last x", [](auto& x, auto&, auto&) { x(kRows - 1, kWidth - 1) = kNan; }},
    {"Inf in one x", [](auto& x, auto&, auto&) { x(0, 0) = kInfinity; }},
    {"Inf in x meets a zero in D", [](auto& x, auto& D, auto&) { x(2, 3) = -kInfinity, D(3, 5) = 0.0f; }},
    {"NaN in x meets a zero in D", [](auto& x, auto& D, auto&) { x(2, 69) = kNan, D(69, 5) = -0.0f; }},
    {"Inf - Inf in x", [](auto& x, auto&, auto&) { x(7, 20) = kInfinity, x(7, 50) = -kInfinity; }},
    {"NaN in the bias", [](auto&, auto&, auto& bias) { bias(0, 33) = kNan; }},
    {"Inf in the bias", [](auto&, auto&, auto& bias) { bias(0, 64) = -kInfinity; }},
    {"NaN in D", [](auto&, auto& D, auto&) { D(30, 31) = kNan; }},
    {"Inf in D", [](auto&, auto& D, auto&) { D(69, 69) = kInfinity; }},
    {"Inf in D meets a zero in x", [](auto& x, auto& D, auto&) { D(8, 9) = kInfinity, x(1, 8) = 0.0f; }},
};
constexpr size_t kInD = 3;  // the last ones; INT8 refuses such a D

TEST_F(SpecialTest, NanAndInfPropagateAsInDenseArithmetic) {
  for (const Placement& placement : std::span(kPlacements).first(std::size(kPlacements) - (stores_int8() ? kInD : 0))) {
    for (const idelta_activation activation : kActivations) {
      SCOPED_TRACE(placement.what + std::string(", activation ") + std::to_string(activation.kind));
      Matrix dirty_x = x.copy(), dirty_D = D.copy(), dirty_bias = bias.copy();
      placement.place(dirty_x, dirty_D, dirty_bias);
      expect_same_class(run(dirty_x, dirty_D, dirty_bias, activation),
                        forward_reference(dirty_x, dirty_D, dirty_bias.data(), 1.0f, activation).y.value);
      if (HasFatalFailure()) return;
    }
  }
}

// An identity scale of 0 multiplies, it does not skip: 0 * NaN is NaN.
TEST_F(SpecialTest, NanPassesAnIdentityScaleOfZero) {
  fill(D, [] { return 0.0f; });
  x(5, 6) = kNan;
  EXPECT_TRUE(std::isnan(run(0.0f)(5, 6)));
}

TEST_F(SpecialTest, NanInOneRowTouchesOnlyThatRow) {
  const Matrix clean = run();
  for (const int64_t row : {int64_t{0}, int64_t{6}, kRows - 1}) {
    const float old = x(row, 40);
    x(row, 40) = kNan;
    const Matrix y = run();
    x(row, 40) = old;
    for (int64_t i = 0; i < kRows; ++i) {
      for (int64_t j = 0; j < kWidth; ++j) {
        ASSERT_TRUE(i == row ? std::isnan(y(i, j)) : bits(y(i, j)) == bits(clean(i, j))) << i << ", " << j;
      }
    }
  }
}

#if defined(__x86_64__)
// What is below the smallest normal number is zero, in operands, in sums and in results.
TEST_F(SpecialTest, SubnormalsAreFlushed) {
  if (stores_int8()) GTEST_SKIP() << "products are of scales; see int8_test";
  fill(bias, [] { return 0.0f; });
  fill(x, [] { return 0x1p-70f; });
  fill(D, [] { return 0x1p-57f; });  // each product 2^-127: normal from the second on, if it could be kept
  EXPECT_EQ(0.0f, run(0.0f)(3, 3));
  fill(D, [] { return 0x1p-56f; });
  EXPECT_EQ(static_cast<float>(kWidth) * 0x1p-126f, run(0.0f)(3, 3));
  fill(D, [] { return 0x1p-127f; });
  fill(x, [] { return 0x1p+100f; });
  EXPECT_EQ(0.0f, run(0.0f)(3, 3)) << "of D";
  fill(D, [] { return 1.0f; });
  fill(x, [] { return 0x1p-127f; });
  EXPECT_EQ(0.0f, run()(kRows - 1, kWidth - 1)) << "of x";
  fill(D, [] { return 0.0f; });
  fill(bias, [] { return 0x1p-127f; });
  EXPECT_EQ(0.0f, run()(3, 3)) << "of the bias";
}
#endif

// D with exact zeros where whole panels may be skipped: the same numbers, and less work where it is known.
struct ZeroPattern {
  const char* what;
  int64_t n;
  bool (*kept)(int64_t n, int64_t i, int64_t j);
  double least_fraction, most_fraction;
};
const ZeroPattern kZeroPatterns[] = {
    {"dense", 300, [](int64_t, int64_t, int64_t) { return true; }, 0.0, 0.0},
    {"all zero", 300, [](int64_t, int64_t, int64_t) { return false; }, 1.0, 1.0},
    {"one by one zero", 1, [](int64_t, int64_t, int64_t) { return false; }, 1.0, 1.0},
    {"last 10 columns only", 794, [](int64_t n, int64_t, int64_t j) { return j >= n - 10; }, 0.8, 0.99},
    {"first column only", 300, [](int64_t, int64_t, int64_t j) { return j == 0; }, 0.7, 0.999},
    {"a zero block of columns", 300, [](int64_t, int64_t, int64_t j) { return j < 64 || j >= 192; }, 0.0, 0.5},
    {"a zero block of rows", 300, [](int64_t, int64_t i, int64_t) { return i < 64 || i >= 192; }, 0.0, 0.5},
    {"one element, last", 129, [](int64_t n, int64_t i, int64_t j) { return i == n - 1 && j == n - 1; }, 0.0, 0.9999},
    {"one element, first", 129, [](int64_t, int64_t i, int64_t j) { return i == 0 && j == 0; }, 0.0, 0.9999},
    {"checkerboard of 32", 256, [](int64_t, int64_t i, int64_t j) { return (i / 32 + j / 32) % 2 == 0; }, 0.0, 0.51},
};

class ZeroTest : public ContextTest, public ::testing::WithParamInterface<ZeroPattern> {};

TEST_P(ZeroTest, SkippingChangesNoResult) {
  const ZeroPattern& pattern = GetParam();
  const int64_t n = pattern.n, m = reduced() ? 3 : 21;
  Random random(5);
  Matrix x(m, n), D(n, n), bias(1, n);
  fill_uniform(x, random), fill_delta(D, random), fill_uniform(bias, random);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      if (!pattern.kept(n, i, j)) D(i, j) = 0.0f;
    }
  }
  const DeltaPtr delta = pack(context, D);
  const idelta_delta_info_t info = info_of(context, delta);
  EXPECT_GE(info.zero_fraction, pattern.least_fraction);
  EXPECT_LE(info.zero_fraction, pattern.most_fraction);

  const Matrix y(m, n), contribution(m, n), dx(m, n), back(n, n);
  idelta_forward_args forward = forward_args(x, y);
  forward.bias = bias.data();
  forward.contribution = contribution.data();
  forward.ldc = n;
  ASSERT_OK(idelta_forward(context.get(), delta.get(), &forward));
  const ForwardReference expected = forward_reference(x, D, bias.data(), 1.0f, kIdentity);
  expect_within(y, expected.y, "y");
  expect_within(contribution, expected.contribution, "contribution");

  const idelta_backward_data_args backward = backward_data_args(x, y, dx);
  ASSERT_OK(idelta_backward_data(context.get(), delta.get(), &backward));
  expect_within(dx, backward_data_reference(x, y, D, 1.0f, kIdentity).dx, "dx");

  ASSERT_OK(idelta_delta_unpack(context.get(), delta.get(), back.data(), n));
  expect_equal(back, stored(D), "D");
}
std::string name_of(const ::testing::TestParamInfo<ZeroPattern>& instance) {
  std::string name = instance.param.what;
  for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
}
INSTANTIATE_TEST_SUITE_P(Patterns, ZeroTest, ::testing::ValuesIn(kZeroPatterns), name_of);

// The documented exception: nothing passes through a skipped panel, not even NaN.
TEST_F(ContextTest, NanDoesNotPassThroughZeroPanels) {
  if (stores_int8()) GTEST_SKIP() << "it reaches all of its row; see int8_test";
  const Matrix x(3, 40), D(40, 40), y(3, 40);
  fill(x, [] { return 1.0f; });
  fill(D, [] { return 0.0f; });
  x(1, 2) = kNan, x(2, 3) = kInfinity;
  const DeltaPtr delta = pack(context, D);
  const idelta_forward_args args = forward_args(x, y);
  ASSERT_OK(idelta_forward(context.get(), delta.get(), &args));
  EXPECT_TRUE(std::isnan(y(1, 2)));
  EXPECT_EQ(1.0f, y(1, 3));
  EXPECT_EQ(kInfinity, y(2, 3));
  EXPECT_EQ(1.0f, y(2, 2));
}

}  // namespace
}  // namespace idelta_test
