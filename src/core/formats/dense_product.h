// Products of unpacked matrices, for packing, by the kernels of F32: the same bits on every ISA with any number of
// threads.
#ifndef IDELTA_CORE_FORMATS_DENSE_PRODUCT_H
#define IDELTA_CORE_FORMATS_DENSE_PRODUCT_H

#include <cstdint>

#include "src/core/context.h"
#include "src/core/formats/matrix.h"

namespace idelta::core {

// A (m x k, row-major without gaps) times B (k x cols).
struct ProductSize {
  int64_t m, k, cols;
};
void dense_product(const idelta_context& context, const ProductSize& size, const float* A, const MatrixView& B,
                   float* out);

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_DENSE_PRODUCT_H
