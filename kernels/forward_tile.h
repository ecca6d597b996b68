// The register tile of forward and backward_data: y = act(a x + x D + b); see tile.h.
#ifndef IDELTA_KERNELS_FORWARD_TILE_H
#define IDELTA_KERNELS_FORWARD_TILE_H

#include "kernels/activation.h"
#include "kernels/tile.h"

namespace idelta {

// contribution = sum + b,  y = act(a x + contribution). kWhole: all columns are there, and no store needs a mask.
// What it needs of t is copied first: for all the compiler knows, a store to y could change t.
template <bool kWhole, class V, int MR, int N, class Activate>
IDELTA_INLINE void store_tile(const V (&sum)[MR][N], const ForwardTile& t, const Activate& activate) {
  const V a = V::splat(t.identity_scale);
  V bias[N];
  typename V::Mask mask[N];
  IDELTA_UNROLL for (int v = 0; v < N; ++v) {
    mask[v] = V::first(kWhole ? V::lanes : t.cols - v * V::lanes);
    bias[v] = t.bias ? V::load(t.bias + v * V::lanes, mask[v]) : V::zero();
  }
  const float* x = t.residual;
  float *y = t.y, *contribution = t.contribution;
  const ptrdiff_t ldx = t.ld_residual, ldy = t.ldy, ldc = t.ldc;
  if (contribution) {
    IDELTA_UNROLL for (int i = 0; i < MR; ++i, contribution += ldc) {
      IDELTA_UNROLL for (int v = 0; v < N; ++v)(sum[i][v] + bias[v]).store(contribution + v * V::lanes, mask[v]);
    }
  }
  IDELTA_UNROLL for (int i = 0; i < MR; ++i, x += ldx, y += ldy) {
    IDELTA_UNROLL for (int v = 0; v < N; ++v) {
      const V z = fma(a, V::load(x + v * V::lanes, mask[v]), sum[i][v] + bias[v]);
      activate(z).store(y + v * V::lanes, mask[v]);
    }
  }
}

// Every operation of the epilogue takes its share of a tile's time at small n, so slopes of 1 are not multiplied by.
template <bool kWhole, class V, int MR, int N>
IDELTA_INLINE void activate_tile(const V (&sum)[MR][N], const ForwardTile& t) {
  const PiecewiseLinear<V> leaky(t.activation);
  if (t.activation.slope == 1.0f) {
    store_tile<kWhole>(sum, t, [&](V z) { return leaky.clamp(z); });
  } else {
    store_tile<kWhole>(sum, t, [&](V z) { return leaky(z); });
  }
}

// MR rows by NP panels of NV vectors, of rows of NR vectors.
template <class Product, class V, int MR, int NP, int NV, int NR>
IDELTA_TILE void forward_tile(const ForwardTile& t) {
  constexpr int N = NP * NV;
  // MR * N sums, N vectors of D and one of x live at once; one more would spill.
  static_assert(MR * N + N + 1 <= V::registers);
  constexpr ptrdiff_t nr = NR * V::lanes;
  V sum[MR][N];
  IDELTA_UNROLL for (int i = 0; i < MR; ++i) {
    IDELTA_UNROLL for (int v = 0; v < N; ++v) {
      sum[i][v] = t.resume ? V::load(t.partial + ((v / NV) * MR + i) * nr + (v % NV) * V::lanes) : V::zero();
    }
  }

  if (t.fetch_y && !t.suspend) prefetch_rows<V, MR, N>(t.y, t.ldy);

  LhsRows<MR> x(t.x, t.ldx);
  const float* d = t.panels;
  constexpr int steps = Product::kSteps;
  IDELTA_UNROLL_4 for (ptrdiff_t p = 0; p < t.k / steps; ++p, x.advance(steps), d += nr) {
    prefetch_panels<V, NP, NV>(d + kAhead * nr, t.panel_stride);
    multiply_word<Product, V, MR, NP, NV>(sum, x, d, t.panel_stride);
  }
  if (t.k % steps != 0) multiply_step<Product, V, MR, NP, NV>(sum, x, 0, d, t.panel_stride);

  if (t.suspend) {
    IDELTA_UNROLL for (int i = 0; i < MR; ++i) {
      IDELTA_UNROLL for (int v = 0; v < N; ++v) {
        sum[i][v].store(t.partial + ((v / NV) * MR + i) * nr + (v % NV) * V::lanes);
      }
    }
    return;
  }

  if (t.cols == N * V::lanes) {
    activate_tile<true>(sum, t);
  } else {
    activate_tile<false>(sum, t);
  }
}

// tanh in place on what forward_tile stored.
template <class V>
void tanh_rows(const ForwardTile& t) {
  for (ptrdiff_t j = 0; j < t.cols; j += V::lanes) {
    const auto mask = V::first(t.cols - j);
    for (ptrdiff_t i = 0; i < t.rows; ++i) {
      float* y = t.y + i * t.ldy + j;
      tanh_of(V::load(y, mask)).store(y, mask);
    }
  }
}

template <class Product, class V, int MR, int NV>
struct ProductRows {
  using Args = ForwardTile;
  static constexpr ptrdiff_t nr = NV * V::lanes;
  static constexpr int most_panels = panels_that_fit<V, MR, NV>();

  template <int NP>
  IDELTA_INLINE static void run(const ForwardTile& t) {
    if (NP == 1 && t.cols <= NV / 2 * V::lanes) {
      forward_tile<Product, V, MR, 1, NV / 2, NV>(t);
    } else {
      forward_tile<Product, V, MR, NP, NV, NV>(t);
    }
    if (t.activation.tanh && !t.suspend) tanh_rows<V>(t);
  }

  IDELTA_INLINE static void advance(ForwardTile& t, ptrdiff_t panels) {
    const ptrdiff_t width = panels * nr;
    t.panels += panels * t.panel_stride;
    if (t.partial) t.partial += width * MR;
    t.residual += width;
    if (t.bias) t.bias += width;
    t.y += width;
    if (t.contribution) t.contribution += width;
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
