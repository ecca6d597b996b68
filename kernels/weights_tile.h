// The register tile of backward_weights: dD = beta dD + x^T dz; see tile.h.
#ifndef IDELTA_KERNELS_WEIGHTS_TILE_H
#define IDELTA_KERNELS_WEIGHTS_TILE_H

#include "kernels/tile.h"

namespace idelta {

// MR rows by NP panels of NV vectors. kWhole: all columns exist, and nothing needs a mask.
template <bool kWhole, class V, int MR, int NP, int NV>
IDELTA_TILE void weights_tile(const WeightsTile& t) {
  constexpr int N = NP * NV;
  static_assert(MR * N + N + 1 <= V::registers);
  V sum[MR][N];
  typename V::Mask mask[N];
  IDELTA_UNROLL for (int v = 0; v < N; ++v) mask[v] = V::first(kWhole ? V::lanes : t.cols - v * V::lanes);
  float* out = t.out;
  const ptrdiff_t ldo = t.ldo;
  if (t.beta == 0.0f) {
    IDELTA_UNROLL for (int i = 0; i < MR; ++i) IDELTA_UNROLL for (int v = 0; v < N; ++v) sum[i][v] = V::zero();
  } else {
    const V beta = V::splat(t.beta);
    IDELTA_UNROLL for (int i = 0; i < MR; ++i) {
      IDELTA_UNROLL for (int v = 0; v < N; ++v) sum[i][v] = beta * V::load(out + i * ldo + v * V::lanes, mask[v]);
    }
  }
  if (t.fetch_out) prefetch_rows<V, MR, N>(out, ldo);

  LhsColumns<MR> x{t.lhs, t.lhs_stride};
  const Word* dz = words_of(t.rhs);
  const ptrdiff_t stride = t.rhs_stride, panel_stride = t.rhs_panel_stride;
  IDELTA_UNROLL_4 for (ptrdiff_t p = 0; p < t.m; ++p, x.advance(1), dz += stride) {
    multiply_step<F32Product, V, MR, NP, NV>(sum, x, 0, dz, panel_stride);
  }
  IDELTA_UNROLL for (int i = 0; i < MR; ++i, out += ldo) {
    IDELTA_UNROLL for (int v = 0; v < N; ++v) sum[i][v].store(out + v * V::lanes, mask[v]);
  }
}

// Columns of dD and dz in panels of NV vectors.
template <class V, int NV>
struct WeightsPanels {
  using Args = WeightsTile;
  static constexpr ptrdiff_t nr = NV * V::lanes;

  IDELTA_INLINE static void advance(WeightsTile& t, ptrdiff_t panels) {
    t.rhs += panels * t.rhs_panel_stride;
    t.out += panels * nr;
  }
};

template <class V, int MR, int NV>
struct WeightsRows : WeightsPanels<V, NV> {
  static constexpr int most_panels = panels_that_fit<V, MR, NV>();

  template <int NP>
  IDELTA_INLINE static void run(const WeightsTile& t) {
    if (t.cols == NP * WeightsRows::nr) {
      weights_tile<true, V, MR, NP, NV>(t);
    } else if (NP == 1 && t.cols <= NV / 2 * V::lanes) {
      weights_tile<false, V, MR, 1, NV / 2>(t);
    } else {
      weights_tile<false, V, MR, NP, NV>(t);
    }
  }
};

}  // namespace idelta

#endif  // IDELTA_KERNELS_WEIGHTS_TILE_H
