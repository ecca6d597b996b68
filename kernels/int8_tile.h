// The register tile of int8_dot: y = act(a x + v + b); see tile.h. Sums and their offsets are integers in vectors of
// floats' type.
#ifndef IDELTA_KERNELS_INT8_TILE_H
#define IDELTA_KERNELS_INT8_TILE_H

#include "kernels/epilogue.h"
#include "kernels/forward_tile.h"
#include "kernels/tile_block.h"

namespace idelta {

// Words of four bytes.
struct Quads {
  using Number = Word;
};

struct Int8Tile : ProductTile<Quads> {
  const float *row_scales, *scales;
  const int32_t* offsets;
};

// Four unsigned bytes of x times four signed ones of D in one instruction (vpdpbusd). Its sums start at -offsets.
struct QuadProduct : OneStep {
  using X = Quads;
  static constexpr bool kFetches = false;
  template <class V>
  static IDELTA_INLINE void step(V& sum, V x, V d) {
    accumulate_quads(sum, x, d);
  }

  template <class V>
  static IDELTA_INLINE V start(const int32_t* offsets) {
    return difference_of_integers(V::zero(), V::load(reinterpret_cast<const Word*>(offsets)));
  }
  template <int NP, int NV, int NR, class V, int MR>
  static IDELTA_INLINE void multiply(V (&sum)[MR][NP * NV], LhsRows<Quads, MR>& x, const Int8Tile& t) {
    const Word* d = t.panels;
    if (t.fetch.dense) {
      multiply_words<1, QuadProduct, NP, NV, NR>(sum, x, d, t);
    } else {
      multiply_words<kFetchEvery, QuadProduct, NP, NV, NR>(sum, x, d, t);
    }
  }
};

// sum = row scale * column scale * sum + start, in fp32.
template <int NP, int NV, int NR, class V, int MR>
IDELTA_INLINE void scale_sums(V (&sum)[MR][NP * NV], const Int8Tile& t) {
  constexpr int N = NP * NV;
  V scale[N];
  IDELTA_UNROLL for (int v = 0; v < N; ++v) {
    scale[v] = V::load(t.scales + (v / NV) * NR * V::lanes + (v % NV) * V::lanes);
  }
  const float* row = t.start.at;
  IDELTA_UNROLL for (int i = 0; i < MR; ++i) {
    const V row_scale = V::splat(t.row_scales[i]);
    IDELTA_UNROLL for (int v = 0; v < N; ++v) {
      const V start = row ? V::load(row + (v / NV) * t.start.panel_stride + (v % NV) * V::lanes) : V::zero();
      sum[i][v] = fma(row_scale * scale[v], from_integers(sum[i][v]), start);
    }
    if (row) row += t.start.ld;
  }
}

// MR rows by NP panels, of which NV of NR vectors are used.
template <class Product, class V, int MR, int NP, int NV, int NR>
IDELTA_TILE void int8_tile(const Int8Tile& t) {
  constexpr int N = NP * NV;
  V sum[MR][N];
  IDELTA_UNROLL for (int v = 0; v < N; ++v) {
    sum[0][v] = Product::template start<V>(t.offsets + (v / NV) * NR * V::lanes + (v % NV) * V::lanes);
  }
  IDELTA_UNROLL for (int i = 1; i < MR; ++i) { IDELTA_UNROLL for (int v = 0; v < N; ++v) sum[i][v] = sum[0][v]; }
  if (t.epilogue.fetch_y) prefetch_rows<V, MR, N>(t.epilogue.y, t.epilogue.ldy);

  LhsRows<Quads, MR> x(t.x, t.ldx);
  Product::template multiply<NP, NV, NR>(sum, x, t);

  scale_sums<NP, NV, NR>(sum, t);
  if (t.cols == N * V::lanes) {
    finish_tile<true>(sum, t.epilogue, t.cols);
  } else {
    finish_tile<false>(sum, t.epilogue, t.cols);
  }
}

template <class V, int MR, int NV>
struct QuadRows {
  using Args = Int8Tile;
  static constexpr ptrdiff_t nr = NV * V::lanes;
  static constexpr int most_panels = panels_that_fit<V, MR, NV>();
  // MR * N sums, N vectors of D and one of x live at once.
  static_assert(MR * most_panels * NV + most_panels * NV + 1 <= V::registers);

  template <int NP>
  IDELTA_INLINE static void run(const Args& t) {
    if (NP == 1 && t.cols <= NV / 2 * V::lanes) {
      int8_tile<QuadProduct, V, MR, 1, NV / 2, NV>(t);
    } else {
      int8_tile<QuadProduct, V, MR, NP, NV, NV>(t);
    }
    if (t.epilogue.activation.tanh) tanh_tile<V>(t.epilogue, t.rows, t.cols);
  }

  IDELTA_INLINE static void advance(Args& t, ptrdiff_t panels) {
    const ptrdiff_t width = panels * nr;
    t.panels += panels * t.panel_stride;
    if (t.start.at) t.start.at += panels * t.start.panel_stride;
    t.scales += width;
    t.offsets += width;
    t.epilogue.advance(0, width);
  }
};

// The kernel slot; row_tile takes the columns of up to kRows rows.
template <ptrdiff_t kRows, ptrdiff_t kColumns, void (*row_tile)(const Int8Tile&)>
void int8_dot(const Int8Block& b) {
  const WordOperands words{reinterpret_cast<const Word*>(b.x), b.ldx / 4, b.panels, b.k / 4};
  each_row_tile<QuadProduct, kRows, kColumns>(b, words, [&](ptrdiff_t i, ptrdiff_t j, const auto& tile) {
    row_tile(Int8Tile{tile, b.row_scales + i, b.scales + j, b.offsets + j});
  });
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_INT8_TILE_H
