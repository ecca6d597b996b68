#include "src/core/formats/rounded_product.h"

#include <algorithm>

#include "src/core/formats/fetch_ahead.h"
#include "src/core/formats/row_plan.h"
#include "src/core/formats/source.h"

namespace idelta::core {
namespace {

struct Plan : RowPlan {
  int64_t stride;  // bf16 numbers from one rounded row to the next
  int64_t planes;  // hi, or hi and lo
  int64_t plane;   // bf16 numbers of one
};

Plan plan_for(const idelta_context& context, const RoundedKernel& kernel, int64_t planes, int64_t m, int64_t k,
              int64_t cols, Stepped stepped) {
  const Traffic traffic{.prepared = true, .stepped = stepped};
  const int64_t panels = ceil_div(cols, kernel.nr);
  const double multiply_adds = static_cast<double>(m) * static_cast<double>(k) * static_cast<double>(cols) / 2;
  const int64_t threads = threads_for_rows(context, multiply_adds, k, cols, traffic);
  const Partition::Work work{m, panels, forward_cost, 1, {kernel.mr, kernel.nr}, traffic};
  Plan plan{{.partition = Partition(context.placement, threads, work), .multiply_adds = multiply_adds}};
  plan.shared = plan.partition.cuts_panels();
  plan.planes = planes;
  // An odd number of lines, so that the rows of a tile spread over all sets of L1.
  plan.stride = (ceil_div(k, kPairLine) | 1) * kPairLine;
  plan.rows = plan.shared ? m
                          : rounded_rows(context.caches, kernel.mr, plan.partition.most_rows(),
                                         planes * plan.stride * static_cast<int64_t>(sizeof(uint16_t)));
  plan.plane = (plan.rows + kernel.rows_past_last) * plan.stride;
  plan.block = planes * plan.plane / 2 + plan.rows * Source::copy_stride(k);
  plan.partial = round_up(plan.shared ? plan.partition.most_rows() : plan.rows, kPairLine) * kernel.nr;
  return plan;
}

struct Block : Source::Block {
  uint16_t *hi, *lo;  // lo: of two planes

  Range all() const { return {0, rows.size()}; }
};

// See RowPlan::run().
struct Pass {
  const idelta_context& context;
  const RoundedKernel& kernel;
  const Panels& panels;
  const Plan& plan;
  const Source& source;

  Block block(Range rows, float* memory) const {
    uint16_t* const hi = reinterpret_cast<uint16_t*>(memory);
    return {{rows, memory + plan.planes * plan.plane / 2}, hi, plan.planes == 2 ? hi + plan.plane : nullptr};
  }
  bool needs_preparation() const { return true; }
  void prepare(const Block& block, Range range) const {
    source.write_row_errors(range);
    if (source.needs_preparation()) source.prepare(block, range);
    const int64_t row = range.begin - block.rows.begin, at = row * plan.stride;
    context.kernels.bf16_round_rows({.rows = range.size(),
                                     .cols = panels.k(),
                                     .src = source.at(block, row),
                                     .ld = source.ld(),
                                     .hi = block.hi + at,
                                     .lo = block.lo ? block.lo + at : nullptr,
                                     .ldr = plan.stride});
  }

  // Rows of a block against panels, in runs whose used steps are the same.
  void multiply(const Block& block, const Cell& cell, float* partial, Range /*next*/) const {
    for (Range left = cell.panels; left.size() > 0;) {
      const Range run = panels.first_alike(left, left.size());
      multiply_run(block, cell.rows, run, partial);
      left.begin = run.end;
    }
  }

  // In whole lines of bf16.
  void multiply_run(const Block& block, Range rows, Range run, float* partial) const {
    const Range used = panels.used(run.begin);
    const int64_t k = used.begin / kPairLine * kPairLine, end = round_up(used.end, kPairLine);
    const int64_t column = run.begin * panels.nr(), x = rows.begin * plan.stride + k;
    kernel({.rows = rows.size(),
            .cols = std::min(run.size() * panels.nr(), panels.cols() - column),
            .k = end - k,
            .x_hi = block.hi + x,
            .x_lo = block.lo ? block.lo + x : nullptr,
            .ldx = plan.stride,
            .panels_hi = panels.words(run.begin, k),
            .panels_lo = block.lo ? panels.low_words(run.begin, k) : nullptr,
            .panel_stride = panels.stride(),
            .start = source.start(block, rows.begin, column, panels.nr()),
            .partial = partial,
            .fetch_panels = wait_for_panels(context.caches, panels, ceil_div(rows.size(), kernel.mr)),
            .epilogue = source.epilogue(block, rows.begin, column)});
  }
};

}  // namespace

size_t rounded_workspace_bytes(const idelta_context& context, const RoundedKernel& kernel, int64_t planes, int64_t m,
                               int64_t k, int64_t cols) {
  const auto floats = [&](const Traffic& traffic) {
    return plan_for(context, kernel, planes, m, k, cols, traffic.stepped).total();
  };
  return static_cast<size_t>(most_of(floats)) * sizeof(float);
}

void multiply_rounded(const idelta_context& context, const RoundedKernel& kernel, const Panels& panels,
                      Multiplication& call) {
  const int64_t k = panels.k(), cols = panels.cols();
  const Plan plan = plan_for(context, kernel, panels.shape().planes, call.m, k, cols, panels.stepped());
  const Source source(context, call, k, cols);
  plan.run(context, call.m, k, call.workspace.take(plan.total()), source, [&](const Source& way) {
    return Pass{context, kernel, panels, plan, way};
  });
}

}  // namespace idelta::core
