#include "src/core/formats/chain_product.h"

#include <algorithm>
#include <vector>

namespace idelta::core {
namespace {

// Panels that a single row tile gets at once. More gain nothing.
constexpr int64_t kWidePanels = 4;

RowsPlan plan_for(const idelta_context& context, const ChainKernel& kernel, const ProductSize& size, bool prepared,
                  int64_t strips) {
  const auto [mc, kc] = forward_blocks(context.caches, {kernel.mr, kernel.nr}, size.m, size.k);
  RowsPlan plan = cut_rows(context, kernel, size,
                           {.multiply_adds = size.multiply_adds(), .rows = mc, .prepared = prepared, .strips = strips});
  plan.kc = std::max<int64_t>(kc, 1);
  plan.prepared = (plan.shared() ? size.m : plan.rows) * copy_stride(size.k);
  if (plan.kc < size.k) plan.partial = plan.rows * plan.partition.most_panels() * kernel.nr;
  return plan;
}

}  // namespace

void ChainTiles::multiply(const RowBlock& block, Range columns, float* partial, FetchAhead ahead) const {
  const int64_t k = panels.k(), nr = panels.nr(), m = block.rows.size();
  const int64_t height = even_tile(m, kernel.mr), count = m <= height ? 1 : ceil_div(m, height);
  // A single row tile takes several panels at once. Several tiles share each panel in L2 and prefetch the next one.
  const int64_t together = count == 1 ? kWidePanels : 1;
  const bool fetches = !ahead.given() && count > 1 && streams();
  for (int64_t step = 0; step == 0 || step < k; step += kc) {  // once even if k = 0: a x + b is left
    const Range reduction{step, std::min(step + kc, k)};
    const int64_t words = panels.words_of(reduction.size());
    for (Range group = panels.first_alike(columns, together), next; group.size() > 0; group = next) {
      next = panels.first_alike({group.end, columns.end}, together);
      if (fetches && next.size() > 0) ahead = {panels.words(next.begin, step), words * nr, count};
      for (int64_t row = 0; row < m; row += height) {
        const int64_t rows = std::min(height, m - row);
        Sums waiting;
        if (kc < k) {
          waiting = {partial + (row * columns.size() + (group.begin - columns.begin) * rows) * nr, nr, rows * nr};
        }
        multiply_tile(block,
                      {.row = row,
                       .rows = rows,
                       .panels = group,
                       .reduction = reduction,
                       .start = step == 0 ? block.start.from(row, group.begin) : waiting,
                       .suspend = reduction.end < k ? waiting : block.suspend.from(row, group.begin - columns.begin)},
                      ahead.share(words));
      }
    }
  }
}

void ChainTiles::multiply_tile(const RowBlock& block, const Part& part, const Fetch& fetch) const {
  Range used = panels.used(part.panels.begin);
  used = {std::max(used.begin, part.reduction.begin), std::min(used.end, part.reduction.end)};
  if (used.size() <= 0) used = {part.reduction.begin, part.reduction.begin};

  const int64_t column = part.panels.begin * panels.nr();
  kernel({.rows = part.rows,
          .cols = std::min(part.panels.size() * panels.nr(), panels.cols() - column),
          .k = used.size(),
          .x = block.at + part.row * block.ld + used.begin,
          .ldx = block.ld,
          .panels = panels.words(part.panels.begin, used.begin),
          .panel_stride = panels.stride(),
          .start = part.start,
          .suspend = part.suspend,
          .fetch = fetch,
          .epilogue = block.epilogue.from(part.row, column)});
}

size_t chains_workspace_bytes(const idelta_context& context, const ChainKernel& kernel, const ProductSize& size) {
  const auto floats = [&](bool prepared) { return plan_for(context, kernel, size, prepared, 0).floats(); };
  return static_cast<size_t>(std::max(floats(false), floats(true))) * sizeof(float);
}

void multiply_chains(const idelta_context& context, const ChainKernel& kernel, const Panels& panels,
                     Multiplication& call) {
  const int64_t k = panels.k(), cols = panels.cols();
  const CallRows rows(context, call, k, cols, kernel.nr, {.colliding = true, .overwritten = true});
  const RowsPlan plan = plan_for(context, kernel, {call.m, k, cols}, rows.prepares(), call.strips);
  multiply_rows(context, ChainTiles{context, kernel, panels, plan.kc}, plan, rows, call, k);
}

double chains_steps(const idelta_context& context, const ChainKernel& kernel, const ProductSize& size,
                    double word_steps) {
  const RowsPlan plan = plan_for(context, kernel, size, /*prepared=*/false, 0);
  const ProductCost cost{.word_steps = word_steps, .row_steps = kCostModel.epilogue_steps};
  return call_steps(plan, task_steps(kCostModel, largest_task(context, kernel, size, plan, cost)));
}

void dense_product(const idelta_context& context, const ProductSize& size, const float* A, const MatrixView& B,
                   float* out) {
  if (size.m == 0 || size.cols == 0) return;
  const ChainKernel& kernel = context.kernels.f32_forward;
  Panels panels(size.k, size.cols, PanelShape::of(kernel));
  pack_panels(context, panels, B);
  const std::vector<float> zeros(static_cast<size_t>(size.cols));
  Multiplication call{
      .m = size.m, .rows = {.src = A, .ld = size.k}, .epilogue = sums_alone(zeros.data(), out, size.cols)};
  multiply_chains(context, kernel, panels, call);
}

}  // namespace idelta::core
