#include "src/core/formats/rounded_product.h"

#include <algorithm>

namespace idelta::core {
namespace {

struct Plan : RowsPlan {
  int64_t planes;  // hi, or hi and lo
  int64_t stride;  // of a rounded row, in bf16 numbers
  int64_t copies;  // floats of copies, before the rounded rows
  int64_t plane;   // bf16 numbers of hi, or lo
};

Plan plan_for(const idelta_context& context, const RoundedKernel& kernel, int64_t planes, const ProductSize& size,
              int64_t strips) {
  const int64_t stride = odd_lines(size.k, kPairLine),
                row_bytes = planes * stride * static_cast<int64_t>(sizeof(uint16_t));
  const int64_t rows_in_l2 = even_block(size.m, row_bytes, context.caches.l2 / 2, kernel.mr);
  Plan plan{cut_rows(context, kernel, size,
                     {.multiply_adds = size.multiply_adds() / 2, .rows = rows_in_l2, .strips = strips})};
  const int64_t rows = plan.shared() ? size.m : plan.rows;
  plan.planes = planes;
  plan.stride = stride;
  plan.copies = rows * copy_stride(size.k);
  plan.plane = (rows + kernel.rows_past_last) * stride;
  plan.prepared = plan.copies + planes * plan.plane / 2;
  plan.partial = round_up(plan.rows, kPairLine) * kernel.nr;
  return plan;
}

// See multiply_rows().
struct RoundedProduct {
  const idelta_context& context;
  const RoundedKernel& kernel;
  const Panels& panels;
  const Plan& plan;

  void prepare(const RowBlock& block) const {
    uint16_t* const hi = rounded(block);
    context.kernels.bf16_round_rows({.rows = block.rows.size(),
                                     .cols = panels.k(),
                                     .src = block.at,
                                     .ld = block.ld,
                                     .hi = hi,
                                     .lo = plan.planes == 2 ? hi + plan.plane : nullptr,
                                     .ldr = plan.stride});
  }

  // Goes by panels with the same used steps, which are rounded to whole lines of bf16.
  void multiply(const RowBlock& block, Range columns, float* partial) const {
    for (Range run = panels.first_alike(columns, columns.size()); run.size() > 0;
         run = panels.first_alike({run.end, columns.end}, columns.size())) {
      const Range used = panels.used(run.begin);
      const int64_t k = used.begin / kPairLine * kPairLine, column = run.begin * panels.nr();
      const uint16_t* const hi = rounded(block) + k;
      const bool split = plan.planes == 2;
      kernel({.rows = block.rows.size(),
              .cols = std::min(run.size() * panels.nr(), panels.cols() - column),
              .k = round_up(used.end, kPairLine) - k,
              .x_hi = hi,
              .x_lo = split ? hi + plan.plane : nullptr,
              .ldx = plan.stride,
              .panels_hi = panels.words(run.begin, k),
              .panels_lo = split ? panels.low_words(run.begin, k) : nullptr,
              .panel_stride = panels.stride(),
              .start = block.start.from(0, run.begin),
              .partial = partial,
              .fetch_panels = waits_for_panels(context, kernel, panels, block.rows.size()),
              .epilogue = block.epilogue.from(0, column)});
    }
  }

 private:
  uint16_t* rounded(const RowBlock& block) const {
    return reinterpret_cast<uint16_t*>(block.prepared + plan.copies) + (block.rows.begin - block.first) * plan.stride;
  }
};

}  // namespace

size_t rounded_workspace_bytes(const idelta_context& context, const RoundedKernel& kernel, int64_t planes,
                               const ProductSize& size) {
  return static_cast<size_t>(plan_for(context, kernel, planes, size, 0).floats()) * sizeof(float);
}

double rounded_steps(const idelta_context& context, const RoundedKernel& kernel, int64_t planes,
                     const ProductSize& size, double word_steps) {
  const Plan plan = plan_for(context, kernel, planes, size, 0);
  const ProductCost cost{
      .word_steps = word_steps,
      .row_steps = kCostModel.epilogue_steps + static_cast<double>(planes) * kCostModel.rounding_steps,
      .prepared = true};
  return call_steps(plan, task_steps(kCostModel, largest_task(context, kernel, size, plan, cost)));
}

void multiply_rounded(const idelta_context& context, const RoundedKernel& kernel, const Panels& panels,
                      Multiplication& call) {
  const int64_t k = panels.k(), cols = panels.cols();
  const CallRows rows(context, call, k, cols, kernel.nr, {});
  const Plan plan = plan_for(context, kernel, panels.shape().planes, {call.m, k, cols}, call.strips);
  multiply_rows(context, RoundedProduct{context, kernel, panels, plan}, plan, rows, call, k);
}

}  // namespace idelta::core
