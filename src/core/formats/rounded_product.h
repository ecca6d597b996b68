// Multiplies rows that are rounded to bf16, or split in two, with panels of bf16: BF16 rounded and BF16X3.
#ifndef IDELTA_CORE_FORMATS_ROUNDED_PRODUCT_H
#define IDELTA_CORE_FORMATS_ROUNDED_PRODUCT_H

#include "src/core/context.h"
#include "src/core/formats/multiplication.h"
#include "src/core/formats/multiply_rows.h"
#include "src/core/formats/panel_operator.h"
#include "src/core/formats/panels.h"

namespace idelta::core {

using RoundedKernel = Kernel<Bf16Block>;

// The workspace of multiply_rounded() for m >= 1 rows and any B of k x cols. planes: bf16 numbers for each of fp32.
size_t rounded_workspace_bytes(const idelta_context& context, const RoundedKernel& kernel, int64_t planes,
                               const ProductSize& size);

void multiply_rounded(const idelta_context& context, const RoundedKernel& kernel, const Panels& panels,
                      Multiplication& call);

// Format::steps of such a format, a word of which takes word_steps a plane and product.
double rounded_steps(const idelta_context& context, const RoundedKernel& kernel, int64_t planes,
                     const ProductSize& size, double word_steps);

// A format whose panels a slot of the kernel table multiplies with rounded rows.
template <RoundedKernel KernelTable::*kKernel, int64_t kPlanes>
class RoundedOperator : public PanelOperator {
 public:
  RoundedOperator(const idelta_context& context, const MatrixView& B, int64_t k, int64_t cols)
      : PanelOperator(context, B, k, cols, PanelShape::of(context.kernels.*kKernel, kPlanes)) {}

  size_t workspace_bytes(const idelta_context& context, int64_t m) const override {
    return rounded_workspace_bytes(context, context.kernels.*kKernel, kPlanes, {m, k(), cols()});
  }
  void multiply(const idelta_context& context, Multiplication& call) const override {
    multiply_rounded(context, context.kernels.*kKernel, panels(), call);
  }
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_ROUNDED_PRODUCT_H
