// The epilogue (kernels.h) over any vector type V: of one vector of sums, and of a register tile.
#ifndef IDELTA_KERNELS_EPILOGUE_H
#define IDELTA_KERNELS_EPILOGUE_H

#include "kernels/activation.h"
#include "kernels/compiler.h"
#include "kernels/kernels.h"

namespace idelta {

// One vector at row i and column j. `linear` is the piecewise linear part of the activation.
template <class V>
IDELTA_INLINE void finish(const Epilogue& e, ptrdiff_t i, ptrdiff_t j, V sum, typename V::Mask mask,
                          const PiecewiseLinear<V>& linear) {
  const V contribution = sum + (e.bias ? V::load(e.bias + j, mask) : V::zero());
  if (e.contribution) contribution.store(e.contribution + i * e.ldc + j, mask);
  const V x = V::load(e.residual + i * e.ld_residual + j, mask);
  const V y = linear(fma(V::splat(e.identity_scale), x, contribution));
  (e.activation.tanh ? tanh_of(y) : y).store(e.y + i * e.ldy + j, mask);
}

// kWhole: all columns exist, and no store needs a mask. `e` is a copy because a store to y could alias the original.
template <bool kWhole, class V, int MR, int N, class Activate>
IDELTA_INLINE void store_tile(const V (&sum)[MR][N], Epilogue e, ptrdiff_t cols, const Activate& activate) {
  const V a = V::splat(e.identity_scale);
  V bias[N];
  typename V::Mask mask[N];
  IDELTA_UNROLL for (int v = 0; v < N; ++v) {
    mask[v] = V::first(kWhole ? V::lanes : cols - v * V::lanes);
    bias[v] = e.bias ? V::load(e.bias + v * V::lanes, mask[v]) : V::zero();
  }
  if (e.contribution) {
    IDELTA_UNROLL for (int i = 0; i < MR; ++i, e.contribution += e.ldc) {
      IDELTA_UNROLL for (int v = 0; v < N; ++v)(sum[i][v] + bias[v]).store(e.contribution + v * V::lanes, mask[v]);
    }
  }
  IDELTA_UNROLL for (int i = 0; i < MR; ++i, e.residual += e.ld_residual, e.y += e.ldy) {
    IDELTA_UNROLL for (int v = 0; v < N; ++v) {
      const V z = fma(a, V::load(e.residual + v * V::lanes, mask[v]), sum[i][v] + bias[v]);
      activate(z).store(e.y + v * V::lanes, mask[v]);
    }
  }
}

// All but tanh, for which no registers are left. At small n every operation counts: a slope of 1 is not multiplied by.
template <bool kWhole, class V, int MR, int N>
IDELTA_INLINE void finish_tile(const V (&sum)[MR][N], const Epilogue& e, ptrdiff_t cols) {
  const PiecewiseLinear<V> linear(e.activation);
  if (e.activation.slope == 1.0f) {
    store_tile<kWhole>(sum, e, cols, [&](V z) { return linear.clamp(z); });
  } else {
    store_tile<kWhole>(sum, e, cols, [&](V z) { return linear(z); });
  }
}

// tanh in place of what finish_tile stored.
template <class V>
void tanh_tile(const Epilogue& e, ptrdiff_t rows, ptrdiff_t cols) {
  for (ptrdiff_t j = 0; j < cols; j += V::lanes) {
    const auto mask = V::first(cols - j);
    for (ptrdiff_t i = 0; i < rows; ++i) {
      float* const y = e.y + i * e.ldy + j;
      tanh_of(V::load(y, mask)).store(y, mask);
    }
  }
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_EPILOGUE_H
