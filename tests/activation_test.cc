// The activations on their own: with D = 0, a = 1 and no bias z is x itself, so that the whole range of fp32 can be
// put through each one and its derivative.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "support/fixture.h"
#include "support/mxcsr.h"
#include "support/reference.h"

namespace idelta_test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Kinks and their neighbours, the places where tanh changes its formula, and floats from all of the range.
std::vector<float> points() {
  std::vector<float> all = {0.0f, -0.0f, 1.0f, -1.0f, kInfinity, -kInfinity, std::nanf("")};
  const float edges[] = {1.0f, 0.5f, 0.625f, 9.0f, 9.0109f, 10.0f, 44.0f, 88.7f, 89.0f, 3.4e38f};
  for (const float edge : edges) {
    for (const float near : {std::nextafter(edge, 0.0f), edge, std::nextafter(edge, kInfinity)}) {
      if (std::isfinite(near)) all.insert(all.end(), {near, -near});
    }
  }
  // Every finite float of a stride, which is prime: 260 000 of either sign, subnormals included.
  constexpr uint32_t kStride = 8191;
  for (uint32_t pattern = 0; pattern < 0x7f800000; pattern += kStride) {
    all.insert(all.end(), {std::bit_cast<float>(pattern), -std::bit_cast<float>(pattern)});
  }
  return all;
}

class ActivationTest : public ContextTest, public ::testing::WithParamInterface<idelta_activation> {
 protected:
  ActivationTest() {
    const std::vector<float> all = points();
    rows = (static_cast<int64_t>(all.size()) + kWidth - 1) / kWidth;
    x = Matrix(rows, kWidth);
    size_t next = 0;
    fill(x, [&] { return all[next++ % all.size()]; });
    fill(D, [] { return 0.0f; });
    delta = pack(context, D);
  }

  Matrix forward() {
    Matrix y(rows, kWidth);
    const idelta_forward_args args = forward_args(x, y, GetParam());
    EXPECT_OK(idelta_forward(context.get(), delta.get(), &args));
    return y;
  }

  static constexpr int64_t kWidth = 37;
  int64_t rows = 0;
  Matrix x{0, kWidth};
  Matrix D{kWidth, kWidth};
  DeltaPtr delta;
};

TEST_P(ActivationTest, WholeRangeOfFp32) {
  const Matrix y = forward();
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < kWidth; ++j) {
      const double expected = activate(GetParam(), x(i, j));
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(y(i, j))) << "act(NaN) is " << y(i, j);
        continue;
      }
      if (kHasMxcsr && std::abs(expected) < static_cast<double>(std::numeric_limits<float>::min())) {
        ASSERT_EQ(0.0f, y(i, j)) << "denormals are zero: act(" << x(i, j) << ")";
        continue;
      }
      // tanh: the 2 ulp that kernels/activation.h claims; leaky_relu rounds its product; the others are exact.
      const bool tanh = GetParam().kind == IDELTA_ACTIVATION_TANH;
      const double ulp = std::ldexp(1.0, std::max(std::ilogb(expected), -126) - 23);
      const double allowed = tanh ? 2 * ulp : GetParam().kind == IDELTA_ACTIVATION_LEAKY_RELU ? 0.5 * ulp : 0;
      const bool same = static_cast<double>(y(i, j)) == expected;
      ASSERT_TRUE(same || std::abs(y(i, j) - expected) <= allowed)
          << "act(" << x(i, j) << ") is " << y(i, j) << ", not " << expected;
      ASSERT_LE(std::abs(y(i, j)), tanh ? 1.0f : kInfinity) << "tanh(" << x(i, j) << ")";
    }
  }
}

TEST_P(ActivationTest, DerivativeFromTheOutput) {
  const Matrix y = forward(), dy(rows, kWidth), dz(rows, kWidth), dx(rows, kWidth);
  fill(dy, [] { return 3.0f; });
  idelta_backward_data_args args = backward_data_args(dy, y, dx, GetParam());
  args.dz = dz.data();
  args.lddz = dz.ld();
  ASSERT_OK(idelta_backward_data(context.get(), delta.get(), &args));
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < kWidth; ++j) {
      // The identity does not look at y: its derivative is 1 beside NaN too.
      const bool identity = GetParam().kind == IDELTA_ACTIVATION_IDENTITY;
      const double expected = identity ? 3.0 : 3.0 * activation_slope(GetParam(), y(i, j));
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(dz(i, j))) << "act' at y = NaN is " << dz(i, j) / 3;
        continue;
      }
      ASSERT_NEAR(dz(i, j), expected, 9 * kUnit) << "3 act' at y = " << y(i, j) << ", z = " << x(i, j);
    }
  }
}

// The header's promise for denormals. A compiler that makes dy (y > 0 ? 1 : slope) of a selection between dy and
// slope dy breaks it: with denormals zero a product by 1 is no copy. So does dz (tanh ? 1 - y^2 : 1).
TEST_P(ActivationTest, DenormalGradientsAreCopiedWhereTheDerivativeIsOne) {
  if (GetParam().kind == IDELTA_ACTIVATION_TANH) return;  // nowhere but at 0
  constexpr float kDenormals[] = {1e-41f, -1e-41f, 0x1p-149f, -0x1p-127f, 0.0f, -0.0f};
  const Matrix dy(5, kWidth), y(5, kWidth), dz(5, kWidth), dx(5, kWidth);
  size_t next = 0;
  fill(dy, [&] { return kDenormals[next++ % std::size(kDenormals)]; });
  fill(y, [] { return 0.5f; });
  for (float* const wants_dx : {static_cast<float*>(nullptr), dx.data()}) {
    fill(dz, [] { return 9.0f; });
    idelta_backward_data_args args = backward_data_args(dy, y, dx, GetParam());
    args.dx = wants_dx;
    args.dz = dz.data();
    args.lddz = dz.ld();
    ASSERT_OK(idelta_backward_data(context.get(), delta.get(), &args));
    EXPECT_EQ(dy.element_bits(), dz.element_bits());
  }
}

std::string name_of(const ::testing::TestParamInfo<idelta_activation>& instance) {
  return idelta_activation_name(instance.param.kind);
}
INSTANTIATE_TEST_SUITE_P(Every, ActivationTest, ::testing::ValuesIn(kActivations), name_of);

}  // namespace
}  // namespace idelta_test
