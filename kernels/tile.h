// The register tile of every fp32 pass, over any vector type V of an ISA's vector.h:
//
//   sum[i][j] = sum[i][j] + lhs[p][i] * rhs[p][j],  p ascending, one fused multiply-add each
//
// forward and backward_data share ForwardTile (lhs: rows of x or dz; rhs: panels of D or D^T); backward_weights has
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

// MR rows of x, ld apart, at a reduction step. Every third row has a pointer of its own and the two after it are
// reached by the scaled index that x86 addresses have, so that all of them fit the general registers.
template <int MR>
struct LhsRows {
  const float* third[(MR + 2) / 3];
  ptrdiff_t ld;

  IDELTA_INLINE LhsRows(const float* first, ptrdiff_t stride) : ld(stride) {
    IDELTA_UNROLL for (int g = 0; g < (MR + 2) / 3; ++g) third[g] = first + 3 * g * ld;
  }
  IDELTA_INLINE float at(int i, ptrdiff_t step) const { return third[i / 3][i % 3 * ld + step]; }
  IDELTA_INLINE void advance(ptrdiff_t steps) {
    IDELTA_UNROLL for (int g = 0; g < (MR + 2) / 3; ++g) third[g] += steps;
  }
};

// MR columns of x, side by side.
template <int MR>
struct LhsColumns {
  const float* first;
  ptrdiff_t stride;

  IDELTA_INLINE float at(int i, ptrdiff_t step) const { return first[step * stride + i]; }
  IDELTA_INLINE void advance(ptrdiff_t steps) { first += steps * stride; }
};

// One reduction step: MR broadcasts of lhs against NP panels of NV vectors.
template <class V, int MR, int NP, int NV, class Lhs>
IDELTA_INLINE void multiply_step(V (&sum)[MR][NP * NV], const Lhs& lhs, ptrdiff_t step, const float* rhs,
                                 ptrdiff_t panel_stride) {
  V d[NP * NV];
  IDELTA_UNROLL for (int v = 0; v < NP * NV; ++v) d[v] = V::load(rhs + (v / NV) * panel_stride + (v % NV) * V::lanes);
  IDELTA_UNROLL for (int i = 0; i < MR; ++i) {
    const V x = V::splat(lhs.at(i, step));
    IDELTA_UNROLL for (int v = 0; v < NP * NV; ++v) accumulate(sum[i][v], x, d[v]);
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

// The lines that a tile of MR x N vectors will store to, fetched while it multiplies.
template <class V, int MR, int N>
IDELTA_INLINE void prefetch_rows(const float* out, ptrdiff_t ld) {
  constexpr ptrdiff_t width = N * V::lanes;
  IDELTA_UNROLL for (int i = 0; i < MR; ++i, out += ld) {
    IDELTA_UNROLL for (ptrdiff_t j = 0; j < width; j += kLine) __builtin_prefetch(out + j);
    __builtin_prefetch(out + width - 1);
  }
}

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
  const ptrdiff_t ldx = t.ldx, ldy = t.ldy, ldc = t.ldc;
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

  if (t.fetch_y && !t.suspend) prefetch_rows<V, MR, N>(t.y, t.ldy);

  LhsRows<MR> x(t.x, t.ldx);
  const float* d = t.panels;
  IDELTA_UNROLL_4 for (ptrdiff_t p = 0; p < t.k; ++p, x.advance(1), d += nr) {
    prefetch_panels<V, NP, NV>(d + kAhead * nr, t.panel_stride);
    multiply_step<V, MR, NP, NV>(sum, x, 0, d, t.panel_stride);
  }

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

template <class V, int MR, int NP, int NV, int NR>
IDELTA_INLINE void finished_tile(const ForwardTile& t) {
  forward_tile<V, MR, NP, NV, NR>(t);
  if (t.activation.tanh && !t.suspend) tanh_rows<V>(t);
}

// One panel, of which only half the vectors may be needed.
template <class V, int MR, int NV>
IDELTA_INLINE void one_panel(const ForwardTile& t) {
  if (t.cols <= NV / 2 * V::lanes) {
    finished_tile<V, MR, 1, NV / 2, NV>(t);
  } else {
    finished_tile<V, MR, 1, NV, NV>(t);
  }
}

// Tiles of NP panels as long as there are so many (the last of them may be cut), then of half as many.
template <class V, int MR, int NP, int NV>
IDELTA_INLINE void several_panels(ForwardTile& t, ptrdiff_t left) {
  constexpr ptrdiff_t nr = NV * V::lanes, width = NP * nr;
  for (; left > width - nr; left -= width) {
    t.cols = left < width ? left : width;
    if constexpr (NP == 1) {
      one_panel<V, MR, NV>(t);
    } else {
      finished_tile<V, MR, NP, NV, NV>(t);
    }
    t.panels += NP * t.panel_stride;
    if (t.partial) t.partial += width * MR;
    t.residual += width;
    if (t.bias) t.bias += width;
    t.y += width;
    if (t.contribution) t.contribution += width;
  }
  if constexpr (NP > 1) several_panels<V, MR, NP / 2, NV>(t, left);
}

// The slot f32_forward for a given number of rows: as many panels at once as registers hold, so that few rows still
// give enough chains to hide the latency; 4 at most, for more streams than that gain nothing. A single panel, the usual
// case, is spared the copy of its arguments.
template <class V, int MR, int NV>
void forward_rows(const ForwardTile& t) {
  constexpr int fit = (V::registers - 1) / ((MR + 1) * NV);
  if (t.cols <= NV * V::lanes) return one_panel<V, MR, NV>(t);
  ForwardTile rest = t;
  several_panels<V, MR, fit >= 4 ? 4 : fit >= 2 ? 2 : 1, NV>(rest, t.cols);
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
  if (t.ldo >= kLongRows) prefetch_rows<V, MR, NV>(t.out, t.ldo);
  LhsColumns<MR> lhs{t.lhs, t.lhs_stride};
  const float* rhs = t.rhs;
  IDELTA_UNROLL_4 for (ptrdiff_t p = 0; p < t.m; ++p, lhs.advance(1), rhs += t.rhs_stride) {
    prefetch_panels<V, 1, NV>(rhs + kAhead * t.rhs_stride, 0);
    __builtin_prefetch(lhs.first + kAhead * t.lhs_stride);
    multiply_step<V, MR, 1, NV>(sum, lhs, 0, rhs, 0);
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
    static constexpr void (*kByRows[])(const ForwardTile&) = {forward_rows<V, MR, NV>...};
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
