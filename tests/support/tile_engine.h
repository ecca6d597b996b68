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
    add_product_where_fast(registers_[C], registers_[A], registers_[B]);
  }

  // TDPBUSD: unsigned bytes of A with signed ones of B, four to a word, modulo 2^32.
  template <int C, int A, int B>
  void dot_quads() const {
    Register& c = registers_[C];
    for (int m = 0; m < c.rows; ++m) {
      uint32_t sums[16];
      std::memcpy(sums, c.words[m], kRowBytes);
      for (int k = 0; k < 16; ++k) {
        uint8_t x[4];
        int8_t d[16][4];
        std::memcpy(x, &registers_[A].words[m][k], sizeof x);
        std::memcpy(d, registers_[B].words[k], kRowBytes);
        for (int n = 0; n < 16; ++n) {
          for (int byte = 0; byte < 4; ++byte) sums[n] += static_cast<uint32_t>(x[byte] * d[n][byte]);
        }
      }
      std::memcpy(c.words[m], sums, kRowBytes);
    }
  }

 private:
  static constexpr size_t kRowBytes = 64;
  struct Register {
    int rows;
    float words[16][16];
  };

  // A column of the output is a lane: a compiler that may use fused multiply-adds makes vectors of the inner loops.
  [[gnu::always_inline]] static void add_product(Register& c, const Register& a, const Register& b) {
    for (int m = 0; m < c.rows; ++m) {
      float even[16] = {}, odd[16] = {}, *sum = c.words[m];
      for (int k = 0; k < 16; ++k) {
        const float pair = a.words[m][k], first = low(pair), second = high(pair);
        for (int n = 0; n < 16; ++n) even[n] = flushed(std::fma(first, low(b.words[k][n]), even[n]));
        for (int n = 0; n < 16; ++n) odd[n] = flushed(std::fma(second, high(b.words[k][n]), odd[n]));
      }
      for (int n = 0; n < 16; ++n) sum[n] = flushed(flushed(sum[n]) + flushed(even[n] + odd[n]));
    }
  }
#if defined(__x86_64__)
  // The same bits, 40 times as fast as the calls of fma() without it.
  [[gnu::target("avx512f,avx512dq")]] static void add_product_avx512(Register& c, const Register& a,
                                                                     const Register& b) {
    add_product(c, a, b);
  }
  static void add_product_where_fast(Register& c, const Register& a, const Register& b) {
    static const bool has_avx512 = __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512dq") != 0;
    has_avx512 ? add_product_avx512(c, a, b) : add_product(c, a, b);
  }
#else
  static void add_product_where_fast(Register& c, const Register& a, const Register& b) { add_product(c, a, b); }
#endif

  [[gnu::always_inline]] static float flushed(float v) {
    return std::abs(v) < std::numeric_limits<float>::min() ? std::copysign(0.0f, v) : v;
  }
  [[gnu::always_inline]] static float low(float pair) {
    return flushed(std::bit_cast<float>(std::bit_cast<uint32_t>(pair) << 16));
  }
  [[gnu::always_inline]] static float high(float pair) {
    return flushed(std::bit_cast<float>(std::bit_cast<uint32_t>(pair) & 0xffff0000u));
  }

  mutable Register registers_[8];  // a real register is no member, and changes under const
};

}  // namespace idelta_test
