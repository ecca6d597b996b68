// Copies, over any vector type V of an ISA's vector.h: rows of x, dy act'(y), and D and the operands of
// backward_weights to panels.
#ifndef IDELTA_KERNELS_PACK_H
#define IDELTA_KERNELS_PACK_H

#include "kernels/activation.h"
#include "kernels/compiler.h"
#include "kernels/kernels.h"

namespace idelta {

// dst = of(src, row, column, mask) for each vector.
template <class V, class Of>
IDELTA_INLINE void each_row(const CopyRows& c, const Of& of) {
  for (ptrdiff_t i = 0; i < c.rows; ++i) {
    const float* src = c.src + i * c.ld;
    float* dst = c.dst + i * c.ldd;
    ptrdiff_t j = 0;
    const auto all = V::first(V::lanes);
    for (; j + V::lanes <= c.cols; j += V::lanes) of(V::load(src + j), i, j, all).store(dst + j);
    const auto mask = V::first(c.cols - j);
    if (j < c.cols) of(V::load(src + j, mask), i, j, mask).store(dst + j, mask);
  }
}

template <class V>
void copy_rows(const CopyRows& given) {
  using Mask = typename V::Mask;
  const CopyRows c = given;  // a copy: stores could alias the original
  const auto y = [&](ptrdiff_t i, ptrdiff_t j, Mask mask) { return V::load(c.y + i * c.ldy + j, mask); };
  if (!c.y) {
    each_row<V>(c, [](V v, ptrdiff_t, ptrdiff_t, Mask) { return v; });
  } else if (c.gradient.slope == 1.0f && !c.gradient.tanh) {
    each_row<V>(c, [&](V v, ptrdiff_t i, ptrdiff_t j, Mask m) { return gradient_of<true>(c.gradient, v, y(i, j, m)); });
  } else {
    each_row<V>(c,
                [&](V v, ptrdiff_t i, ptrdiff_t j, Mask m) { return gradient_of<false>(c.gradient, v, y(i, j, m)); });
  }
}

// Whether the vector at this row or column begins a cache line: two that share a line prefetch once (3 %, AVX2).
template <class V>
IDELTA_INLINE bool begins_line(ptrdiff_t at) {
  return V::lanes >= kLine || at % kLine == 0;
}

// Packs columns [c, c + N vectors) of a panel; returns the or of all. kWhole: src and dst have all of them.
template <bool kWhole, int N, class V>
IDELTA_INLINE V pack_columns(const PackPanel& p, ptrdiff_t c) {
  typename V::Mask loaded[N], stored[N];
  V seen[N];
  IDELTA_UNROLL for (int v = 0; v < N; ++v) {
    const ptrdiff_t at = c + v * V::lanes;
    loaded[v] = V::first(kWhole ? V::lanes : p.cols - at), stored[v] = V::first(kWhole ? V::lanes : p.width - at);
    seen[v] = V::zero();
  }
  const float* src = p.src + c;
  float* dst = p.dst + c;
  const ptrdiff_t rows = p.rows, ld = p.ld, width = p.width;  // copies: stores could alias the originals
  for (ptrdiff_t r = 0; r < rows; ++r, src += ld, dst += width) {
    IDELTA_UNROLL for (int v = 0; v < N; ++v) {
      const V row = kWhole ? V::load(src + v * V::lanes) : V::load(src + v * V::lanes, loaded[v]);
      kWhole ? row.store(dst + v * V::lanes) : row.store(dst + v * V::lanes, stored[v]);
      seen[v] = seen[v] | row;
    }
  }
  for (int v = 1; v < N; ++v) seen[0] = seen[0] | seen[v];
  return seen[0];
}

// Two vectors at a time, so that lines are read and written whole.
template <class V>
bool pack_panel(const PackPanel& given) {
  constexpr int N = 2;
  constexpr ptrdiff_t width = N * V::lanes;
  PackPanel p = given;
  V seen = V::zero();
  for (ptrdiff_t left = given.cols; left > 0; left -= p.width, p.src += p.width, p.dst += p.panel_stride) {
    p.cols = left < p.width ? left : p.width;
    ptrdiff_t c = 0;
    for (; c + width <= p.cols; c += width) seen = seen | pack_columns<true, N, V>(p, c);
    for (; c < p.width; c += width) seen = seen | pack_columns<false, N, V>(p, c);
  }
  return any_nonzero(seen);
}

// columns[j] lane i = src[i * ld + j]. An ISA may overload it.
template <class V>
IDELTA_INLINE void load_transposed(const float* src, ptrdiff_t ld, V (&columns)[V::lanes]) {
  IDELTA_UNROLL for (int i = 0; i < V::lanes; ++i) columns[i] = V::load(src + i * ld);
  transpose(columns);
}

// Transposes a block of lanes x lanes in registers; returns the or of all. kWhole: src and dst have all of it.
template <bool kWhole, class V>
IDELTA_INLINE V transpose_block(const PackPanel& p, ptrdiff_t r, ptrdiff_t c) {
  const auto loaded = V::first(kWhole ? V::lanes : p.rows - r), stored = V::first(kWhole ? V::lanes : p.width - c);
  const float* const src = p.src + r;
  float* const dst = p.dst + r * p.width + c;
  V block[V::lanes], seen = V::zero();
  if constexpr (kWhole) {
    load_transposed(src + c * p.ld, p.ld, block);
  } else {
    IDELTA_UNROLL for (int i = 0; i < V::lanes; ++i) {
      block[i] = c + i < p.cols ? V::load(src + (c + i) * p.ld, loaded) : V::zero();
    }
    transpose(block);
  }
  IDELTA_UNROLL for (int i = 0; i < V::lanes; ++i) seen = seen | block[i];
  IDELTA_UNROLL for (int i = 0; i < V::lanes; ++i) {
    if (kWhole || r + i < p.rows) block[i].store(dst + i * p.width, stored);
  }
  return seen;
}

template <class V>
bool pack_panel_transposed(const PackPanel& given) {
  const PackPanel p = given;
  V seen = V::zero();
  for (ptrdiff_t r = 0; r < p.rows; r += V::lanes) {
    for (ptrdiff_t c = 0; c < p.width; c += V::lanes) {
      const bool whole = r + V::lanes <= p.rows && c + V::lanes <= p.cols;
      seen = seen | (whole ? transpose_block<true, V>(p, r, c) : transpose_block<false, V>(p, r, c));
    }
  }
  return any_nonzero(seen);
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_PACK_H
