// Packing, over any vector type V of an ISA's vector.h: x into lines (with act' on the way back), D and the operands of
// backward_weights into panels.
#ifndef IDELTA_KERNELS_PACK_H
#define IDELTA_KERNELS_PACK_H

#include "kernels/activation.h"
#include "kernels/kernels.h"

namespace idelta {

// A column of vectors at a time, so that masks are made once: here, and below.
template <class V>
void pack_lines(const PackLines& p) {
  for (ptrdiff_t k = 0; k < (p.k + kLine - 1) / kLine * kLine; k += V::lanes) {
    const auto mask = V::first(p.k - k);
    const ptrdiff_t from = k < p.k ? k : 0;  // past the end there may be nothing to point at
    float* line = p.lines + k / kLine * kLine * p.rows + k % kLine;
    for (ptrdiff_t i = 0; i < p.rows; ++i, line += kLine) {
      V v = V::load(p.src + i * p.ld + from, mask);
      if (p.y) {
        v = gradient_of(p.gradient, v, V::load(p.y + i * p.ldy + from, mask));
        if (p.dz) v.store(p.dz + i * p.lddz + from, mask);
      }
      v.store(line);
    }
  }
}

template <class V>
bool pack_panel(const PackPanel& p) {
  V seen = V::zero();
  for (ptrdiff_t c = 0; c < p.width; c += V::lanes) {
    const auto loaded = V::first(p.cols - c), stored = V::first(p.width - c);
    const float* src = p.src + (c < p.cols ? c : 0);
    float* dst = p.dst + c;
    for (ptrdiff_t r = 0; r < p.rows; ++r, src += p.ld, dst += p.width) {
      const V v = V::load(src, loaded);
      v.store(dst, stored);
      seen = seen | v;
    }
  }
  return any_nonzero(seen);
}

// In blocks of lanes x lanes, transposed in registers.
template <class V>
bool pack_panel_transposed(const PackPanel& p) {
  V seen = V::zero();
  for (ptrdiff_t r = 0; r < p.rows; r += V::lanes) {
    const auto loaded = V::first(p.rows - r);
    for (ptrdiff_t c = 0; c < p.width; c += V::lanes) {
      const auto stored = V::first(p.width - c);
      V block[V::lanes];
      for (ptrdiff_t i = 0; i < V::lanes; ++i) {
        block[i] = c + i < p.cols ? V::load(p.src + (c + i) * p.ld + r, loaded) : V::zero();
        seen = seen | block[i];
      }
      transpose(block);
      const ptrdiff_t end = p.rows - r < V::lanes ? p.rows - r : V::lanes;
      for (ptrdiff_t i = 0; i < end; ++i) block[i].store(p.dst + (r + i) * p.width + c, stored);
    }
  }
  return any_nonzero(seen);
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_PACK_H
