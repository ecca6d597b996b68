// One AVX-512 register of floats, with the operations that the kernel templates use.
#ifndef IDELTA_KERNELS_AVX512_VECTOR_H
#define IDELTA_KERNELS_AVX512_VECTOR_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

namespace {

struct Vector {
  static constexpr ptrdiff_t lanes = 16;
  static constexpr int registers = 32;
  __m512 v;

  // The first `count` lanes; none if count <= 0, all if count >= lanes.
  using Mask = __mmask16;
  static Mask first(ptrdiff_t count) {
    return static_cast<Mask>(count >= lanes ? 0xffff : count <= 0 ? 0 : (1u << count) - 1);
  }

  static Vector zero() { return {_mm512_setzero_ps()}; }
  static Vector splat(float x) { return {_mm512_set1_ps(x)}; }
  static Vector splat(idelta::Word x) { return {_mm512_castsi512_ps(_mm512_set1_epi32(static_cast<int>(x)))}; }
  static Vector load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static Vector load(const idelta::Word* p) { return {_mm512_castsi512_ps(_mm512_loadu_si512(p))}; }
  static Vector load(const float* p, Mask mask) { return {_mm512_maskz_loadu_ps(mask, p)}; }
  void store(float* p) const { _mm512_storeu_ps(p, v); }
  void store(idelta::Word* p) const { _mm512_storeu_si512(p, _mm512_castps_si512(v)); }
  void store(float* p, Mask mask) const { _mm512_mask_storeu_ps(p, mask, v); }
};

// Stores past the caches; p is aligned to whole vectors. Call finish_streams() before another thread reads it.
inline void stream(Vector a, idelta::Word* p) { _mm512_stream_ps(reinterpret_cast<float*>(p), a.v); }
inline void finish_streams(Vector) { _mm_sfence(); }

inline Vector operator+(Vector a, Vector b) { return {_mm512_add_ps(a.v, b.v)}; }
inline Vector operator-(Vector a, Vector b) { return {_mm512_sub_ps(a.v, b.v)}; }
inline Vector operator*(Vector a, Vector b) { return {_mm512_mul_ps(a.v, b.v)}; }
inline Vector operator/(Vector a, Vector b) { return {_mm512_div_ps(a.v, b.v)}; }
inline Vector fma(Vector a, Vector b, Vector c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
// sum = a b + sum in place. Without assembly GCC 12 moves sums between registers until one spills.
inline void accumulate(Vector& sum, Vector a, Vector b) {
  __asm__("vfmadd231ps %2, %1, %0" : "+v"(sum.v) : "v"(a.v), "v"(b.v));
}
// Does nothing, but tells the compiler that p depends on sum.
inline void order_after(Vector& sum, const idelta::Word*& p) { __asm__("" : "+v"(sum.v), "+r"(p)); }
// a, opaque to Clang: see gradient_of().
inline Vector opaque(Vector a) {
#if defined(__clang__)
  __asm__("" : "+v"(a.v));
#endif
  return a;
}
inline Vector fnma(Vector a, Vector b, Vector c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
inline Vector sqrt(Vector a) { return {_mm512_sqrt_ps(a.v)}; }
inline Vector abs(Vector a) { return {_mm512_abs_ps(a.v)}; }
// The second operand where either is NaN.
inline Vector min(Vector a, Vector b) { return {_mm512_min_ps(a.v, b.v)}; }
inline Vector max(Vector a, Vector b) { return {_mm512_max_ps(a.v, b.v)}; }
// (a < b) ? yes : no; false where either is NaN.
inline Vector if_less(Vector a, Vector b, Vector yes, Vector no) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), no.v, yes.v)};
}
// (a <= b) ? yes : no; false where either is NaN.
inline Vector if_less_equal(Vector a, Vector b, Vector yes, Vector no) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ), no.v, yes.v)};
}
inline Vector copysign(Vector magnitude, Vector sign) {
  const __m512i bit = _mm512_set1_epi32(static_cast<int>(0x80000000u));
  return {_mm512_castsi512_ps(
      _mm512_ternarylogic_epi32(bit, _mm512_castps_si512(sign.v), _mm512_castps_si512(magnitude.v), 0xca))};
}
// Nearest integer, ties to even.
inline Vector round(Vector a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
// 2^k for integral -126 <= k <= 127.
inline Vector power_of_two(Vector k) {
  return {
      _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(k.v), _mm512_set1_epi32(127)), 23))};
}
inline bool any_nonzero(Vector a) { return _mm512_cmp_ps_mask(a.v, _mm512_setzero_ps(), _CMP_NEQ_UQ) != 0; }
inline Vector operator|(Vector a, Vector b) {
  return {_mm512_castsi512_ps(_mm512_or_si512(_mm512_castps_si512(a.v), _mm512_castps_si512(b.v)))};
}

// bf16.h: operations on bit patterns.
inline Vector from_bits(__m512i u) { return {_mm512_castsi512_ps(u)}; }
inline __m512i bits(Vector a) { return _mm512_castps_si512(a.v); }
inline Vector shift_left_16(Vector a) { return from_bits(_mm512_slli_epi32(bits(a), 16)); }
inline Vector shift_right_16(Vector a) { return from_bits(_mm512_srli_epi32(bits(a), 16)); }
inline Vector high_half(Vector a) {
  return from_bits(_mm512_and_si512(bits(a), _mm512_set1_epi32(static_cast<int>(0xffff0000u))));
}
inline Vector round_to_high_half(Vector a) {
  const __mmask16 odd = _mm512_test_epi32_mask(bits(a), _mm512_set1_epi32(0x10000));
  const __mmask16 nan = _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q);
  const __m512i half = _mm512_add_epi32(bits(a), _mm512_set1_epi32(0x7fff));
  const __m512i rounded = _mm512_mask_add_epi32(half, odd, half, _mm512_set1_epi32(1));
  return from_bits(_mm512_mask_or_epi32(rounded, nan, bits(a), _mm512_set1_epi32(0x00400000)));
}
inline Vector pair_high_halves(Vector even, Vector odd) {
  return from_bits(_mm512_mask_blend_epi16(0xaaaaaaaau, bits(shift_right_16(even)), bits(odd)));
}
inline void store_high_halves(Vector a, uint16_t* p) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(_mm512_srli_epi32(bits(a), 16)));
}

// int8.h and int8_tile.h: operations on integers.
inline Vector from_integers(Vector a) { return {_mm512_cvtepi32_ps(bits(a))}; }
inline Vector difference_of_integers(Vector a, Vector b) { return from_bits(_mm512_sub_epi32(bits(a), bits(b))); }
// Of non-negative numbers and NaN the greater bit pattern.
inline Vector greater_bits(Vector a, Vector b) { return from_bits(_mm512_max_epi32(bits(a), bits(b))); }
inline uint32_t greatest_bits(Vector a) { return _mm512_reduce_max_epu32(bits(a)); }
// a rounded to integers, half to even, plus kActivationZero.
inline void store_activations(Vector a, uint8_t* p) {
  const __m512i q = _mm512_add_epi32(_mm512_cvtps_epi32(a.v), _mm512_set1_epi32(idelta::kActivationZero));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(q));
}

// 4 x 4 within each lane of 128 bits: number j of rows[i] becomes number i of columns[j].
inline __attribute__((always_inline)) void transpose_lanes(const __m512 (&rows)[4], __m512* columns) {
  const __m512 a = _mm512_unpacklo_ps(rows[0], rows[1]), b = _mm512_unpackhi_ps(rows[0], rows[1]);
  const __m512 c = _mm512_unpacklo_ps(rows[2], rows[3]), d = _mm512_unpackhi_ps(rows[2], rows[3]);
  columns[0] = _mm512_shuffle_ps(a, c, 0x44);
  columns[1] = _mm512_shuffle_ps(a, c, 0xee);
  columns[2] = _mm512_shuffle_ps(b, d, 0x44);
  columns[3] = _mm512_shuffle_ps(b, d, 0xee);
}

// The sums of RowSquares.
struct Squares {
  __m512d low = _mm512_setzero_pd(), high = _mm512_setzero_pd();  // lanes 0 to 7, 8 to 15

  void add(const float* p) { add(_mm512_cvtps_pd(_mm256_loadu_ps(p)), _mm512_cvtps_pd(_mm256_loadu_ps(p + 8))); }
  void add(const float* p, ptrdiff_t count) {
    const __m512 x = Vector::load(p, Vector::first(count)).v;
    add(_mm512_cvtps_pd(_mm512_castps512_ps256(x)), _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1)));
  }
  // The squares of x - scale (q - kActivationZero).
  void add_changes(const float* p, ptrdiff_t count, const uint8_t* q, double scale) {
    const __m512 x = Vector::load(p, Vector::first(count)).v;
    const __m512i integers =
        _mm512_sub_epi32(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(q))),
                         _mm512_set1_epi32(idelta::kActivationZero));
    const __m512d s = _mm512_set1_pd(scale);
    add(_mm512_fnmadd_pd(s, _mm512_cvtepi32_pd(_mm512_castsi512_si256(integers)),
                         _mm512_cvtps_pd(_mm512_castps512_ps256(x))),
        _mm512_fnmadd_pd(s, _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(integers, 1)),
                         _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1))));
  }
  double total() const {
    const __m512d eight = _mm512_add_pd(low, high);
    const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
  }

 private:
  void add(__m512d a, __m512d b) {
    low = _mm512_fmadd_pd(a, a, low);
    high = _mm512_fmadd_pd(b, b, high);
  }
};

// rows[i] lane j <-> rows[j] lane i.
inline __attribute__((always_inline)) void transpose(Vector (&rows)[16]) {
  __m512 t[16];
  for (int i = 0; i < 16; i += 4) transpose_lanes({rows[i].v, rows[i + 1].v, rows[i + 2].v, rows[i + 3].v}, t + i);
  for (int i = 0; i < 4; ++i) {  // 4x4 of 128-bit lanes
    const __m512 a = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88), b = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd);
    const __m512 c = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88),
                 d = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xdd);
    rows[i].v = _mm512_shuffle_f32x4(a, c, 0x88);
    rows[i + 8].v = _mm512_shuffle_f32x4(a, c, 0xdd);
    rows[i + 4].v = _mm512_shuffle_f32x4(b, d, 0x88);
    rows[i + 12].v = _mm512_shuffle_f32x4(b, d, 0xdd);
  }
}

// For bf16.h. Rows are paired before they are transposed, which halves the shuffles.
inline __attribute__((always_inline)) void transpose_pairs(Vector (&rows)[16], Vector (&pairs)[8]) {
  const __m512i high_halves = _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33,  //
                                               31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
  __m512 t[8];  // lanes of 128 bits: pairs [0, 4) and [4, 8) of four rows, then of the next four
  for (int i = 0; i < 8; i += 4) {
    __m512 q[4];
    for (int k = 0; k < 4; ++k) {
      const Vector &first = rows[2 * i + k], &second = rows[2 * i + k + 4];
      q[k] = _mm512_castsi512_ps(_mm512_permutex2var_epi16(bits(first), high_halves, bits(second)));
    }
    transpose_lanes(q, t + i);
  }
  for (int i = 0; i < 4; ++i) {
    pairs[i].v = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88);
    pairs[i + 4].v = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd);
  }
}

// For pack.h. The 128-bit pieces are put in place by the load ports, which leaves half of transpose()'s shuffles:
// packing takes two thirds of the time (Zen 4, 2026-11).
inline __attribute__((always_inline)) void load_transposed(const float* src, ptrdiff_t ld, Vector (&columns)[16]) {
  for (int c = 0; c < 16; c += 4) {
    __m512 rows[4];  // rows[k]: columns [c, c + 4) of rows k, k + 4, k + 8, k + 12
    for (int k = 0; k < 4; ++k) {
      const float* const at = src + k * ld + c;
      __m512 row = _mm512_castps128_ps512(_mm_loadu_ps(at));
      row = _mm512_mask_broadcast_f32x4(row, 0x00f0, _mm_loadu_ps(at + 4 * ld));
      row = _mm512_mask_broadcast_f32x4(row, 0x0f00, _mm_loadu_ps(at + 8 * ld));
      rows[k] = _mm512_mask_broadcast_f32x4(row, 0xf000, _mm_loadu_ps(at + 12 * ld));
    }
    __m512 t[4];
    transpose_lanes(rows, t);
    for (int k = 0; k < 4; ++k) columns[c + k].v = t[k];
  }
}

}  // namespace

#endif  // IDELTA_KERNELS_AVX512_VECTOR_H
