#include "src/core/formats/rounded_product.h"

#include <algorithm>

#include "src/core/formats/multiply_rows.h"

namespace idelta::core {
namespace {

struct RoundedShape {
  int64_t planes;  // hi, or hi and lo
  int64_t m, k, cols;

  int64_t stride() const { return odd_lines(k, kPairLine); }  // of a row, in bf16 numbers
};

struct Plan : RowsPlan {
  int64_t copies;  // floats of copies, before the rounded rows
  int64_t plane;   // bf16 numbers of hi, or lo
};

Plan plan_for(const idelta_context& context, const RoundedKernel& kernel, const RoundedShape& size, int64_t strips) {
  const double multiply_adds =
      static_cast<double>(size.m) * static_cast<double>(size.k) * static_cast<double>(size.cols) / 2;
  const int64_t threads = useful_threads(context.parallel.threads(), multiply_adds);
  const int64_t row_bytes = size.planes * size.stride() * static_cast<int64_t>(sizeof(uint16_t));
  const int64_t block_rows = rounded_rows(context.caches, kernel.mr, size.m, row_bytes);
  const Partition partition(context.placement, threads,
                            {.rows = size.m,
                             .panels = ceil_div(size.cols, kernel.nr),
                             .cost = multiply_cost,
                             .shape = {.tile = {kernel.mr, kernel.nr},
                                       .words = ceil_div(size.k, kernel.kr),
                                       .block_rows = block_rows,
                                       .threads = threads,
                                       .prepared = true,
                                       .caches = context.caches},
                             .strips = strips});
  Plan plan{
      {.partition = partition, .multiply_adds = multiply_adds, .rows = std::min(block_rows, partition.most_rows())}};
  const int64_t rows = plan.shared() ? size.m : plan.rows;
  plan.copies = rows * copy_stride(size.k);
  plan.plane = (rows + kernel.rows_past_last) * size.stride();
  plan.prepared = plan.copies + size.planes * plan.plane / 2;
  plan.partial = round_up(plan.rows, kPairLine) * kernel.nr;
  return plan;
}

// See multiply_rows().
struct RoundedProduct {
  const idelta_context& context;
  const RoundedKernel& kernel;
  const Panels& panels;
  const RoundedShape& size;
  const Plan& plan;
  const RowErrors& errors;

  bool prepares() const { return true; }
  void prepare(const RowBlock& block) const {
    if (errors.wanted()) errors.write(context.kernels, block.rows, block.at, block.ld, size.k);
    uint16_t* const hi = rounded(block);
    context.kernels.bf16_round_rows({.rows = block.rows.size(),
                                     .cols = size.k,
                                     .src = block.at,
                                     .ld = block.ld,
                                     .hi = hi,
                                     .lo = size.planes == 2 ? hi + plan.plane : nullptr,
                                     .ldr = size.stride()});
  }

  // Goes by panels with the same used steps, which are rounded to whole lines of bf16.
  void multiply(const RowBlock& block, Range columns, float* partial) const {
    for (Range run = panels.first_alike(columns, columns.size()); run.size() > 0;
         run = panels.first_alike({run.end, columns.end}, columns.size())) {
      const Range used = panels.used(run.begin);
      const int64_t k = used.begin / kPairLine * kPairLine, column = run.begin * panels.nr();
      const uint16_t* const hi = rounded(block) + k;
      const bool split = size.planes == 2;
      kernel({.rows = block.rows.size(),
              .cols = std::min(run.size() * panels.nr(), panels.cols() - column),
              .k = round_up(used.end, kPairLine) - k,
              .x_hi = hi,
              .x_lo = split ? hi + plan.plane : nullptr,
              .ldx = size.stride(),
              .panels_hi = panels.words(run.begin, k),
              .panels_lo = split ? panels.low_words(run.begin, k) : nullptr,
              .panel_stride = panels.stride(),
              .start = block.start.from(0, run.begin),
              .partial = partial,
              .fetch_panels = wait_for_panels(block.rows.size()),
              .epilogue = block.epilogue.from(0, column)});
    }
  }

 private:
  uint16_t* rounded(const RowBlock& block) const {
    return reinterpret_cast<uint16_t*>(block.prepared + plan.copies) + (block.rows.begin - block.first) * size.stride();
  }
  // Whether the panels are not in L2 and few tiles share each, so that waiting for it costs much.
  bool wait_for_panels(int64_t rows) const {
    constexpr int64_t kFewTiles = 8;
    const int64_t tiles = ceil_div(rows, kernel.mr);
    return tiles > 1 && tiles <= kFewTiles && static_cast<int64_t>(panels.bytes()) > context.caches.l2;
  }
};

}  // namespace

size_t rounded_workspace_bytes(const idelta_context& context, const RoundedKernel& kernel, int64_t planes, int64_t m,
                               int64_t k, int64_t cols) {
  return static_cast<size_t>(plan_for(context, kernel, {planes, m, k, cols}, 0).floats()) * sizeof(float);
}

void multiply_rounded(const idelta_context& context, const RoundedKernel& kernel, const Panels& panels,
                      Multiplication& call) {
  const RoundedShape size{panels.shape().planes, call.m, panels.k(), panels.cols()};
  const CallRows rows(context, call, size.k, size.cols, kernel.nr, {.colliding = false, .overwritten = false});
  const Plan plan = plan_for(context, kernel, size, call.strips);
  multiply_rows(context, RoundedProduct{context, kernel, panels, size, plan, call.errors}, plan, rows, call, size.k);
}

}  // namespace idelta::core
