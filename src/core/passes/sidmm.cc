#include "src/core/passes/sidmm.h"

#include <algorithm>

#include "src/core/formats/chain_product.h"

namespace idelta::core {

namespace {

// y = beta y: what alpha = 0 leaves, as BLAS has it.
void scale(const SidmmArgs& args) {
  for (int64_t i = 0; i < args.m; ++i) {
    float* const y = args.y + i * args.ldy;
    for (int64_t j = 0; j < args.n; ++j) y[j] = args.beta == 0 ? 0.0f : args.beta * y[j];
  }
}

}  // namespace

// Packs op(D) for this call only. Straight into y if nothing is to be scaled or added; else through z, a block of rows
// at a time.
void sidmm(const idelta_context& context, const SidmmArgs& args) {
  if (args.alpha == 0) return scale(args);
  const int64_t n = args.n;
  const ChainKernel& kernel = context.kernels.f32_forward;
  Panels panels(n, n, PanelShape::of(kernel));
  pack_panels(context, panels, args.D);

  const bool direct = args.alpha == 1 && args.beta == 0;
  const int64_t block = direct ? args.m : std::min<int64_t>(args.m, 256);
  const FloatBuffer z(direct ? 0 : block * n);

  for (int64_t row = 0; row < args.m; row += block) {
    const int64_t rows = std::min(block, args.m - row);
    Multiplication call{.m = rows,
                        .rows = {.src = args.x + row * args.ldx, .ld = args.ldx},
                        .epilogue = {.identity_scale = args.identity_scale,
                                     .activation = kIdentityActivation,
                                     .y = direct ? args.y : z.get(),
                                     .ldy = direct ? args.ldy : n}};
    multiply_chains(context, kernel, panels, call);
    if (direct) continue;
    for (int64_t i = 0; i < rows; ++i) {
      context.kernels.f32_scale_add({.count = n,
                                     .alpha = args.alpha,
                                     .z = z.get() + i * n,
                                     .beta = args.beta,
                                     .y = args.y + (row + i) * args.ldy});
    }
  }
}

}  // namespace idelta::core
