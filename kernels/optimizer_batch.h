// The step of a square of kLine parameters for a batch of M rows, by rows: dz stays in registers. A fifth faster than
// tiles, which have 70 instructions of overhead each (AVX2).
#ifndef IDELTA_KERNELS_OPTIMIZER_BATCH_H
#define IDELTA_KERNELS_OPTIMIZER_BATCH_H

#include "kernels/optimizer_step.h"
#include "kernels/tile.h"

namespace idelta {

// Contiguous rows are not prefetched: that would take a tenth longer (m = 1 to 4, Zen 5, 2026-11).
template <class Rule, bool kWhole, int M, class V>
IDELTA_TILE void step_batch(const OptimizerStep& s, const ConstantsOf<Rule, V>& constants, ptrdiff_t c) {
  constexpr int NV = kLine / V::lanes;
  const GradientTile& g = s.gradient;
  typename V::Mask mask[NV];
  IDELTA_UNROLL for (int v = 0; v < NV; ++v) mask[v] = V::first(kWhole ? V::lanes : s.cols - c - v * V::lanes);
  V columns[M][NV];
  IDELTA_UNROLL for (int p = 0; p < M; ++p) {
    IDELTA_UNROLL for (int v = 0; v < NV; ++v) {
      columns[p][v] = V::load(g.rhs + p * g.rhs_stride + c + v * V::lanes, mask[v]);
    }
  }
  ParameterRows<Rule, V> row(s, constants, 0, c);
  const float* x = g.lhs;
  const ptrdiff_t lhs_stride = g.lhs_stride, rows = kWhole ? kLine : s.rows;
  const bool fetches = !s.contiguous;
  IDELTA_UNROLL_4 for (ptrdiff_t i = 0; i < rows; ++i, ++x, row.advance()) {
    V sum[NV];
    IDELTA_UNROLL for (V& each : sum) each = V::zero();
    multiply_row(sum, x, lhs_stride, columns);
    IDELTA_UNROLL for (int v = 0; v < NV; ++v) row.step(sum[v], v * V::lanes, mask[v]);
    if (fetches) row.fetch(0);
  }
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_OPTIMIZER_BATCH_H
