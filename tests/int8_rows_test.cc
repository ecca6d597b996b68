// Rows in int8: every kernel's bytes, scales and changes are those of the scalar one, bit for bit, and those are what
// kernels.h says of them.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "support/guard_buffer.h"
#include "support/kernels.h"
#include "support/mxcsr.h"
#include "support/random.h"

namespace idelta_test {
namespace {

using idelta::Kernel;
using idelta::kQuadLine;
using idelta::QuantizeRows;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Quantized {
  int64_t padded;
  GuardBuffer bytes;
  std::vector<float> scales;
  std::vector<double> changes;

  Quantized(const Kernel<QuantizeRows>& kernel, const Matrix& x, bool with_changes = true)
      : padded(rounded_up(x.cols(), kQuadLine)),
        bytes(static_cast<size_t>(x.rows() * padded), Flush::kRight, 64),
        scales(static_cast<size_t>(x.rows()), -1.0f),
        changes(static_cast<size_t>(x.rows()), -1.0) {
    kernel(
        {x.rows(), x.cols(), x.data(), x.ld(), data(), padded, scales.data(), with_changes ? changes.data() : nullptr});
    EXPECT_TRUE(bytes.slack_untouched());
  }
  uint8_t* data() const { return static_cast<uint8_t*>(bytes.data()); }
  int at(int64_t i, int64_t k) const { return data()[i * padded + k] - 128; }
};

void expect_same(const Quantized& expected, const Quantized& actual) {
  ASSERT_EQ(0, std::memcmp(expected.data(), actual.data(), expected.bytes.bytes()));
  for (size_t i = 0; i < expected.scales.size(); ++i) {
    ASSERT_EQ(bits(expected.scales[i]), bits(actual.scales[i])) << "row " << i;
    ASSERT_EQ(std::bit_cast<uint64_t>(expected.changes[i]), std::bit_cast<uint64_t>(actual.changes[i])) << "row " << i;
  }
}

// What kernels.h says, element by element, in the words of the standard library.
void expect_quantized(const Matrix& x, const Quantized& q) {
  for (int64_t i = 0; i < x.rows(); ++i) {
    float largest = 0;
    bool finite = true;
    for (int64_t k = 0; k < x.cols(); ++k) {
      largest = std::max(largest, std::fabs(x(i, k)));
      finite &= std::isfinite(x(i, k));
    }
    const bool marked = !finite || (largest > 0 && largest < 127 * std::numeric_limits<float>::min());
    const float scale = marked ? std::nanf("") : largest / 127;
    const auto row = static_cast<size_t>(i);
    ASSERT_TRUE(marked ? std::isnan(q.scales[row]) : q.scales[row] == scale) << "row " << i;
    long double change = 0;
    for (int64_t k = 0; k < q.padded; ++k) {
      const bool zero = marked || scale == 0 || k >= x.cols();
      const int expected = zero ? 0 : static_cast<int>(std::nearbyint(x(i, k) / scale));
      ASSERT_EQ(expected, q.at(i, k)) << i << ", " << k;
      if (!zero) change += std::pow(static_cast<long double>(x(i, k)) - static_cast<long double>(scale) * expected, 2);
    }
    EXPECT_NEAR(double(change), q.changes[row], 1e-12 * double(change)) << "row " << i;
  }
}

void check_rows(const Matrix& x) {
  const Quantized expected(idelta::scalar::kTable.int8_quantize_rows, x);
  expect_quantized(x, expected);
  for (const auto& [name, kernel] : kernels_of(&idelta::KernelTable::int8_quantize_rows)) {
    SCOPED_TRACE(name + ", " + std::to_string(x.rows()) + " x " + std::to_string(x.cols()));
    expect_same(expected, Quantized(kernel, x));
    const Quantized without(kernel, x, false);
    ASSERT_EQ(0, std::memcmp(expected.data(), without.data(), expected.bytes.bytes()));
  }
}

TEST(Int8Rows, EveryWidth) {
  for (int64_t cols = 1; cols <= 150; ++cols) {
    Random random(static_cast<uint64_t>(cols));
    const Matrix x(1 + cols % 6, cols, cols + 3);
    fill(x, [&] { return std::ldexp(random.uniform(-1, 1), static_cast<int>(random.below(12)) - 8); });
    check_rows(x);
    if (HasFatalFailure()) return;
  }
}

// x / scale lies between two integers, or as near as fp32 has it: a product with the reciprocal would err there.
TEST(Int8Rows, HalvesRoundToEven) {
  for (const float scale : {1.0f, 0x1p-40f, 0.3f, 1.7e-20f, 0x1.fffffep0f, 2.5e30f}) {
    const Matrix x(3, 255);
    for (int64_t k = 0; k < 254; ++k) {
      const float half = (static_cast<float>(k) - 127 + 0.5f) * scale;
      x(0, k) = half;
      x(1, k) = std::nextafterf(half, kInfinity);
      x(2, k) = std::nextafterf(half, -kInfinity);
    }
    for (int64_t i = 0; i < 3; ++i) x(i, 254) = 127 * scale;
    check_rows(x);
  }
}

// Every quotient of a row's numbers with the largest one that the rounding could turn either way.
TEST(Int8Rows, NumbersNextToHalves) {
  Random random(5);
  const Matrix x(200, 64);
  for (int64_t i = 0; i < x.rows(); ++i) {
    const float largest = random.uniform(1, 2), scale = largest / 127;
    for (int64_t k = 0; k < 63; ++k) {
      float near = (static_cast<float>(random.below(127)) + 0.5f) * scale;
      for (int64_t steps = random.below(4); steps > 0; --steps) near = std::nextafterf(near, k % 2 ? 0.0f : 2.0f);
      x(i, k) = k % 3 ? near : -near;
    }
    x(i, 63) = -largest;
  }
  check_rows(x);
}

TEST(Int8Rows, ZeroTinyHugeAndNotFinite) {
  const float huge = std::numeric_limits<float>::max(), least = std::numeric_limits<float>::min();
  const float nan = std::numeric_limits<float>::quiet_NaN(), subnormal = std::numeric_limits<float>::denorm_min();
  const float several[] = {
      0.0f, -0.0f, subnormal, -subnormal, least, -127 * least, std::nextafterf(127 * least, 0), 1.0f, -3e38f,
      huge, -huge, kInfinity, -kInfinity, nan,   -nan};
  for (const float one : several) {
    for (const float other : several) {
      const Matrix x(3, 37);
      for (int64_t k = 0; k < 37; ++k) {
        x(0, k) = k == 36 ? one : k == 3 ? other : 0.0f;  // in the last, masked vector
        x(1, k) = k % 2 ? one : other;
        x(2, k) = k == 0 ? one : -0.25f;
      }
      check_rows(x);
      if (HasFatalFailure()) return;
    }
  }
}

// As in the library, where subnormals are zero: kernels agree, and a row is marked as it is elsewhere.
TEST(Int8Rows, SubnormalsThatAreReadAsZero) {
  const Matrix x(5, 70);
  Random random(11);
  for (int64_t i = 0; i < 5; ++i) {
    const int exponent = static_cast<int>(-100 - 10 * i);
    for (int64_t k = 0; k < 70; ++k) x(i, k) = std::ldexp(random.uniform(-1, 1), exponent - static_cast<int>(k % 20));
  }
  const Quantized elsewhere(idelta::scalar::kTable.int8_quantize_rows, x);
  const ScopedMxcsr flushing(kFlushingMxcsr);
  const Quantized expected(idelta::scalar::kTable.int8_quantize_rows, x);
  for (size_t i = 0; i < 5; ++i) ASSERT_EQ(std::isnan(elsewhere.scales[i]), std::isnan(expected.scales[i])) << i;
  EXPECT_FALSE(std::isnan(expected.scales[0]));
  EXPECT_TRUE(std::isnan(expected.scales[4]));
  for (const auto& [name, kernel] : kernels_of(&idelta::KernelTable::int8_quantize_rows)) {
    SCOPED_TRACE(name);
    expect_same(expected, Quantized(kernel, x));
  }
}

TEST(Int8Rows, NoColumns) {
  const Matrix x(2, 0);
  for (const auto& [name, kernel] : kernels_of(&idelta::KernelTable::int8_quantize_rows)) {
    const Quantized q(kernel, x);
    EXPECT_EQ(0.0f, q.scales[1]) << name;
    EXPECT_EQ(0.0, q.changes[1]) << name;
  }
}

}  // namespace
}  // namespace idelta_test
