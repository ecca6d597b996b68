// Rounding to bf16, in rows, columns and panels, by the kernels of every ISA of this machine: the bits of the
// definition for every kind of number, and nothing read or written beyond the operands.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <string>

#include "kernels/kernels.h"
#include "src/core/machine/dispatch.h"
#include "support/guard_buffer.h"
#include "support/random.h"

namespace idelta_test {
namespace {

using idelta::KernelTable;
using idelta::kPairLine;

constexpr idelta_isa kIsas[] = {IDELTA_ISA_SCALAR, IDELTA_ISA_AVX2, IDELTA_ISA_AVX512};

// From double, which holds every candidate exactly.
uint16_t rounded(float a) {
  const auto bits = std::bit_cast<uint32_t>(a);
  const auto below = static_cast<uint16_t>(bits >> 16);
  if (std::isnan(a)) return below | 0x40;
  if (std::isinf(a)) return below;
  const auto value = [](uint16_t half) -> double {
    if ((half & 0x7fff) == 0x7f80) return std::copysign(0x1p128, half & 0x8000 ? -1 : 1);
    return std::bit_cast<float>(uint32_t{half} << 16);
  };
  const auto above = static_cast<uint16_t>(below + 1);  // away from zero
  const double down = std::fabs(a - value(below)), up = std::fabs(value(above) - a);
  return down < up || (down == up && below % 2 == 0) ? below : above;
}

float widened(uint16_t half) { return std::bit_cast<float>(uint32_t{half} << 16); }

struct Halves {
  uint16_t hi, lo;
};

Halves halves(float a, bool split) {
  if (!split) return {rounded(a), 0};
  const uint16_t hi = std::isfinite(widened(rounded(a))) ? rounded(a) : uint16_t{0};
  return {hi, rounded(a - widened(hi))};
}

// Any bits, among them many ties, exponents at either end, and NaN.
float any_number(Random& random) {
  auto bits = static_cast<uint32_t>(random.next());
  switch (random.below(6)) {
    case 0:
      bits = (bits & 0xffff0000u) | 0x8000u;
      break;
    case 1:
      bits = (bits & 0x807fffffu) | static_cast<uint32_t>(random.below(2)) << 23;
      break;
    case 2:
      bits |= 0x7f000000u;
      break;
    default:
      break;
  }
  return std::bit_cast<float>(bits);
}

int64_t rounded_up(int64_t value, int64_t unit) { return (value + unit - 1) / unit * unit; }

// A matrix and its hi and lo, each ending at a page that must not be touched.
struct Operands {
  Matrix src, hi, lo;

  Operands(int64_t rows, int64_t cols, int64_t words) : src(rows, cols, cols + 3), hi(1, words), lo(1, words) {
    Random random(static_cast<uint64_t>(1000 * rows + cols));
    fill(src, [&] { return any_number(random); });
  }

  template <class Half>
  Half* hi_as() const {
    return reinterpret_cast<Half*>(hi.data());
  }
  template <class Half>
  Half* lo_as(bool split) const {
    return split ? reinterpret_cast<Half*>(lo.data()) : nullptr;
  }

  bool surroundings_untouched() const {
    return src.surroundings_untouched() && hi.surroundings_untouched() && lo.surroundings_untouched();
  }

  // That number `index` of the results is element (i, j), or zero if there is none.
  void expect_element(int64_t index, int64_t i, int64_t j, bool split) const {
    const Halves expected = i < src.rows() && j < src.cols() ? halves(src(i, j), split) : Halves{0, 0};
    EXPECT_EQ(expected.hi, hi_as<uint16_t>()[index]) << "hi of " << i << ", " << j;
    if (!split) return;
    EXPECT_EQ(expected.lo, lo_as<uint16_t>(true)[index]) << "lo of " << i << ", " << j;
  }
};

// check(kernels, rows, cols, split) for sizes about every vector and line.
template <class Check>
void for_each_case(const Check& check) {
  for (const idelta_isa isa : kIsas) {
    if (!idelta::core::supported(idelta::core::cpu_features().set, isa)) continue;
    for (const int64_t rows : {1, 2, 3, 8, 15, 16, 17, 31, 32, 33, 67}) {
      for (const int64_t cols : {1, 2, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 65}) {
        for (const bool split : {false, true}) {
          SCOPED_TRACE(std::string(idelta::core::isa_name(isa)) + ", " + std::to_string(rows) + " x " +
                       std::to_string(cols) + (split ? ", split" : ""));
          check(idelta::core::overlaid(idelta::core::cpu_features().set, isa), rows, cols, split);
        }
      }
    }
  }
}

void expect_rows(idelta::Kernel<idelta::RoundRows> KernelTable::*kernel, bool transposed) {
  for_each_case([&](const KernelTable& kernels, int64_t rows, int64_t cols, bool split) {
    const int64_t ldr = rounded_up(cols, kPairLine);
    const Operands o(transposed ? cols : rows, transposed ? rows : cols, rows * ldr / 2);
    (kernels.*kernel)({.rows = rows,
                       .cols = cols,
                       .src = o.src.data(),
                       .ld = o.src.ld(),
                       .hi = o.hi_as<uint16_t>(),
                       .lo = o.lo_as<uint16_t>(split),
                       .ldr = ldr});
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < ldr; ++j) {
        o.expect_element(i * ldr + j, transposed ? j : i, transposed ? i : j, split);
      }
    }
    EXPECT_TRUE(o.surroundings_untouched());
  });
}

TEST(Rounding, Rows) { expect_rows(&KernelTable::bf16_round_rows, false); }
TEST(Rounding, RowsTransposed) { expect_rows(&KernelTable::bf16_round_rows_transposed, true); }

void expect_panel(const KernelTable& kernels, int64_t rows, int64_t cols, bool split, int64_t width) {
  const Operands o(rows, cols, rounded_up(rows, 2) / 2 * width);
  kernels.bf16_round_panel({.rows = rows,
                            .cols = cols,
                            .src = o.src.data(),
                            .ld = o.src.ld(),
                            .width = width,
                            .hi = o.hi_as<uint32_t>(),
                            .lo = o.lo_as<uint32_t>(split)});
  for (int64_t i = 0; i < rounded_up(rows, 2); ++i) {
    for (int64_t j = 0; j < width; ++j) {
      o.expect_element((i / 2 * width + j) * 2 + i % 2, i, j, split);
    }
  }
  EXPECT_TRUE(o.surroundings_untouched());
}

TEST(Rounding, Panel) {
  for_each_case([](const KernelTable& kernels, int64_t rows, int64_t cols, bool split) {
    for (const int64_t width : {kernels.bf16_forward.nr, kernels.bf16_dot.nr}) {
      expect_panel(kernels, rows, std::min(cols, width), split, width);
    }
  });
}

}  // namespace
}  // namespace idelta_test
