// The checks of the C ABI's arguments. Code below it only asserts.
#ifndef IDELTA_CORE_API_CHECKS_H
#define IDELTA_CORE_API_CHECKS_H

#include <cstdint>
#include <string>

#include "idelta/idelta.h"
#include "src/core/api/argument_checks.h"
#include "src/core/context.h"
#include "src/core/formats/list.h"

namespace idelta::core {

inline void check_rows(int64_t m) {
  if (m < 0) invalid("m = " + std::to_string(m) + " is negative");
}

// Checks n, and that n x n and m x n are countable.
inline void check_width(int64_t n, int64_t m = 0) {
  constexpr int64_t kMost = int64_t{1} << 24;  // n^2 elements and their bytes stay far inside 63 bits
  if (n < 1 || n > kMost) invalid("n = " + std::to_string(n) + " is not in 1 .. " + std::to_string(kMost));
  if (m > (INT64_MAX >> 8) / n)
    invalid("m = " + std::to_string(m) + " rows of n = " + std::to_string(n) + " are too many");
}

inline void check_format(idelta_format format, const char* name) {
  if (!format_name(format)) {
    invalid(std::string(name) + " = " + std::to_string(format) + " is none of idelta_format's values");
  }
}

// The format of x^T dz, which every call makes anew, so that a factorisation would not pay.
inline void check_gradient_format(idelta_format format, const char* name) {
  check_format(format, name);
  if (!multiplies_gradients(format)) {
    invalid(std::string(name) + " = " + format_name(format) + " is not for gradients; give auto, f32, bf16x3 or bf16");
  }
}

}  // namespace idelta::core

#endif  // IDELTA_CORE_API_CHECKS_H
