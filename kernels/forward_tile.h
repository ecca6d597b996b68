// The register tile of forward and backward_data: y = act(a x + x D + b); see tile.h.
#ifndef IDELTA_KERNELS_FORWARD_TILE_H
#define IDELTA_KERNELS_FORWARD_TILE_H

#include "kernels/epilogue.h"
#include "kernels/tile.h"

namespace idelta {

// All whole words of a tile's reduction. Every kEvery words a line of t.fetch is fetched. Unrolled by hand: GCC 12's
// unrolling spills widened sums (a quarter of the speed from m = 64 on, AVX-512). It spills them, too, where a tile
// fetches nothing at all (2 to 4 %, Zen 4): a tile without t.fetch fetches a line that is in cache.
template <int kEvery, class Product, int NP, int NV, int NR, class V, int MR>
IDELTA_INLINE void multiply_words(V (&sum)[MR][NP * NV], LhsRows<typename Product::X, MR>& x, const Word*& d,
                                  const ProductTile<typename Product::X>& t) {
  constexpr ptrdiff_t nr = NR * V::lanes;
  constexpr int steps = Product::kSteps;
  const Word* fetch = t.fetch.at ? t.fetch.at : t.panels;
  ptrdiff_t words = t.k / steps;
  for (; words >= kFetchEvery; words -= kFetchEvery) {
    IDELTA_UNROLL for (ptrdiff_t w = 0; w < kFetchEvery; ++w, x.advance(steps), d += nr) {
      if ((kEvery == 1 || Product::kFetches) && w % kEvery == 0) {
        __builtin_prefetch(fetch, 0, 2);
        fetch += t.fetch.step;
      }
      prefetch_panels<V, NP, NV>(d + kAhead * nr, t.panel_stride);
      multiply_word<Product, V, MR, NP, NV>(sum, x, d, t.panel_stride);
    }
  }
  for (; words > 0; --words, x.advance(steps), d += nr) {
    multiply_word<Product, V, MR, NP, NV>(sum, x, d, t.panel_stride);
  }
}

// MR rows by NP panels, of which NV of NR vectors are used.
template <class Product, class V, int MR, int NP, int NV, int NR>
IDELTA_TILE void forward_tile(const ProductTile<typename Product::X>& t) {
  constexpr int N = NP * NV;
  // MR * N sums, N vectors of D and one of x live at once.
  static_assert(MR * N + N + 1 <= V::registers);
  V sum[MR][N];
  if (t.start.at) {
    const float* row = t.start.at;
    IDELTA_UNROLL for (int i = 0; i < MR; ++i, row += t.start.ld) {
      IDELTA_UNROLL for (int v = 0; v < N; ++v) {
        sum[i][v] = V::load(row + (v / NV) * t.start.panel_stride + (v % NV) * V::lanes);
      }
    }
  } else {
    IDELTA_UNROLL for (int i = 0; i < MR; ++i) IDELTA_UNROLL for (int v = 0; v < N; ++v) sum[i][v] = V::zero();
  }

  if (t.epilogue.fetch_y && !t.suspend.at) prefetch_rows<V, MR, N>(t.epilogue.y, t.epilogue.ldy);

  LhsRows<typename Product::X, MR> x(t.x, t.ldx);
  const Word* d = t.panels;
  if (t.fetch.dense) {
    multiply_words<1, Product, NP, NV, NR>(sum, x, d, t);
  } else {
    multiply_words<kFetchEvery, Product, NP, NV, NR>(sum, x, d, t);
  }
  if (t.k % Product::kSteps != 0) multiply_step<Product, V, MR, NP, NV>(sum, x, 0, d, t.panel_stride);

  if (t.suspend.at) {
    float* row = t.suspend.at;
    const ptrdiff_t ld = t.suspend.ld, panel_stride = t.suspend.panel_stride;
    IDELTA_UNROLL for (int i = 0; i < MR; ++i, row += ld) {
      IDELTA_UNROLL for (int v = 0; v < N; ++v) {
        sum[i][v].store(row + (v / NV) * panel_stride + (v % NV) * V::lanes);
      }
    }
    return;
  }

  if (t.cols == N * V::lanes) {
    finish_tile<true>(sum, t.epilogue, t.cols);
  } else {
    finish_tile<false>(sum, t.epilogue, t.cols);
  }
}

template <class Product, class V, int MR, int NV>
struct ProductRows {
  using Args = ProductTile<typename Product::X>;
  static constexpr ptrdiff_t nr = NV * V::lanes;
  static constexpr int most_panels = panels_that_fit<V, MR, NV>();

  template <int NP>
  IDELTA_INLINE static void run(const Args& t) {
    if (NP == 1 && t.cols <= NV / 2 * V::lanes) {
      forward_tile<Product, V, MR, 1, NV / 2, NV>(t);
    } else {
      forward_tile<Product, V, MR, NP, NV, NV>(t);
    }
    if (t.epilogue.activation.tanh && !t.suspend.at) tanh_tile<V>(t.epilogue, t.rows, t.cols);
  }

  IDELTA_INLINE static void advance(Args& t, ptrdiff_t panels) {
    const ptrdiff_t width = panels * nr;
    t.panels += panels * t.panel_stride;
    if (t.start.at) t.start.at += panels * t.start.panel_stride;
    if (t.suspend.at) t.suspend.at += panels * t.suspend.panel_stride;
    t.epilogue.advance(0, width);
  }
};

// For tile_of_any_rows.
template <class V, int MR, int NV>
using ForwardRows = ProductRows<F32Product, V, MR, NV>;
template <class V, int MR, int NV>
using WidenedForwardRows = ProductRows<WidenedProduct, V, MR, NV>;
template <class V, int MR, int NV>
using DotForwardRows = ProductRows<DotProduct, V, MR, NV>;

}  // namespace idelta

#endif  // IDELTA_KERNELS_FORWARD_TILE_H
