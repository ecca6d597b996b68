// One AVX2 register of floats, with the operations that the kernel templates use.
#ifndef IDELTA_KERNELS_AVX2_VECTOR_H
#define IDELTA_KERNELS_AVX2_VECTOR_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

namespace {

struct Vector {
  static constexpr ptrdiff_t lanes = 8;
  static constexpr int registers = 16;
  __m256 v;

  // The first `count` lanes; none if count <= 0. `all` avoids masked moves, which are slow on some CPUs.
  struct Mask {
    __m256i lanes;
    bool all;
  };
  static Mask first(ptrdiff_t count) {
    const int c = count < 0 ? 0 : count > lanes ? static_cast<int>(lanes) : static_cast<int>(count);
    return {_mm256_cmpgt_epi32(_mm256_set1_epi32(c), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)), c == lanes};
  }

  static Vector zero() { return {_mm256_setzero_ps()}; }
  static Vector splat(float x) { return {_mm256_set1_ps(x)}; }
  static Vector splat(idelta::Word x) { return {_mm256_castsi256_ps(_mm256_set1_epi32(static_cast<int>(x)))}; }
  static Vector load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static Vector load(const idelta::Word* p) {
    return {_mm256_castsi256_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
  }
  static Vector load(const float* p, Mask mask) {
    return mask.all ? load(p) : Vector{_mm256_maskload_ps(p, mask.lanes)};
  }
  void store(float* p) const { _mm256_storeu_ps(p, v); }
  void store(idelta::Word* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_castps_si256(v)); }
  void store(float* p, Mask mask) const {
    if (mask.all) return store(p);
    _mm256_maskstore_ps(p, mask.lanes, v);
  }
};

inline Vector operator+(Vector a, Vector b) { return {_mm256_add_ps(a.v, b.v)}; }
inline Vector operator-(Vector a, Vector b) { return {_mm256_sub_ps(a.v, b.v)}; }
inline Vector operator*(Vector a, Vector b) { return {_mm256_mul_ps(a.v, b.v)}; }
inline Vector operator/(Vector a, Vector b) { return {_mm256_div_ps(a.v, b.v)}; }
inline Vector operator|(Vector a, Vector b) { return {_mm256_or_ps(a.v, b.v)}; }
inline Vector fma(Vector a, Vector b, Vector c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
// sum = a b + sum in place. Without assembly GCC 12 moves sums between registers until one spills.
inline void accumulate(Vector& sum, Vector a, Vector b) {
  __asm__("vfmadd231ps %2, %1, %0" : "+x"(sum.v) : "x"(a.v), "x"(b.v));
}
// Does nothing, but tells the compiler that p depends on sum.
inline void order_after(Vector& sum, const idelta::Word*& p) { __asm__("" : "+x"(sum.v), "+r"(p)); }
// a, opaque to Clang: see gradient_of().
inline Vector opaque(Vector a) {
#if defined(__clang__)
  __asm__("" : "+x"(a.v));
#endif
  return a;
}
inline Vector fnma(Vector a, Vector b, Vector c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
inline Vector sqrt(Vector a) { return {_mm256_sqrt_ps(a.v)}; }
inline Vector abs(Vector a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
// The second operand where either is NaN.
inline Vector min(Vector a, Vector b) { return {_mm256_min_ps(a.v, b.v)}; }
inline Vector max(Vector a, Vector b) { return {_mm256_max_ps(a.v, b.v)}; }
// (a < b) ? yes : no; false where either is NaN.
inline Vector if_less(Vector a, Vector b, Vector yes, Vector no) {
  return {_mm256_blendv_ps(no.v, yes.v, _mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ))};
}
// (a <= b) ? yes : no; false where either is NaN.
inline Vector if_less_equal(Vector a, Vector b, Vector yes, Vector no) {
  return {_mm256_blendv_ps(no.v, yes.v, _mm256_cmp_ps(a.v, b.v, _CMP_LE_OQ))};
}
inline Vector copysign(Vector magnitude, Vector sign) {
  const __m256 bit = _mm256_set1_ps(-0.0f);
  return {_mm256_or_ps(_mm256_and_ps(bit, sign.v), _mm256_andnot_ps(bit, magnitude.v))};
}
// Nearest integer, ties to even.
inline Vector round(Vector a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
// 2^k for integral -126 <= k <= 127.
inline Vector power_of_two(Vector k) {
  return {
      _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(k.v), _mm256_set1_epi32(127)), 23))};
}
inline bool any_nonzero(Vector a) {
  return _mm256_movemask_ps(_mm256_cmp_ps(a.v, _mm256_setzero_ps(), _CMP_NEQ_UQ)) != 0;
}

// bf16.h: operations on bit patterns.
inline Vector from_bits(__m256i u) { return {_mm256_castsi256_ps(u)}; }
inline __m256i bits(Vector a) { return _mm256_castps_si256(a.v); }
inline Vector shift_left_16(Vector a) { return from_bits(_mm256_slli_epi32(bits(a), 16)); }
inline Vector shift_right_16(Vector a) { return from_bits(_mm256_srli_epi32(bits(a), 16)); }
inline Vector high_half(Vector a) {
  return from_bits(_mm256_and_si256(bits(a), _mm256_set1_epi32(static_cast<int>(0xffff0000u))));
}
inline Vector round_to_high_half(Vector a) {
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits(a), 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(bits(a), _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i quiet = _mm256_or_si256(bits(a), _mm256_set1_epi32(0x00400000));
  return if_less_equal(a, a, from_bits(rounded), from_bits(quiet));
}
inline Vector pair_high_halves(Vector even, Vector odd) {
  return from_bits(_mm256_blend_epi16(bits(shift_right_16(even)), bits(odd), 0xaa));
}
inline void store_high_halves(Vector a, uint16_t* p) {
  const __m256i words = _mm256_srli_epi32(bits(a), 16);
  const __m128i packed = _mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), packed);
}

// int8.h and int8_tile.h: operations on integers.
inline Vector from_integers(Vector a) { return {_mm256_cvtepi32_ps(bits(a))}; }
inline Vector difference_of_integers(Vector a, Vector b) { return from_bits(_mm256_sub_epi32(bits(a), bits(b))); }
// Of non-negative numbers and NaN the greater bit pattern.
inline Vector greater_bits(Vector a, Vector b) { return from_bits(_mm256_max_epi32(bits(a), bits(b))); }
inline uint32_t greatest_bits(Vector a) {
  __m128i four = _mm_max_epi32(_mm256_castsi256_si128(bits(a)), _mm256_extracti128_si256(bits(a), 1));
  four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  return static_cast<uint32_t>(_mm_cvtsi128_si32(_mm_max_epi32(four, _mm_shuffle_epi32(four, 0xb1))));
}
// a rounded to integers, half to even, plus kActivationZero.
inline void store_activations(Vector a, uint8_t* p) {
  const __m256i q = _mm256_add_epi32(_mm256_cvtps_epi32(a.v), _mm256_set1_epi32(idelta::kActivationZero));
  const __m128i eight = _mm_packus_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(eight, eight));
}

// The sums of RowSquares: lanes 0 to 3, 4 to 7, 8 to 11, 12 to 15.
struct Squares {
  __m256d sums[4] = {_mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd()};

  void add(const float* p) {
    add<0>(_mm_loadu_ps(p)), add<1>(_mm_loadu_ps(p + 4)), add<2>(_mm_loadu_ps(p + 8)), add<3>(_mm_loadu_ps(p + 12));
  }
  void add(const float* p, ptrdiff_t count) {
    const __m256 a = Vector::load(p, Vector::first(count)).v;
    add<0>(_mm256_castps256_ps128(a)), add<1>(_mm256_extractf128_ps(a, 1));
    if (count <= 8) return;
    const __m256 b = Vector::load(p + 8, Vector::first(count - 8)).v;
    add<2>(_mm256_castps256_ps128(b)), add<3>(_mm256_extractf128_ps(b, 1));
  }
  // The squares of x - scale (q - kActivationZero).
  void add_changes(const float* p, ptrdiff_t count, const uint8_t* q, double scale) {
    const __m256 a = Vector::load(p, Vector::first(count)).v, b = Vector::load(p + 8, Vector::first(count - 8)).v;
    add_change<0>(_mm256_castps256_ps128(a), q, scale), add_change<1>(_mm256_extractf128_ps(a, 1), q + 4, scale);
    add_change<2>(_mm256_castps256_ps128(b), q + 8, scale), add_change<3>(_mm256_extractf128_ps(b, 1), q + 12, scale);
  }
  double total() const {
    const __m256d four = _mm256_add_pd(_mm256_add_pd(sums[0], sums[2]), _mm256_add_pd(sums[1], sums[3]));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
  }

 private:
  template <int kPart>
  void add(__m128 x) {
    add<kPart>(_mm256_cvtps_pd(x));
  }
  template <int kPart>
  void add(__m256d a) {
    sums[kPart] = _mm256_fmadd_pd(a, a, sums[kPart]);
  }
  template <int kPart>
  void add_change(__m128 x, const uint8_t* q, double scale) {
    const __m128i integers =
        _mm_sub_epi32(_mm_cvtepu8_epi32(_mm_loadu_si32(q)), _mm_set1_epi32(idelta::kActivationZero));
    add<kPart>(_mm256_fnmadd_pd(_mm256_set1_pd(scale), _mm256_cvtepi32_pd(integers), _mm256_cvtps_pd(x)));
  }
};

// rows[i] lane j <-> rows[j] lane i.
inline __attribute__((always_inline)) void transpose(Vector (&rows)[8]) {
  __m256 t[8];
  for (int i = 0; i < 8; i += 4) {  // 4x4 within 128-bit lanes
    const __m256 a = _mm256_unpacklo_ps(rows[i].v, rows[i + 1].v), b = _mm256_unpackhi_ps(rows[i].v, rows[i + 1].v);
    const __m256 c = _mm256_unpacklo_ps(rows[i + 2].v, rows[i + 3].v),
                 d = _mm256_unpackhi_ps(rows[i + 2].v, rows[i + 3].v);
    t[i] = _mm256_shuffle_ps(a, c, 0x44);
    t[i + 1] = _mm256_shuffle_ps(a, c, 0xee);
    t[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
    t[i + 3] = _mm256_shuffle_ps(b, d, 0xee);
  }
  for (int i = 0; i < 4; ++i) {  // swap 128-bit lanes
    rows[i].v = _mm256_permute2f128_ps(t[i], t[i + 4], 0x20);
    rows[i + 4].v = _mm256_permute2f128_ps(t[i], t[i + 4], 0x31);
  }
}

}  // namespace

#endif  // IDELTA_KERNELS_AVX2_VECTOR_H
