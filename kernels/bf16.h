// Rounding to bf16, over any vector type V of an ISA's vector.h, in integer arithmetic: the same bits on every ISA,
// whatever its own conversion does to denormals. A lane's bf16 is its high half, and the low one is anything until
// high_half() clears it or the high halves of two vectors are paired.
#ifndef IDELTA_KERNELS_BF16_H
#define IDELTA_KERNELS_BF16_H

#include "kernels/compiler.h"
#include "kernels/kernels.h"

namespace idelta {

// To the nearest bf16, ties to even, as the fp32 that it is; beyond the largest one to Inf; NaN stays NaN, made quiet.
template <class V>
IDELTA_INLINE V bf16_rounded(V a) {
  return high_half(round_to_high_half(a));
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

// What is stored of a: rounded, or a half of the split.
enum class Bf16Part { kRounded, kHi, kLo };
template <Bf16Part kPart, class V>
IDELTA_INLINE V bf16_part(V a) {
  if constexpr (kPart == Bf16Part::kRounded) return round_to_high_half(a);  // of which the high half is stored
  const Bf16Split<V> split(a);
  return kPart == Bf16Part::kHi ? split.hi : split.lo;
}

// Pairs of columns of a block, from high halves: pairs[i] lane j = columns 2 i and 2 i + 1 of rows[j]. An ISA may have
// a better way.
template <class V>
IDELTA_INLINE void transpose_pairs(V (&rows)[V::lanes], V (&pairs)[V::lanes / 2]) {
  transpose(rows);
  IDELTA_UNROLL for (int i = 0; i < V::lanes / 2; ++i) pairs[i] = pair_high_halves(rows[2 * i], rows[2 * i + 1]);
}

// kWhole: src has all columns.
template <Bf16Part kPart, bool kWhole, class V>
IDELTA_INLINE void round_panel(const RoundPanel& p, uint32_t* words) {
  for (ptrdiff_t r = 0; r < p.rows; r += 2) {
    const float* const src = p.src + r * p.ld;
    const bool last = r + 1 == p.rows;
    for (ptrdiff_t c = 0; c < p.width; c += V::lanes, words += V::lanes) {
      const auto mask = V::first(kWhole ? V::lanes : p.cols - c);
      const V even = V::load(src + c, mask), odd = last ? V::zero() : V::load(src + p.ld + c, mask);
      pair_high_halves(bf16_part<kPart>(even), bf16_part<kPart>(odd)).store(reinterpret_cast<float*>(words));
    }
  }
}

template <class V>
void bf16_round_panel(const RoundPanel& given) {
  const RoundPanel p = given;  // for all the compiler knows, a store could change what was given
  if (p.lo) {
    round_panel<Bf16Part::kHi, false, V>(p, p.hi);
    round_panel<Bf16Part::kLo, false, V>(p, p.lo);
  } else if (p.cols < p.width) {
    round_panel<Bf16Part::kRounded, false, V>(p, p.hi);
  } else {
    round_panel<Bf16Part::kRounded, true, V>(p, p.hi);
  }
}

template <Bf16Part kPart, class V>
IDELTA_INLINE void round_rows(const RoundRows& t, uint16_t* dst) {
  const ptrdiff_t padded = (t.cols + kPairLine - 1) / kPairLine * kPairLine;
  for (ptrdiff_t r = 0; r < t.rows; ++r) {
    const float* const src = t.src + r * t.ld;
    uint16_t* const to = dst + r * t.ldr;
    ptrdiff_t c = 0;
    for (; c + V::lanes <= t.cols; c += V::lanes) store_high_halves(bf16_part<kPart>(V::load(src + c)), to + c);
    for (; c < padded; c += V::lanes) {
      store_high_halves(bf16_part<kPart>(V::load(src + c, V::first(t.cols - c))), to + c);
    }
  }
}

template <class V>
void bf16_round_rows(const RoundRows& given) {
  const RoundRows t = given;
  if (t.lo) {
    round_rows<Bf16Part::kHi, V>(t, t.hi);
    round_rows<Bf16Part::kLo, V>(t, t.lo);
  } else {
    round_rows<Bf16Part::kRounded, V>(t, t.hi);
  }
}

// Lines of pairs: rows of dst from row r and column c on, if there are any, from two vectors of rows of src by one of
// columns. They are paired first, which leaves half as much to transpose. kWhole: all is there.
template <Bf16Part kPart, bool kWhole, class V>
IDELTA_TILE void round_block_transposed(const RoundRows& t, ptrdiff_t r, ptrdiff_t c, uint16_t* dst) {
  const auto mask = V::first(kWhole ? V::lanes : t.rows - r);
  const ptrdiff_t ld = t.ld, ldr = t.ldr;
  const float* src = t.src + c * ld + r;
  V block[V::lanes];
  IDELTA_UNROLL for (int i = 0; i < V::lanes; ++i, src += 2 * ld) {
    forget(src);
    const V even = kWhole || c + 2 * i < t.cols ? V::load(src, mask) : V::zero();
    const V odd = kWhole || c + 2 * i + 1 < t.cols ? V::load(src + ld, mask) : V::zero();
    block[i] = pair_high_halves(bf16_part<kPart>(even), bf16_part<kPart>(odd));
  }
  transpose(block);
  dst += r * ldr + c;
  IDELTA_UNROLL for (int i = 0; i < V::lanes; ++i, dst += ldr) {
    forget(dst);
    if (kWhole || r + i < t.rows) block[i].store(reinterpret_cast<float*>(dst));
  }
}

template <Bf16Part kPart, class V>
IDELTA_INLINE void round_transposed(const RoundRows& t, uint16_t* dst) {
  for (ptrdiff_t r = 0; r < t.rows; r += V::lanes) {
    for (ptrdiff_t c = 0; c < (t.cols + kPairLine - 1) / kPairLine * kPairLine; c += 2 * V::lanes) {
      const bool whole = r + V::lanes <= t.rows && c + 2 * V::lanes <= t.cols;
      whole ? round_block_transposed<kPart, true, V>(t, r, c, dst)
            : round_block_transposed<kPart, false, V>(t, r, c, dst);
    }
  }
}

template <class V>
void bf16_round_rows_transposed(const RoundRows& given) {
  const RoundRows t = given;
  if (t.lo) {
    round_transposed<Bf16Part::kHi, V>(t, t.hi);
    round_transposed<Bf16Part::kLo, V>(t, t.lo);
  } else {
    round_transposed<Bf16Part::kRounded, V>(t, t.hi);
  }
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_BF16_H
