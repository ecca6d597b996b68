// backward_weights of a batch of few rows: dz stays in registers while dD is written by rows; see tile.h. Writing dD is
// nearly all of the work, and the register tiles of weights_tile.h take up to twice as long.
#ifndef IDELTA_KERNELS_WEIGHTS_BATCH_H
#define IDELTA_KERNELS_WEIGHTS_BATCH_H

#include <utility>

#include "kernels/weights_tile.h"

namespace idelta {

// t.rows rows of up to NP panels of NV vectors. kWhole: all columns exist, and nothing needs a mask.
template <bool kWhole, class V, int M, int NP, int NV>
IDELTA_INLINE void batch_columns(const WeightsTile& t) {
  constexpr int N = NP * NV;
  typename V::Mask mask[N];
  V dz[M][N];
  IDELTA_UNROLL for (int v = 0; v < N; ++v) {
    mask[v] = V::first(kWhole ? V::lanes : t.cols - v * V::lanes);
    const float* const column = t.rhs + (v / NV) * t.rhs_panel_stride + (v % NV) * V::lanes;
    IDELTA_UNROLL for (int p = 0; p < M; ++p) dz[p][v] = V::load(column + p * t.rhs_stride);
  }
  const bool adds = t.beta != 0.0f;
  const V beta = V::splat(t.beta);
  const float* x = t.lhs;
  float* out = t.out;
  const ptrdiff_t stride = t.lhs_stride, ldo = t.ldo;
  for (ptrdiff_t i = 0; i < t.rows; ++i, ++x, out += ldo) {
    V sum[N];
    IDELTA_UNROLL for (int v = 0; v < N; ++v) sum[v] = adds ? beta * V::load(out + v * V::lanes, mask[v]) : V::zero();
    multiply_row(sum, x, stride, dz);
    IDELTA_UNROLL for (int v = 0; v < N; ++v) sum[v].store(out + v * V::lanes, mask[v]);
  }
}

template <class V, int M, int NV>
struct WeightsBatch : WeightsPanels<V, NV> {
  template <int NP>
  IDELTA_INLINE static void run(const WeightsTile& t) {
    const bool whole = t.cols == WeightsBatch::nr * NP;
    whole ? batch_columns<true, V, M, NP, NV>(t) : batch_columns<false, V, M, NP, NV>(t);
  }
};

template <class V, int M, int NV>
void batch_of(const WeightsTile& t) {
  WeightsTile rest = t;
  several_panels<WeightsBatch<V, M, NV>, 2>(rest, t.cols);
}

// Batches of up to sizeof...(M) rows.
template <class V, int NV, int... M>
void weights_batch(const WeightsTile& t, std::integer_sequence<int, M...>) {
  static constexpr void (*kByRows[])(const WeightsTile&) = {batch_of<V, M + 1, NV>...};
  kByRows[t.m - 1](t);
}

// A kernel slot: batches of up to kBatch rows here, larger ones in register tiles of MR rows. More than 5 rows (AVX2)
// or 7 (AVX-512) run out of registers and are slower than in tiles (Zen 5, 2026-11).
template <class V, int NV, int kBatch, int... MR>
void weights(const WeightsTile& t) {
  if (t.m < 1 || t.m > kBatch) return tile_of_any_rows<WeightsRows, V, NV, MR...>(t);
  weights_batch<V, NV>(t, std::make_integer_sequence<int, kBatch>());
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_WEIGHTS_BATCH_H
