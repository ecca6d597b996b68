// A "register" of one float: lets the scalar table share the element-wise templates, bit for bit.
#ifndef IDELTA_KERNELS_SCALAR_VECTOR_H
#define IDELTA_KERNELS_SCALAR_VECTOR_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

namespace {

struct Vector {
  static constexpr ptrdiff_t lanes = 1;
  float v;

  using Mask = bool;
  static Mask first(ptrdiff_t count) { return count > 0; }

  static Vector zero() { return {0.0f}; }
  static Vector splat(float x) { return {x}; }
  static Vector load(const float* p) { return {*p}; }
  static Vector load(const idelta::Word* p) { return {__builtin_bit_cast(float, *p)}; }
  static Vector load(const float* p, Mask mask) { return {mask ? *p : 0.0f}; }
  void store(float* p) const { *p = v; }
  void store(idelta::Word* p) const { *p = __builtin_bit_cast(uint32_t, v); }
  void store(float* p, Mask mask) const {
    if (mask) *p = v;
  }
};

inline uint32_t bits(Vector a) { return __builtin_bit_cast(uint32_t, a.v); }
inline Vector from_bits(uint32_t u) { return {__builtin_bit_cast(float, u)}; }

inline Vector operator+(Vector a, Vector b) { return {a.v + b.v}; }
inline Vector operator-(Vector a, Vector b) { return {a.v - b.v}; }
inline Vector operator*(Vector a, Vector b) { return {a.v * b.v}; }
inline Vector operator/(Vector a, Vector b) { return {a.v / b.v}; }
inline Vector operator|(Vector a, Vector b) { return from_bits(bits(a) | bits(b)); }
inline Vector fma(Vector a, Vector b, Vector c) { return {__builtin_fmaf(a.v, b.v, c.v)}; }
inline Vector fnma(Vector a, Vector b, Vector c) { return {__builtin_fmaf(-a.v, b.v, c.v)}; }
// a, opaque to Clang: see gradient_of(). Only x86 treats denormals as zero.
inline Vector opaque(Vector a) {
#if defined(__clang__) && defined(__x86_64__)
  __asm__("" : "+x"(a.v));
#endif
  return a;
}
inline Vector sqrt(Vector a) { return {__builtin_sqrtf(a.v)}; }
inline Vector abs(Vector a) { return from_bits(bits(a) & 0x7fffffffu); }
// The second operand where either is NaN, as on x86.
inline Vector min(Vector a, Vector b) { return {a.v < b.v ? a.v : b.v}; }
inline Vector max(Vector a, Vector b) { return {a.v > b.v ? a.v : b.v}; }
inline Vector if_less(Vector a, Vector b, Vector yes, Vector no) { return a.v < b.v ? yes : no; }
inline Vector if_less_equal(Vector a, Vector b, Vector yes, Vector no) { return a.v <= b.v ? yes : no; }
inline Vector copysign(Vector magnitude, Vector sign) {
  return from_bits((bits(magnitude) & 0x7fffffffu) | (bits(sign) & 0x80000000u));
}
// Nearest integer, ties to even, for |a| < 2^22.
inline Vector round(Vector a) {
  constexpr float kShift = 12582912.0f;  // 1.5 * 2^23: the sum has no bits left for a fraction
  return {(a.v + kShift) - kShift};
}
// 2^k for integral -126 <= k <= 127: the sum's last bits are 127 + k. Converting k would be undefined for NaN.
inline Vector power_of_two(Vector k) { return from_bits(bits({k.v + 12583039.0f}) << 23); }  // 1.5 * 2^23 + 127
inline bool any_nonzero(Vector a) { return a.v != 0.0f; }
inline void transpose(Vector (&)[1]) {}

// The sums of RowSquares.
struct Squares {
  double sums[idelta::kLine] = {};

  void add(const float* p) { add(p, idelta::kLine); }
  void add(const float* p, ptrdiff_t count) {
    for (ptrdiff_t l = 0; l < count; ++l) sums[l] += static_cast<double>(p[l]) * static_cast<double>(p[l]);
  }
  void add_changes(const float* x, ptrdiff_t count, const uint8_t* q, double scale) {
    for (ptrdiff_t l = 0; l < count; ++l) {
      const double change = __builtin_fma(-scale, q[l] - idelta::kActivationZero, static_cast<double>(x[l]));
      sums[l] = __builtin_fma(change, change, sums[l]);
    }
  }
  double total() const {
    Squares lanes = *this;
    for (ptrdiff_t half = idelta::kLine / 2; half > 0; half /= 2) {
      for (ptrdiff_t l = 0; l < half; ++l) lanes.sums[l] += lanes.sums[l + half];
    }
    return lanes.sums[0];
  }
};

// bf16.h: operations on bit patterns.
inline Vector shift_left_16(Vector a) { return from_bits(bits(a) << 16); }
inline Vector shift_right_16(Vector a) { return from_bits(bits(a) >> 16); }
inline Vector high_half(Vector a) { return from_bits(bits(a) & 0xffff0000u); }
inline Vector round_to_high_half(Vector a) {
  const uint32_t u = bits(a);
  return from_bits(a.v <= a.v ? u + 0x7fffu + (u >> 16 & 1) : u | 0x00400000u);
}
inline Vector pair_high_halves(Vector even, Vector odd) { return shift_right_16(even) | high_half(odd); }
inline void store_high_halves(Vector a, uint16_t* p) { *p = static_cast<uint16_t>(bits(a) >> 16); }

// int8.h and amx/multiply.h: operations on integers.
inline Vector from_integers(Vector a) { return {static_cast<float>(static_cast<int32_t>(bits(a)))}; }
inline Vector difference_of_integers(Vector a, Vector b) { return from_bits(bits(a) - bits(b)); }
// Of non-negative numbers and NaN the greater bit pattern.
inline Vector greater_bits(Vector a, Vector b) { return bits(a) < bits(b) ? b : a; }
inline uint32_t greatest_bits(Vector a) { return bits(a); }
// a rounded to integers, half to even, plus kActivationZero.
inline void store_activations(Vector a, uint8_t* p) {
  *p = static_cast<uint8_t>(static_cast<int>(round(a).v) + idelta::kActivationZero);
}

}  // namespace

#endif  // IDELTA_KERNELS_SCALAR_VECTOR_H
