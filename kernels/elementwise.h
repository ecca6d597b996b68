// Column sums, squares of rows and y = alpha z + beta y, over any vector type V of an ISA's vector.h.
#ifndef IDELTA_KERNELS_ELEMENTWISE_H
#define IDELTA_KERNELS_ELEMENTWISE_H

#include "kernels/compiler.h"
#include "kernels/kernels.h"

namespace idelta {

// sums += rows of N vectors, without the columns past `cols`.
template <int N, class V>
IDELTA_INLINE void add_rows(ptrdiff_t rows, ptrdiff_t cols, const float* src, ptrdiff_t ld, float* sums) {
  typename V::Mask mask[N];
  V sum[N];
  IDELTA_UNROLL for (int v = 0; v < N; ++v) {
    mask[v] = V::first(cols - v * V::lanes);
    sum[v] = V::load(sums + v * V::lanes, mask[v]);
  }
  for (ptrdiff_t r = 0; r < rows; ++r, src += ld) {
    IDELTA_UNROLL for (int v = 0; v < N; ++v) sum[v] = sum[v] + V::load(src + v * V::lanes, mask[v]);
  }
  IDELTA_UNROLL for (int v = 0; v < N; ++v) sum[v].store(sums + v * V::lanes, mask[v]);
}

// One chain a column, in ascending order of rows. kRows rows at a time, because rows are contiguous in memory.
template <class V>
void column_sums(const ColumnSums& given) {
  constexpr int kVectors = 4;
  constexpr ptrdiff_t kRows = 16;
  const ColumnSums s = given;  // a copy: stores could alias the original
  const float* src = s.src;
  for (ptrdiff_t r = 0; r < s.rows; r += kRows, src += kRows * s.ld) {
    const ptrdiff_t few = kRows < s.rows - r ? kRows : s.rows - r;
    for (ptrdiff_t c = 0; c < s.cols; c += kVectors * V::lanes) {
      add_rows<kVectors, V>(few, s.cols - c, src + c, s.ld, s.sums + c);
    }
  }
}

// kRows rows at once: a single row would wait for the latency of its own sums.
template <class Squares, int kRows>
IDELTA_INLINE void squares_of_rows(const RowSquares& s, ptrdiff_t row) {
  const float* const src = s.src + row * s.ld;
  Squares sums[kRows];
  ptrdiff_t c = 0;
  for (; c + kLine <= s.cols; c += kLine) {
    IDELTA_UNROLL for (int r = 0; r < kRows; ++r) sums[r].add(src + r * s.ld + c);
  }
  if (c < s.cols) {
    IDELTA_UNROLL for (int r = 0; r < kRows; ++r) sums[r].add(src + r * s.ld + c, s.cols - c);
  }
  IDELTA_UNROLL for (int r = 0; r < kRows; ++r) s.squares[row + r] = sums[r].total();
}

// Squares: kLine sums of an ISA's vector.h.
template <class Squares, int kRows>
void row_squares(const RowSquares& given) {
  const RowSquares s = given;
  ptrdiff_t row = 0;
  for (; row + kRows <= s.rows; row += kRows) squares_of_rows<Squares, kRows>(s, row);
  for (; row < s.rows; ++row) squares_of_rows<Squares, 1>(s, row);
}

template <class V>
void scale_add(const ScaleAdd& given) {
  const ScaleAdd s = given;
  for (ptrdiff_t i = 0; i < s.count; i += V::lanes) {
    const auto mask = V::first(s.count - i);
    V v = V::splat(s.alpha) * V::load(s.z + i, mask);
    if (s.beta != 0.0f) v = fma(V::splat(s.beta), V::load(s.y + i, mask), v);
    v.store(s.y + i, mask);
  }
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_ELEMENTWISE_H
