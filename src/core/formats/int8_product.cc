#include "src/core/formats/int8_product.h"

#include <algorithm>
#include <cmath>

#include "src/core/machine/integer_unit.h"

namespace idelta::core {
namespace {

struct Plan : RowsPlan {
  IntegerRows integers;
};

Plan plan_for(const idelta_context& context, const ProductSize& size, int64_t strips) {
  const Int8Kernel& kernel = context.kernels.int8_dot;
  const int64_t row_bytes = odd_lines(size.k, kQuadLine);
  const int64_t rows_in_l2 = even_block(size.m, row_bytes, context.caches.l2 / 2, kernel.mr);
  Plan plan{cut_rows(context, kernel, size,
                     {.multiply_adds = size.multiply_adds() / kIntegersFaster, .rows = rows_in_l2, .strips = strips})};
  plan.integers = IntegerRows(kernel, plan.shared() ? size.m : plan.rows, size.k);
  plan.prepared = plan.integers.floats();
  plan.partial = integers_partial(context, plan.rows, size.k);
  return plan;
}

// The first of `rows` and those after it that are marked as it is.
Range first_alike(const float* scales, Range rows) {
  int64_t end = std::min(rows.begin + 1, rows.end);
  while (end < rows.end && std::isnan(scales[end]) == std::isnan(scales[rows.begin])) ++end;
  return {rows.begin, end};
}

// Of a word in a panel, by the kernel that these features bring.
double word_steps(const idelta_context& context) {
  switch (integer_unit(context.isa, context.features).speed) {
    case IntegerUnit::kTiles:
      return kCostModel.integer_tile_word;
    case IntegerUnit::kDot:
      return kCostModel.integer_word;
    case IntegerUnit::kPairs:
      break;
  }
  return kCostModel.integer_pairs_word;
}

}  // namespace

int64_t integers_partial(const idelta_context& context, int64_t rows, int64_t k) {
  return k * context.kernels.f32_forward.nr + round_up(rows, 2 * kLine) * context.kernels.int8_dot.nr;
}

void Int8Product::round(const RowBlock& block, const RowParts& all) const {
  const int64_t k = panels.k(), m = block.rows.size();
  const KernelTable& kernels = context.kernels;
  double changes[RowErrors::kAtOnce];
  const int64_t at_once = errors.wanted() ? RowErrors::kAtOnce : m;
  for (int64_t row = 0; row < m; row += at_once) {
    const Range rows{block.rows.begin + row, std::min(block.rows.begin + row + at_once, block.rows.end)};
    kernels.int8_quantize_rows({.rows = rows.size(),
                                .cols = k,
                                .src = block.at + row * block.ld,
                                .ld = block.ld,
                                .dst = integers.bytes(block, row),
                                .ldq = integers.stride(),
                                .scales = integers.scales(block, row),
                                .changes = errors.wanted() ? changes : nullptr});
    if (!errors.wanted()) break;
    RowParts parts = all.part(rows);
    parts.changes = changes;
    errors.write(kernels, parts);
  }
  for (int64_t row = 0; row < m; ++row) {
    const float* const src = block.at + row * block.ld;
    float* const copy = integers.copy(block, row);
    if (!std::isnan(*integers.scales(block, row)) || src == copy) continue;
    kernels.f32_copy_rows({.rows = 1, .cols = k, .src = src, .ld = block.ld, .dst = copy, .ldd = integers.copy_ld()});
  }
}

void Int8Product::multiply(const RowBlock& block, Range columns, const Sums& start, float* partial) const {
  const float* const scales = integers.scales(block, 0);
  const Range all{0, block.rows.size()};
  for (Range run = first_alike(scales, all); run.size() > 0; run = first_alike(scales, {run.end, all.end})) {
    const RowBlock part = block.part({block.rows.begin + run.begin, block.rows.begin + run.end});
    const bool marked = std::isnan(scales[run.begin]);
    const Sums start_of_run = start.from(run.begin, 0);
    marked ? multiply_in_fp32(part, columns, start_of_run, partial)
           : multiply_integers(part, columns, start_of_run, partial);
  }
}

// Goes by panels with the same used steps, which are rounded to whole lines.
void Int8Product::multiply_integers(const RowBlock& block, Range columns, const Sums& start, float* partial) const {
  const Int8Kernel& kernel = context.kernels.int8_dot;
  for (Range run = panels.first_alike(columns, columns.size()); run.size() > 0;
       run = panels.first_alike({run.end, columns.end}, columns.size())) {
    const Range used = panels.used(run.begin);
    const int64_t k = used.begin / kQuadLine * kQuadLine, column = run.begin * panels.nr();
    kernel({.rows = block.rows.size(),
            .cols = std::min(run.size() * panels.nr(), panels.cols() - column),
            .k = round_up(used.end, kQuadLine) - k,
            .x = integers.bytes(block, 0) + k,
            .ldx = integers.stride(),
            .row_scales = integers.scales(block, 0),
            .panels = panels.words(run.begin, k),
            .panel_stride = panels.stride(),
            .scales = panels.scales(run.begin),
            .offsets = panels.offsets(run.begin),
            .start = start.from(0, run.begin - columns.begin),
            .partial = words_of(partial + panels.k() * context.kernels.f32_forward.nr),
            .fetch_panels = waits_for_panels(context, kernel, panels, block.rows.size()),
            .epilogue = block.epilogue.from(0, column)});
  }
}

// Such rows are rare: their D~ is made from the integers, one panel of the fp32 kernel at a time. Nothing is skipped,
// so that NaN reaches what it does on every ISA.
void Int8Product::multiply_in_fp32(const RowBlock& block, Range columns, const Sums& start, float* partial) const {
  const Kernel<ForwardTile>& kernel = context.kernels.f32_forward;
  const int64_t k = panels.k(), nr = kernel.nr, first = columns.begin * panels.nr();
  const int64_t last = std::min(columns.end * panels.nr(), panels.cols());
  for (int64_t column = first; column < last; column += nr) {
    const int64_t width = std::min(nr, last - column);
    for (int64_t i = 0; i < k; ++i) {
      for (int64_t j = 0; j < nr; ++j) partial[i * nr + j] = j < width ? panels.at(i, column + j) : 0;
    }
    for (int64_t row = 0; row < block.rows.size(); row += kernel.mr) {
      kernel({.rows = std::min<int64_t>(kernel.mr, block.rows.size() - row),
              .cols = width,
              .k = k,
              .x = integers.copy(block, row),
              .ldx = integers.copy_ld(),
              .panels = words_of(partial),
              .panel_stride = 0,
              .start = start.at ? Sums{start.at + row * start.ld + column - first, start.ld, nr} : Sums{},
              .suspend = {},
              .fetch = {},
              .epilogue = block.epilogue.from(row, column)});
    }
  }
}

size_t integers_workspace_bytes(const idelta_context& context, const ProductSize& size) {
  return static_cast<size_t>(plan_for(context, size, 0).floats()) * sizeof(float);
}

TaskShape largest_integer_task(const idelta_context& context, const ProductSize& size, const RowsPlan& plan) {
  return largest_task(context, context.kernels.int8_dot, size, plan,
                      {.word_steps = word_steps(context),
                       .row_steps = kCostModel.epilogue_steps + kCostModel.quantizing_steps,
                       .prepared = true});
}

double integers_steps(const idelta_context& context, const ProductSize& size) {
  const Plan plan = plan_for(context, size, 0);
  return call_steps(plan, task_steps(kCostModel, largest_integer_task(context, size, plan))) +
         kCostModel.integers_call_steps;
}

void multiply_integers(const idelta_context& context, const Panels& panels, Multiplication& call) {
  const int64_t k = panels.k(), cols = panels.cols();
  const CallRows rows(context, call, k, cols, context.kernels.int8_dot.nr, {.own_errors = false});
  const Plan plan = plan_for(context, {call.m, k, cols}, call.strips);
  multiply_rows(context, Int8Product{context, panels, plan.integers, call.errors}, plan, rows, call, k);
}

}  // namespace idelta::core
