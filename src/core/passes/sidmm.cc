#include "src/core/passes/sidmm.h"

#include <algorithm>

#include "src/core/formats/chain_product.h"

namespace idelta::core {

namespace {

// y = beta y, for alpha = 0. As in BLAS, beta = 0 does not read y.
void scale(float beta, float* y, int64_t n, int64_t inc) {
  for (int64_t j = 0; j < n; ++j) y[j * inc] = beta == 0 ? 0.0f : beta * y[j * inc];
}

// One panel of a row's z = a x + x op(D), for x of stride 1. D is read only once: a few steps at a time are packed on
// the stack and multiplied from L1. Packed in memory first, as by sidmm(), a row takes 1.2 to 5 times as long (n = 256
// to 2048, Zen 4, 2026-11).
void multiply_panel(const idelta_context& context, const SidmvArgs& args, const float* x, int64_t panel, float* z) {
  constexpr int64_t kSteps = 4 * kLine;
  alignas(kAlignment) float packed[kSteps * kWidest], sums[kWidest];
  const auto& kernel = context.kernels.f32_forward;
  const auto& pack = args.D.transposed ? context.kernels.f32_pack_panel_transposed : context.kernels.f32_pack_panel;
  const int64_t n = args.n, nr = kernel.nr, j = panel * nr, cols = std::min(nr, n - j);
  for (int64_t k = 0; k < n; k += kSteps) {
    const int64_t steps = std::min(kSteps, n - k);
    pack({.rows = steps,
          .cols = cols,
          .src = args.D.transposed ? args.D.data + j * args.D.ld + k : args.D.data + k * args.D.ld + j,
          .ld = args.D.ld,
          .width = nr,
          .dst = packed});
    const Sums waiting{sums, nr, nr};
    kernel({.rows = 1,
            .cols = cols,
            .k = steps,
            .x = x + k,
            .ldx = n,
            .panels = words_of(packed),
            .start = k > 0 ? waiting : Sums{},
            .suspend = k + steps < n ? waiting : Sums{},
            .epilogue = {.residual = x + j,
                         .ld_residual = n,
                         .identity_scale = args.identity_scale,
                         .activation = kIdentityActivation,
                         .y = z,
                         .ldy = nr}});
  }
}

// y = alpha z + beta y for the columns of a panel.
void add_panel(const idelta_context& context, const SidmvArgs& args, int64_t panel, const float* z) {
  alignas(kAlignment) float sums[kWidest];
  const int64_t nr = context.kernels.f32_forward.nr, cols = std::min(nr, args.n - panel * nr), inc = args.incy;
  float* const y = args.y + panel * nr * inc;
  for (int64_t j = 0; j < cols && args.beta != 0; ++j) sums[j] = y[j * inc];
  context.kernels.f32_scale_add({.count = cols, .alpha = args.alpha, .z = z, .beta = args.beta, .y = sums});
  for (int64_t j = 0; j < cols; ++j) y[j * inc] = sums[j];
}

}  // namespace

void sidmv(const idelta_context& context, const SidmvArgs& args) {
  if (args.alpha == 0) return scale(args.beta, args.y, args.n, args.incy);
  const float* x = args.x;
  if (args.incx != 1) {
    float* const copy = OfferedWorkspace().take(args.n);
    for (int64_t i = 0; i < args.n; ++i) copy[i] = args.x[i * args.incx];
    x = copy;
  }
  const int64_t panels = ceil_div(args.n, context.kernels.f32_forward.nr);
  const double work = packing_work(args.n * args.n);
  const int64_t tasks = std::min(panels, useful_threads(context.parallel.threads(), work));
  context.parallel.run(tasks, work, [&](int64_t task) {
    alignas(kAlignment) float z[kWidest];
    const Range mine = part_of(panels, tasks, task);
    for (int64_t panel = mine.begin; panel < mine.end; ++panel) {
      multiply_panel(context, args, x, panel, z);
      add_panel(context, args, panel, z);
    }
  });
}

// Packs op(D) for this call only. Writes y directly for alpha = 1, beta = 0, else through z, a block of rows at a time.
// Asks for memory in every call, three or four times: kept, the panels would take n^2 floats of each thread that ever
// made one.
void sidmm(const idelta_context& context, const SidmmArgs& args) {
  if (args.alpha == 0) {
    for (int64_t i = 0; i < args.m; ++i) scale(args.beta, args.y + i * args.ldy, args.n, 1);
    return;
  }
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
