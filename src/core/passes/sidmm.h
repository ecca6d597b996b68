// sidmm and sidmv: y = alpha (a x + x op(D)) + beta y on an unpacked D.
#ifndef IDELTA_CORE_PASSES_SIDMM_H
#define IDELTA_CORE_PASSES_SIDMM_H

#include "src/core/context.h"
#include "src/core/formats/matrix.h"

namespace idelta::core {

struct SidmmArgs {
  int64_t m, n;
  float alpha, identity_scale;
  const float* x;  // m x n
  int64_t ldx;
  MatrixView D;  // op(D)
  float beta;
  float* y;  // m x n
  int64_t ldy;
};

// One row. x and y point to its first elements; the others are incx and incy apart.
struct SidmvArgs {
  int64_t n;
  float alpha, identity_scale;
  const float* x;
  int64_t incx;
  MatrixView D;  // op(D)
  float beta;
  float* y;
  int64_t incy;
};

// Throw std::bad_alloc.
void sidmv(const idelta_context& context, const SidmvArgs& args);
void sidmm(const idelta_context& context, const SidmmArgs& args);

}  // namespace idelta::core

#endif  // IDELTA_CORE_PASSES_SIDMM_H
