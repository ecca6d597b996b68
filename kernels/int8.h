// Quantising rows (kernels.h, QuantizeRows) over any vector type V of an ISA's vector.h.
#ifndef IDELTA_KERNELS_INT8_H
#define IDELTA_KERNELS_INT8_H

#include "kernels/compiler.h"
#include "kernels/kernels.h"

namespace idelta {

// Columns with their padding.
IDELTA_INLINE constexpr ptrdiff_t whole_quad_lines(ptrdiff_t cols) {
  return (cols + kQuadLine - 1) / kQuadLine * kQuadLine;
}

// The bits of the largest magnitude. As integers the bits of magnitudes have the order of the numbers, with NaN above
// all: one maximum finds what is not finite, too, and does not depend on whether subnormals are read as zero.
template <class V>
IDELTA_INLINE uint32_t largest_magnitude(const float* src, ptrdiff_t cols) {
  V greatest = V::zero();
  ptrdiff_t c = 0;
  for (; c + V::lanes <= cols; c += V::lanes) greatest = greater_bits(greatest, abs(V::load(src + c)));
  if (c < cols) greatest = greater_bits(greatest, abs(V::load(src + c, V::first(cols - c))));
  return greatest_bits(greatest);
}

template <class V>
IDELTA_INLINE void quantize_row(const float* src, ptrdiff_t cols, float scale, uint8_t* dst) {
  const V divisor = V::splat(scale);
  ptrdiff_t c = 0;
  for (; c + V::lanes <= cols; c += V::lanes) store_activations(V::load(src + c) / divisor, dst + c);
  for (; c < whole_quad_lines(cols); c += V::lanes) {
    store_activations(V::load(src + c, V::first(cols - c)) / divisor, dst + c);
  }
}

template <class Squares>
IDELTA_INLINE double change_of_row(const float* src, ptrdiff_t cols, float scale, const uint8_t* q) {
  Squares sums;
  for (ptrdiff_t c = 0; c < cols; c += kLine) {
    sums.add_changes(src + c, kLine < cols - c ? kLine : cols - c, q + c, static_cast<double>(scale));
  }
  return sums.total();
}

// Squares: kLine sums of an ISA's vector.h.
template <class V, class Squares>
void int8_quantize_rows(const QuantizeRows& given) {
  constexpr uint32_t kLeast = __builtin_bit_cast(uint32_t, 0x1.fcp-120f);  // 127 * 2^-126: its scale is normal
  constexpr uint32_t kInfinity = 0x7f800000u;
  const QuantizeRows q = given;  // a copy: stores could alias the original
  for (ptrdiff_t i = 0; i < q.rows; ++i) {
    const float* const src = q.src + i * q.ld;
    uint8_t* const dst = q.dst + i * q.ldq;
    const uint32_t largest = largest_magnitude<V>(src, q.cols);
    const bool regular = largest >= kLeast && largest < kInfinity;
    const float scale = regular        ? __builtin_bit_cast(float, largest) / kMostActivation
                        : largest == 0 ? 0.0f
                                       : __builtin_nanf("");
    q.scales[i] = scale;
    if (regular) {
      quantize_row<V>(src, q.cols, scale, dst);
    } else {
      __builtin_memset(dst, kActivationZero, static_cast<size_t>(whole_quad_lines(q.cols)));
    }
    if (q.changes) q.changes[i] = regular ? change_of_row<Squares>(src, q.cols, scale, dst) : 0.0;
  }
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_INT8_H
