// Packing, over any vector type V of an ISA's vector.h: x into lines (with act' on the way back), D and the operands of
// backward_weights into panels.
#ifndef IDELTA_KERNELS_PACK_H
#define IDELTA_KERNELS_PACK_H

#include "kernels/activation.h"
#include "kernels/kernels.h"

namespace idelta {

template <class V>
void pack_lines(const PackLines& p) {
  for (ptrdiff_t i = 0; i < p.rows; ++i) {
    const float* src = p.src + i * p.ld;
    float* line = p.lines + i * kLine;
    for (ptrdiff_t k = 0; k < p.k; k += kLine, line += p.rows * kLine) {
      for (ptrdiff_t q = 0; q < kLine; q += V::lanes) {
        const ptrdiff_t count = p.k - k - q;
        V v = V::load(src + (count > 0 ? k + q : 0), count);
        if (p.y) {
          v = gradient_of(p.gradient, v, V::load(p.y + i * p.ldy + (count > 0 ? k + q : 0), count));
          if (p.dz && count > 0) v.store(p.dz + i * p.lddz + k + q, count);
        }
        v.store(line + q);
      }
    }
  }
}

// A column of vectors at a time, so that masks are made once.
template <class V>
bool pack_panel(const PackPanel& p) {
  V seen = V::zero();
  for (ptrdiff_t c = 0; c < p.width; c += V::lanes) {
    const ptrdiff_t loaded = p.cols - c, stored = p.width - c;
    const float* src = p.src + (loaded > 0 ? c : 0);
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
    for (ptrdiff_t c = 0; c < p.width; c += V::lanes) {
      V block[V::lanes];
      for (ptrdiff_t i = 0; i < V::lanes; ++i) {
        block[i] = c + i < p.cols ? V::load(p.src + (c + i) * p.ld + r, p.rows - r) : V::zero();
        seen = seen | block[i];
      }
      transpose(block);
      const ptrdiff_t end = p.rows - r < V::lanes ? p.rows - r : V::lanes;
      for (ptrdiff_t i = 0; i < end; ++i) block[i].store(p.dst + (r + i) * p.width + c, p.width - c);
    }
  }
  return any_nonzero(seen);
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_PACK_H
