#include "src/core/formats/dense_product.h"

#include <vector>

#include "src/core/formats/chain_product.h"

namespace idelta::core {

void dense_product(const idelta_context& context, const ProductSize& size, const float* A, const MatrixView& B,
                   float* out) {
  if (size.m == 0 || size.cols == 0) return;
  Panels panels(size.k, size.cols, PanelShape::of(context.kernels.f32_forward));
  pack_panels(context, panels, B);
  const std::vector<float> zeros(static_cast<size_t>(size.cols));
  Multiplication call{.m = size.m,
                      .rows = {.src = A, .ld = size.k},
                      .epilogue = {.residual = zeros.data(),
                                   .ld_residual = 0,
                                   .identity_scale = 0,
                                   .activation = kIdentityActivation,
                                   .y = out,
                                   .ldy = size.cols}};
  multiply_chains(context, context.kernels.f32_forward, panels, call);
}

}  // namespace idelta::core
