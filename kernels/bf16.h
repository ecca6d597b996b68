// Rounding to bf16 over any vector type V of an ISA's vector.h. Integer arithmetic gives the same bits on every ISA;
// their own conversions differ for denormals. A lane's bf16 is its high half; the low half is undefined until
// high_half() clears it or two vectors are paired.
#ifndef IDELTA_KERNELS_BF16_H
#define IDELTA_KERNELS_BF16_H

#include "kernels/compiler.h"
#include "kernels/kernels.h"

namespace idelta {

// The nearest bf16 as fp32, ties to even. Beyond the largest bf16 it is Inf. NaN becomes a quiet NaN.
template <class V>
IDELTA_INLINE V bf16_rounded(V a) {
  return high_half(round_to_high_half(a));
}

// v = hi + lo + rest with |rest| <= 2^-16 |v|; v - hi is exact (Sterbenz). A v that rounds to Inf or NaN has hi = 0 and
// is all in lo, which meets the hi of finite numbers only: neither Inf - Inf nor Inf 0 can turn an Inf into a NaN.
template <class V>
struct Bf16Split {
  V hi, lo;

  explicit Bf16Split(V v) {
    const V rounded = bf16_rounded(v), infinity = V::splat(__builtin_inff());
    hi = if_less(abs(rounded), infinity, rounded, V::zero());
    lo = bf16_rounded(v - hi);
  }
};

// What is stored of a number: itself rounded, or a half of its split.
enum class Bf16Part { kRounded, kHi, kLo };
template <Bf16Part kPart, class V>
IDELTA_INLINE V bf16_part(V a) {
  if constexpr (kPart == Bf16Part::kRounded) return round_to_high_half(a);  // of which the high half is stored
  const Bf16Split<V> split(a);
  return kPart == Bf16Part::kHi ? split.hi : split.lo;
}

// Pairs columns of a block by their high halves: pairs[i] lane j = columns 2 i and 2 i + 1 of rows[j]. An ISA may
// overload it.
template <class V>
IDELTA_INLINE void transpose_pairs(V (&rows)[V::lanes], V (&pairs)[V::lanes / 2]) {
  transpose(rows);
  IDELTA_UNROLL for (int i = 0; i < V::lanes / 2; ++i) pairs[i] = pair_high_halves(rows[2 * i], rows[2 * i + 1]);
}

// kWhole: src has all p.width columns.
template <Bf16Part kPart, bool kWhole, class V>
IDELTA_INLINE void round_panel(const RoundPanel& p, Word* words) {
  for (ptrdiff_t r = 0; r < p.rows; r += 2) {
    const float* const src = p.src + r * p.ld;
    const bool last = r + 1 == p.rows;
    for (ptrdiff_t c = 0; c < p.width; c += V::lanes, words += V::lanes) {
      const auto mask = V::first(kWhole ? V::lanes : p.cols - c);
      const V even = V::load(src + c, mask), odd = last ? V::zero() : V::load(src + p.ld + c, mask);
      pair_high_halves(bf16_part<kPart>(even), bf16_part<kPart>(odd)).store(words);
    }
  }
}

// Calls round.operator()<part>(dst) for hi and, if wanted, lo.
template <class Operands, class Round>
IDELTA_INLINE void each_part(const Operands& to, const Round& round) {
  if (to.lo) {
    round.template operator()<Bf16Part::kHi>(to.hi);
    round.template operator()<Bf16Part::kLo>(to.lo);
  } else {
    round.template operator()<Bf16Part::kRounded>(to.hi);
  }
}

template <class V>
void bf16_round_panel(const RoundPanel& given) {
  const RoundPanel p = given;  // a copy: stores could alias the original
  each_part(p, [&]<Bf16Part kPart>(Word* words) {
    p.cols >= p.width ? round_panel<kPart, true, V>(p, words) : round_panel<kPart, false, V>(p, words);
  });
}

// cols rounded up to whole lines of pairs.
IDELTA_INLINE constexpr ptrdiff_t padded(ptrdiff_t cols) { return (cols + kPairLine - 1) / kPairLine * kPairLine; }

template <Bf16Part kPart, class V>
IDELTA_INLINE void round_rows(const RoundRows& t, uint16_t* dst) {
  for (ptrdiff_t r = 0; r < t.rows; ++r) {
    const float* const src = t.src + r * t.ld;
    uint16_t* const to = dst + r * t.ldr;
    ptrdiff_t c = 0;
    for (; c + V::lanes <= t.cols; c += V::lanes) store_high_halves(bf16_part<kPart>(V::load(src + c)), to + c);
    for (; c < padded(t.cols); c += V::lanes) {
      store_high_halves(bf16_part<kPart>(V::load(src + c, V::first(t.cols - c))), to + c);
    }
  }
}

template <class V>
void bf16_round_rows(const RoundRows& given) {
  const RoundRows t = given;
  each_part(t, [&]<Bf16Part kPart>(uint16_t* dst) { round_rows<kPart, V>(t, dst); });
}

// Writes V::lanes rows of V::lanes pairs at (r, c) of dst. Rows are paired before they are transposed, which halves
// the transpose. kWhole: the block does not reach past the last row or column.
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
    if (kWhole || r + i < t.rows) block[i].store(reinterpret_cast<Word*>(dst));
  }
}

template <Bf16Part kPart, class V>
IDELTA_INLINE void round_transposed(const RoundRows& t, uint16_t* dst) {
  for (ptrdiff_t r = 0; r < t.rows; r += V::lanes) {
    for (ptrdiff_t c = 0; c < padded(t.cols); c += 2 * V::lanes) {
      const bool whole = r + V::lanes <= t.rows && c + 2 * V::lanes <= t.cols;
      whole ? round_block_transposed<kPart, true, V>(t, r, c, dst)
            : round_block_transposed<kPart, false, V>(t, r, c, dst);
    }
  }
}

template <class V>
void bf16_round_rows_transposed(const RoundRows& given) {
  const RoundRows t = given;
  each_part(t, [&]<Bf16Part kPart>(uint16_t* dst) { round_transposed<kPart, V>(t, dst); });
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_BF16_H
