// The register tile of every fp32 pass, over any vector type V of an ISA's vector.h:
//
//   sum[i][j] = sum[i][j] + lhs[p][i] * rhs[p][j],  p ascending, one fused multiply-add each
//
// forward and backward_data share ForwardTile (lhs: lines of x or dz; rhs: panels of D or D^T); backward_weights has
// WeightsTile (lhs: columns of x; rhs: columns of dz).
#ifndef IDELTA_KERNELS_TILE_H
#define IDELTA_KERNELS_TILE_H

#include "kernels/activation.h"
#include "kernels/kernels.h"

// Arrays of sums stay in registers only if every index is a constant after unrolling.
#if defined(__clang__)
#define IDELTA_UNROLL _Pragma("clang loop unroll(full)")
#define IDELTA_UNROLL_4 _Pragma("clang loop unroll_count(4)")
#else
#define IDELTA_UNROLL _Pragma("GCC unroll 32")
#define IDELTA_UNROLL_4 _Pragma("GCC unroll 4")
#endif
#define IDELTA_INLINE inline __attribute__((always_inline))

namespace idelta {

// One reduction step: MR broadcasts of lhs (lhs_stride apart) against NP panels of NV vectors.
template <ptrdiff_t lhs_stride, class V, int MR, int NP, int NV>
IDELTA_INLINE void multiply_step(V (&sum)[MR][NP * NV], const float* lhs, const float* rhs, ptrdiff_t panel_stride) {
  V d[NP * NV];
  IDELTA_UNROLL for (int v = 0; v < NP * NV; ++v) d[v] = V::load(rhs + (v / NV) * panel_stride + (v % NV) * V::lanes);
  IDELTA_UNROLL for (int i = 0; i < MR; ++i) {
    const V x = V::splat(lhs[i * lhs_stride]);
    IDELTA_UNROLL for (int v = 0; v < NP * NV; ++v) sum[i][v] = fma(x, d[v], sum[i][v]);
  }
}

// Reduction steps between a prefetch and its use. Panels come from L2 or beyond, and the hardware's prefetcher alone
// loses 5 to 8 % waiting for them (Emerald Rapids, n = 794, m = 512, 2026-11); 8 to 32 steps measure alike.
// Fetching the next panel, or the next block of x, into L2 in steps that have no row to prefetch gained nothing.
constexpr ptrdiff_t kAhead = 16;

template <class V, int NP, int NV>
IDELTA_INLINE void prefetch_panels(const float* rhs, ptrdiff_t panel_stride) {
  constexpr int each = kLine / V::lanes;  // vectors a line
  IDELTA_UNROLL for (int v = 0; v < NP * NV; v += each) {
    __builtin_prefetch(rhs + (v / NV) * panel_stride + (v % NV) * V::lanes);
  }
}

// The lines that a tile will store to, fetched while it multiplies. With a shorter reduction than kFarOutputs the
// outputs of a batch stay in cache, and the prefetches would be a tenth of the tile's time.
constexpr ptrdiff_t kFarOutputs = 256;

IDELTA_INLINE void prefetch_rows(const float* out, ptrdiff_t ld, ptrdiff_t rows, ptrdiff_t cols) {
  for (ptrdiff_t i = 0; i < rows; ++i, out += ld) {
    for (ptrdiff_t j = 0; j < cols; j += kLine) __builtin_prefetch(out + j);
    __builtin_prefetch(out + cols - 1);
  }
}

// contribution = sum + b,  y = act(a x + contribution). What it needs of t is copied first: for all the compiler knows,
// a store to y could change t.
template <class V, int MR, int N>
IDELTA_INLINE void store_tile(const V (&sum)[MR][N], const ForwardTile& t) {
  const PiecewiseLinear<V> activation(t.activation);
  const V a = V::splat(t.identity_scale);
  V bias[N];
  typename V::Mask mask[N];
  ptrdiff_t x_offset[N];  // 0 past the last column, where there need not be any x
  IDELTA_UNROLL for (int v = 0; v < N; ++v) {
    const ptrdiff_t column = v * V::lanes;
    mask[v] = V::first(t.cols - column);
    bias[v] = t.bias ? V::load(t.bias + column, mask[v]) : V::zero();
    x_offset[v] = column < t.cols ? column / kLine * MR * kLine + column % kLine : 0;
  }
  const float* x = t.residual;
  float *y = t.y, *contribution = t.contribution;
  const ptrdiff_t ldy = t.ldy, ldc = t.ldc;
  IDELTA_UNROLL for (int i = 0; i < MR; ++i, x += kLine, y += ldy) {
    IDELTA_UNROLL for (int v = 0; v < N; ++v) {
      const V delta = sum[i][v] + bias[v];
      if (contribution) delta.store(contribution + i * ldc + v * V::lanes, mask[v]);
      activation(fma(a, V::load(x + x_offset[v]), delta)).store(y + v * V::lanes, mask[v]);
    }
  }
}

// MR rows by NP panels of NV vectors, of rows of NR vectors.
template <class V, int MR, int NP, int NV, int NR>
void forward_tile(const ForwardTile& t) {
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

  if (!t.suspend && t.k >= kFarOutputs) prefetch_rows(t.y, t.ldy, MR, t.cols);

  const float *lines = t.lines, *d = t.panels;
  ptrdiff_t left = t.k;
  for (; left >= kLine; left -= kLine, lines += MR * kLine) {
    IDELTA_UNROLL_4 for (ptrdiff_t q = 0; q < kLine; ++q, d += nr) {
      prefetch_panels<V, NP, NV>(d + kAhead * nr, t.panel_stride);
      __builtin_prefetch(lines + (MR + q) * kLine);  // the next chunk of x; a branch here makes Clang 14 spill
      multiply_step<kLine, V, MR, NP, NV>(sum, lines + q, d, t.panel_stride);
    }
  }
  for (ptrdiff_t q = 0; q < left; ++q, d += nr) {
    multiply_step<kLine, V, MR, NP, NV>(sum, lines + q, d, t.panel_stride);
  }

  if (t.suspend) {
    IDELTA_UNROLL for (int i = 0; i < MR; ++i) {
      IDELTA_UNROLL for (int v = 0; v < N; ++v) {
        sum[i][v].store(t.partial + ((v / NV) * MR + i) * nr + (v % NV) * V::lanes);
      }
    }
    return;
  }

  store_tile<V, MR, N>(sum, t);
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

// Tiles of NP panels as long as there are so many, then of half as many; the last panel may need only half its vectors.
template <class V, int MR, int NP, int NV>
void forward_panels(ForwardTile& t, ptrdiff_t& left) {
  constexpr ptrdiff_t nr = NV * V::lanes, width = NP * nr;
  for (; left > width - nr; left -= width) {
    t.cols = left < width ? left : width;
    if (NP == 1 && t.cols <= NV / 2 * V::lanes) {
      forward_tile<V, MR, 1, NV / 2, NV>(t);
    } else {
      forward_tile<V, MR, NP, NV, NV>(t);
    }
    if (t.activation.tanh && !t.suspend) tanh_rows<V>(t);
    t.panels += NP * t.panel_stride;
    if (t.partial) t.partial += width * MR;
    t.residual += width * MR;
    if (t.bias) t.bias += width;
    t.y += width;
    if (t.contribution) t.contribution += width;
  }
  if constexpr (NP > 1) forward_panels<V, MR, NP / 2, NV>(t, left);
}

// The slot f32_forward for a given number of rows: as many panels at once as registers hold, so that few rows still
// give enough chains to hide the latency; 4 at most, for more streams than that gain nothing.
template <class V, int MR, int NV>
void forward_rows(ForwardTile t) {
  constexpr int fit = (V::registers - 1) / ((MR + 1) * NV);
  ptrdiff_t left = t.cols;
  forward_panels<V, MR, fit >= 4 ? 4 : fit >= 2 ? 2 : 1, NV>(t, left);
}

template <class V, int MR, int NV>
void weights_tile(const WeightsTile& t) {
  static_assert(MR * NV + NV + 1 <= V::registers);
  V sum[MR][NV];
  typename V::Mask mask[NV];
  IDELTA_UNROLL for (int v = 0; v < NV; ++v) mask[v] = V::first(t.cols - v * V::lanes);
  if (t.beta == 0.0f) {
    IDELTA_UNROLL for (int i = 0; i < MR; ++i) IDELTA_UNROLL for (int v = 0; v < NV; ++v) sum[i][v] = V::zero();
  } else {
    const V beta = V::splat(t.beta);
    const float* out = t.out;
    IDELTA_UNROLL for (int i = 0; i < MR; ++i, out += t.ldo) {
      IDELTA_UNROLL for (int v = 0; v < NV; ++v) sum[i][v] = beta * V::load(out + v * V::lanes, mask[v]);
    }
  }
  // dD with shorter rows is square enough to be in L1; else this doubles the speed of m = 1.
  constexpr ptrdiff_t kLongRows = 96;
  if (t.ldo >= kLongRows) prefetch_rows(t.out, t.ldo, MR, t.cols);
  const float *lhs = t.lhs, *rhs = t.rhs;
  IDELTA_UNROLL_4 for (ptrdiff_t p = 0; p < t.m; ++p, lhs += t.lhs_stride, rhs += t.rhs_stride) {
    prefetch_panels<V, 1, NV>(rhs + kAhead * t.rhs_stride, 0);
    __builtin_prefetch(lhs + kAhead * t.lhs_stride);
    multiply_step<1, V, MR, 1, NV>(sum, lhs, rhs, 0);
  }
  float* out = t.out;
  const ptrdiff_t ldo = t.ldo;
  IDELTA_UNROLL for (int i = 0; i < MR; ++i, out += ldo) {
    IDELTA_UNROLL for (int v = 0; v < NV; ++v) sum[i][v].store(out + v * V::lanes, mask[v]);
  }
}

// Slots: one instantiation a row count, so that edge rows cost what they are.
template <class V, int NV, int... MR>
struct Tiles {
  static void forward(const ForwardTile& t) {
    static constexpr void (*kByRows[])(ForwardTile) = {forward_rows<V, MR, NV>...};
    kByRows[t.rows - 1](t);
  }
  static void weights(const WeightsTile& t) {
    static constexpr void (*kByRows[])(const WeightsTile&) = {weights_tile<V, MR, NV>...};
    static constexpr void (*kHalfByRows[])(const WeightsTile&) = {weights_tile<V, MR, NV / 2>...};
    (t.cols <= NV / 2 * V::lanes ? kHalfByRows : kByRows)[t.rows - 1](t);
  }
};

}  // namespace idelta

#endif  // IDELTA_KERNELS_TILE_H
