// Rounding to bf16, over any vector type V of an ISA's vector.h, in integer arithmetic: the same bits on every ISA,
// whatever its own conversion does to denormals.
#ifndef IDELTA_KERNELS_BF16_H
#define IDELTA_KERNELS_BF16_H

#include "kernels/kernels.h"

namespace idelta {

// To the nearest bf16, ties to even, as the fp32 that it is; beyond the largest one to Inf; NaN stays NaN.
template <class V>
V bf16_rounded(V a) {
  return if_less_equal(a, a, round_to_high_half(a), quieted(a));
}

// v = hi + lo + rest with |rest| <= 2^-16 |v|, the difference being exact (Sterbenz). What becomes Inf or NaN is all in
// lo: it then meets the hi of finite numbers alone, and neither Inf - Inf nor Inf 0 makes a NaN of an Inf.
template <class V>
struct Bf16Split {
  V hi, lo;

  explicit Bf16Split(V v) {
    const V rounded = bf16_rounded(v), infinity = V::splat(__builtin_inff());
    hi = if_less(abs(rounded), infinity, rounded, V::zero());
    lo = bf16_rounded(v - hi);
  }
};

template <class V>
void store_pair(V even, V odd, uint32_t* words, typename V::Mask mask) {
  (shift_right_16(even) | odd).store(reinterpret_cast<float*>(words), mask);
}

template <class V>
void bf16_round_panel(const RoundPanel& p) {
  for (ptrdiff_t c = 0; c < p.width; c += V::lanes) {
    const auto mask = V::first(p.width - c);
    for (ptrdiff_t r = 0; r < p.rows; r += 2) {
      const float* src = p.src + r * p.width + c;
      const V even = V::load(src, mask), odd = r + 1 < p.rows ? V::load(src + p.width, mask) : V::zero();
      const ptrdiff_t at = r / 2 * p.width + c;
      if (p.lo) {
        const Bf16Split<V> first(even), second(odd);
        store_pair(first.hi, second.hi, p.hi + at, mask);
        store_pair(first.lo, second.lo, p.lo + at, mask);
      } else {
        store_pair(bf16_rounded(even), bf16_rounded(odd), p.hi + at, mask);
      }
    }
  }
}

template <class V>
void bf16_round_rows(const RoundRows& r) {
  const ptrdiff_t padded = (r.cols + kPairLine - 1) / kPairLine * kPairLine;
  for (ptrdiff_t i = 0; i < r.rows; ++i) {
    const float* src = r.src + i * r.ld;
    for (ptrdiff_t j = 0; j < padded; j += V::lanes) {
      const V v = j < r.cols ? V::load(src + j, V::first(r.cols - j)) : V::zero();
      if (r.lo) {
        const Bf16Split<V> split(v);
        store_high_halves(split.hi, r.hi + i * r.ldr + j);
        store_high_halves(split.lo, r.lo + i * r.ldr + j);
      } else {
        store_high_halves(bf16_rounded(v), r.hi + i * r.ldr + j);
      }
    }
  }
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_BF16_H
