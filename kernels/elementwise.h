// What is done an element at a time, over any vector type V of an ISA's vector.h: column sums, y += z.
#ifndef IDELTA_KERNELS_ELEMENTWISE_H
#define IDELTA_KERNELS_ELEMENTWISE_H

#include "kernels/compiler.h"
#include "kernels/kernels.h"

namespace idelta {

// One chain a column, rows ascending.
template <class V>
void column_sums(ptrdiff_t rows, ptrdiff_t cols, const float* src, ptrdiff_t ld, float* sums) {
  for (ptrdiff_t c = 0; c < cols; c += V::lanes) {
    const auto mask = V::first(cols - c);
    V sum = V::load(sums + c, mask);
    for (ptrdiff_t r = 0; r < rows; ++r) sum = sum + V::load(src + r * ld + c, mask);
    sum.store(sums + c, mask);
  }
}

template <class V>
void scale_add(ptrdiff_t count, float alpha, const float* z, float beta, float* y) {
  for (ptrdiff_t i = 0; i < count; i += V::lanes) {
    const auto mask = V::first(count - i);
    V v = V::splat(alpha) * V::load(z + i, mask);
    if (beta != 0.0f) v = fma(V::splat(beta), V::load(y + i, mask), v);
    v.store(y + i, mask);
  }
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_ELEMENTWISE_H
