// What the register tiles of all passes share, over any vector type V of an ISA's vector.h:
//
//   sum[i][j] = sum[i][j] + lhs[p][i] * rhs[p][j],  p ascending, one fused multiply-add each
//
// forward_tile.h: lhs are rows of x or dz, rhs panels of D or D^T. weights_tile.h: lhs are columns of x, rhs columns of
// dz. A tile of few rows takes several panels at once.
#ifndef IDELTA_KERNELS_TILE_H
#define IDELTA_KERNELS_TILE_H

#include "kernels/compiler.h"
#include "kernels/kernels.h"

namespace idelta {

// MR rows of x, ld apart. Only every third row has a pointer; x86's scaled index reaches the two after it. So all
// pointers fit into the general registers.
template <class X, int MR>
struct LhsRows {
  const typename X::Number* third[(MR + 2) / 3];
  ptrdiff_t ld;

  IDELTA_INLINE LhsRows(const typename X::Number* first, ptrdiff_t stride) : ld(stride) {
    IDELTA_UNROLL for (int g = 0; g < (MR + 2) / 3; ++g) third[g] = first + 3 * g * ld;
  }
  IDELTA_INLINE typename X::Number at(int i, ptrdiff_t step) const { return third[i / 3][i % 3 * ld + step]; }
  IDELTA_INLINE void advance(ptrdiff_t steps) {
    IDELTA_UNROLL for (int g = 0; g < (MR + 2) / 3; ++g) third[g] += steps;
  }
};

// MR adjacent columns of x.
template <int MR>
struct LhsColumns {
  const float* first;
  ptrdiff_t stride;

  IDELTA_INLINE float at(int i, ptrdiff_t step) const { return first[step * stride + i]; }
  IDELTA_INLINE void advance(ptrdiff_t steps) { first += steps * stride; }
};

// A product says what a word of rhs holds: kSteps reduction steps, each multiplied by a word of lhs. kFetches: whether
// its tiles carry out a Fetch that is not dense.
struct OneStep {
  static constexpr int kSteps = 1;
  template <class V>
  static IDELTA_INLINE V load(const Word* word, int) {
    return V::load(word);
  }
};
struct MultiplyAdd {
  static constexpr bool kFetches = true;
  template <class V>
  static IDELTA_INLINE void step(V& sum, V x, V d) {
    accumulate(sum, x, d);
  }
};
struct F32Product : OneStep, MultiplyAdd {
  using X = Floats;
};

// A pair of bf16, widened.
struct WidenedProduct : MultiplyAdd {
  using X = Floats;
  static constexpr int kSteps = 2;
  template <class V>
  static IDELTA_INLINE V load(const Word* word, int part) {
    return part == 0 ? shift_left_16(V::load(word)) : high_half(V::load(word));
  }
};

// A pair of bf16 times a pair of bf16. kFetches would cost 1 %.
struct DotProduct : OneStep {
  using X = Pairs;
  static constexpr bool kFetches = false;
  template <class V>
  static IDELTA_INLINE void step(V& sum, V x, V d) {
    accumulate_dot(sum, x, d);
  }
};

// Step `part` of the words at rhs: MR broadcasts of lhs times NP panels of NV vectors.
template <class Product, class V, int MR, int NP, int NV, class Lhs>
IDELTA_INLINE void multiply_step(V (&sum)[MR][NP * NV], const Lhs& lhs, int part, const Word* rhs,
                                 ptrdiff_t panel_stride) {
  V d[NP * NV];
  IDELTA_UNROLL for (int v = 0; v < NP * NV; ++v) {
    d[v] = Product::template load<V>(rhs + (v / NV) * panel_stride + (v % NV) * V::lanes, part);
  }
  IDELTA_UNROLL for (int i = 0; i < MR; ++i) {
    const V x = V::splat(lhs.at(i, part));
    IDELTA_UNROLL for (int v = 0; v < NP * NV; ++v) Product::step(sum[i][v], x, d[v]);
  }
}

// All steps of a word. Each step loads the words again: no registers are left to keep them beside their widened halves.
template <class Product, class V, int MR, int NP, int NV, class Lhs>
IDELTA_INLINE void multiply_word(V (&sum)[MR][NP * NV], const Lhs& lhs, const Word* rhs, ptrdiff_t panel_stride) {
  multiply_step<Product, V, MR, NP, NV>(sum, lhs, 0, rhs, panel_stride);
  IDELTA_UNROLL for (int part = 1; part < Product::kSteps; ++part) {
    order_after(sum[MR - 1][NP * NV - 1], rhs);
    multiply_step<Product, V, MR, NP, NV>(sum, lhs, part, rhs, panel_stride);
  }
}

// M steps of one row, with all of rhs in registers.
template <class V, int M, int N>
IDELTA_INLINE void multiply_row(V (&sum)[N], const float* lhs, ptrdiff_t stride, const V (&rhs)[M][N]) {
  IDELTA_UNROLL for (int p = 0; p < M; ++p) {
    const V x = V::splat(lhs[p * stride]);
    IDELTA_UNROLL for (int v = 0; v < N; ++v) sum[v] = fma(x, rhs[p][v], sum[v]);
  }
}

// Reduction steps between a prefetch of a panel to L1 and its use. The hardware's prefetcher alone loses 5 to 8 %
// (Emerald Rapids, n = 794, m = 512, 2026-11); 8 to 32 steps measure alike.
constexpr ptrdiff_t kAhead = 16;

template <class V, int NP, int NV>
IDELTA_INLINE void prefetch_panels(const Word* rhs, ptrdiff_t panel_stride) {
  constexpr int each = kLine / V::lanes;  // vectors a line
  IDELTA_UNROLL for (int v = 0; v < NP * NV; v += each) {
    __builtin_prefetch(rhs + (v / NV) * panel_stride + (v % NV) * V::lanes);
  }
}

// Prefetches the lines that a tile of MR x N vectors will store to.
template <class V, int MR, int N>
IDELTA_INLINE void prefetch_rows(const float* out, ptrdiff_t ld) {
  constexpr ptrdiff_t width = N * V::lanes;
  IDELTA_UNROLL for (int i = 0; i < MR; ++i, out += ld) {
    IDELTA_UNROLL for (ptrdiff_t j = 0; j < width; j += kLine) __builtin_prefetch(out + j);
    __builtin_prefetch(out + width - 1);
  }
}

// Panels of NV vectors that a tile of MR rows takes at once: as many as registers allow, 4 at most.
template <class V, int MR, int NV>
constexpr int panels_that_fit() {
  constexpr int fit = (V::registers - 1) / ((MR + 1) * NV);
  return fit >= 4 ? 4 : fit >= 2 ? 2 : 1;
}

// Runs the tile on NP panels at a time (the last may be cut), then on half as many.
template <class Tile, int NP>
IDELTA_INLINE void several_panels(typename Tile::Args& t, ptrdiff_t left) {
  for (; left > (NP - 1) * Tile::nr; left -= NP * Tile::nr) {
    t.cols = left < NP * Tile::nr ? left : NP * Tile::nr;
    Tile::template run<NP>(t);
    Tile::advance(t, NP);
  }
  if constexpr (NP > 1) several_panels<Tile, NP / 2>(t, left);
}

// All columns of a row tile. A single panel, the usual case, needs no copy of its arguments.
template <class Tile>
void row_tile(const typename Tile::Args& t) {
  if (t.cols <= Tile::nr) return Tile::template run<1>(t);
  typename Tile::Args rest = t;
  several_panels<Tile, Tile::most_panels>(rest, t.cols);
}

// A kernel slot: one instantiation for each number of rows, so that tiles with few rows cost less.
template <template <class, int, int> class Tile, class V, int NV, int... MR>
void tile_of_any_rows(const typename Tile<V, 1, NV>::Args& t) {
  static constexpr void (*kByRows[])(const typename Tile<V, 1, NV>::Args&) = {row_tile<Tile<V, MR, NV>>...};
  kByRows[t.rows - 1](t);
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_TILE_H
