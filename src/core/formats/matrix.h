// Views of matrices, and copies.
#ifndef IDELTA_CORE_FORMATS_MATRIX_H
#define IDELTA_CORE_FORMATS_MATRIX_H

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "src/core/base/error.h"

namespace idelta::core {

// Element (i, j) is data[i * ld + j], or data[j * ld + i] if transposed.
struct MatrixView {
  const float* data;
  int64_t ld;
  bool transposed = false;

  float at(int64_t i, int64_t j) const { return transposed ? data[j * ld + i] : data[i * ld + j]; }
  MatrixView transpose() const { return {data, ld, !transposed}; }
};

// A copy, row-major without gaps.
inline std::vector<float> dense(const MatrixView& A, int64_t rows, int64_t cols) {
  std::vector<float> all(static_cast<size_t>(rows * cols));
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < cols; ++j) all[static_cast<size_t>(i * cols + j)] = A.at(i, j);
  }
  return all;
}

// The transpose of a dense matrix.
inline std::vector<float> transposed(const std::vector<float>& A, int64_t rows, int64_t cols) {
  return dense({A.data(), cols, true}, cols, rows);
}

// Throws Failure unless all entries are finite. `need` says who needs that.
inline void check_finite(const char* name, const MatrixView& A, int64_t rows, int64_t cols, const char* need) {
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < cols; ++j) {
      if (std::isfinite(A.at(i, j))) continue;
      throw Failure(IDELTA_INVALID_ARGUMENT, std::string(name) + "[" + std::to_string(i) + ", " + std::to_string(j) +
                                                 "] = " + std::to_string(A.at(i, j)) + " is not finite; " + need);
    }
  }
}

// The value of a denormal, too, which the floating-point mode of calls reads as zero.
inline double exact(float a) {
  const auto bits = std::bit_cast<uint32_t>(a);
  if ((bits & 0x7f800000u) != 0) return static_cast<double>(a);
  return std::copysign(0x1p-149 * static_cast<double>(bits & 0x7fffffu), static_cast<double>(a));
}

// A 2^-exponent, whose largest entry is in [1, 2), so that products do not overflow. Exact except for entries that fall
// below 2^-126. zero: fp32 reads all of A as zero.
struct Scaled {
  std::vector<float> values;
  int exponent = 0;
  bool zero = false;

  explicit Scaled(const std::vector<float>& A) : values(A) {
    float largest = 0;
    for (const float a : A) largest = std::max(largest, std::fabs(a));
    zero = largest < 0x1p-126f;
    if (zero) return;
    exponent = std::ilogb(largest);
    const double scale = std::ldexp(1.0, -exponent);  // fp64: 2^128 is none of fp32's numbers
    for (float& a : values) a = static_cast<float>(exact(a) * scale);
  }
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_MATRIX_H
