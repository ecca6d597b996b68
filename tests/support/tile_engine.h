// AMX's tile registers in plain C++, to run the kernels of kernels/amx/multiply.h where there is no AMX. TDPBF16PS as
// in Intel's Software Developer's Manual: for every output two chains of fused multiply-adds, over the even and over
// the odd numbers of the pairs, then their sum, then that onto the output; each rounded to nearest even, subnormal
// inputs and results taken as zero.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

namespace idelta_test {

class EmulatedTiles {
 public:
  explicit EmulatedTiles(const uint8_t (&rows)[8]) {
    // What a register holds when it is configured is nobody's business.
    for (int t = 0; t < 8; ++t) {
      registers_[t].rows = rows[t];
      for (auto& row : registers_[t].words) {
        for (float& word : row) word = std::numeric_limits<float>::quiet_NaN();
      }
    }
  }

  template <int T>
  void zero() const {
    for (int r = 0; r < 16; ++r) std::memset(registers_[T].words[r], 0, kRowBytes);
  }
  template <int T>
  void load(const void* first, ptrdiff_t stride_bytes) const {
    for (int r = 0; r < registers_[T].rows; ++r) {
      std::memcpy(registers_[T].words[r], static_cast<const std::byte*>(first) + r * stride_bytes, kRowBytes);
    }
  }
  template <int T>
  void store(void* first, ptrdiff_t stride_bytes) const {
    for (int r = 0; r < registers_[T].rows; ++r) {
      std::memcpy(static_cast<std::byte*>(first) + r * stride_bytes, registers_[T].words[r], kRowBytes);
    }
  }
  template <int C, int A, int B>
  void dot() const {
    for (int m = 0; m < registers_[C].rows; ++m) {
      for (int n = 0; n < 16; ++n) {
        float even = 0, odd = 0;
        for (int k = 0; k < 16; ++k) {
          const float a = registers_[A].words[m][k], b = registers_[B].words[k][n];
          even = flushed(std::fma(low(a), low(b), even));
          odd = flushed(std::fma(high(a), high(b), odd));
        }
        float& sum = registers_[C].words[m][n];
        sum = flushed(flushed(sum) + flushed(even + odd));
      }
    }
  }

 private:
  static constexpr size_t kRowBytes = 64;
  struct Register {
    int rows;
    float words[16][16];
  };

  static float flushed(float v) { return std::fpclassify(v) == FP_SUBNORMAL ? std::copysign(0.0f, v) : v; }
  static float low(float pair) { return flushed(std::bit_cast<float>(std::bit_cast<uint32_t>(pair) << 16)); }
  static float high(float pair) { return flushed(std::bit_cast<float>(std::bit_cast<uint32_t>(pair) & 0xffff0000u)); }

  mutable Register registers_[8];  // a real register is no member, and changes under const
};

}  // namespace idelta_test
