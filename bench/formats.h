// What the benchmarks must know of a dense format besides its name in the library: a row each. D of low rank is a
// format too, lr32 (factors.h).
#pragma once

#include <stdexcept>
#include <string>

#include "bench/factors.h"

namespace idelta::bench {

// Two operands, each off by half a unit in the last place of bf16; a hundredth for what is of second order.
inline constexpr double kBf16Rounding = 1.01 * 0x1p-7;

struct FormatTraits {
  const char* name;
  double element_bytes;   // of D where products read it
  double rounding;        // what rounding both operands may add to the error of a product, relative to sum |a b|
  bool integers = false;  // x relative to the largest of its row (oneDNN: of all rows), D of its column
};

inline constexpr FormatTraits kFormats[] = {
    {"f32", 4, 0.0},
    {"bf16", 2, kBf16Rounding},
    {"bf16x3", 4, 1.01 * 3 * 0x1p-16},  // two roundings of each operand, and the product that is left out
    {"int8", 1, 0.0, true},
};

// Factors are fp32.
inline const FormatTraits& traits_of(const std::string& format) {
  for (const FormatTraits& traits : kFormats) {
    if (format == traits.name) return traits;
  }
  if (rank_of(format) > 0) return kFormats[0];
  throw std::logic_error("format " + format + " has no row in bench/formats.h: add it");
}

}  // namespace idelta::bench
