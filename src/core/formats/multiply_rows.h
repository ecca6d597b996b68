// multiply_rows: out = act(a residual + start + rows B + b), which is forward (x D) and backward_data (dz D^T) in every
// format. The work is cut into tasks, and a task's rows into blocks. Each block is prepared and multiplied. A format
// brings a Product, which does both. Inline, because a call with n = 64, m = 1 takes only a thousand instructions.
#ifndef IDELTA_CORE_FORMATS_MULTIPLY_ROWS_H
#define IDELTA_CORE_FORMATS_MULTIPLY_ROWS_H

#include <algorithm>

#include "src/core/context.h"
#include "src/core/formats/multiplication.h"
#include "src/core/formats/panels.h"
#include "src/core/machine/memory.h"
#include "src/core/plan/partition.h"

namespace idelta::core {

// How the work is cut. If only by rows, a task prepares and multiplies one block of its rows at a time. If also by
// panels, all threads prepare all rows first, then each task multiplies its rows with its panels.
struct RowsPlan {
  Partition partition;
  double multiply_adds;  // of fp32 that take as long
  int64_t rows;          // of a block
  int64_t kc = 1;        // reduction steps at a time, 1 or more
  int64_t prepared = 0;  // floats of the rows that are prepared at once
  int64_t partial = 0;   // floats of a task's partial sums

  Range first_block(Range of) const { return {of.begin, std::min(of.begin + rows, of.end)}; }
  bool shared() const { return partition.cuts_panels(); }
  int64_t prepared_stride() const { return shared() ? 0 : task_stride(prepared, partition.tasks()); }
  int64_t all_prepared() const { return shared() ? prepared : prepared_stride() * partition.tasks(); }
  int64_t floats() const { return all_prepared() + partial * partition.tasks(); }
};

// What a format says of its work.
struct RowsWork {
  double multiply_adds;  // of fp32 that take as long
  int64_t rows;          // of a block, at most
  bool prepared = true;  // rows are copied, rounded or made first
  int64_t strips = 0;    // see Multiplication
};

// What the cost model must know of a kernel's work on `threads` threads.
template <class Args>
MultiplyShape multiply_shape(const idelta_context& context, const Kernel<Args>& kernel, int64_t k, int64_t block_rows,
                             int64_t threads, bool prepared) {
  return {.tile = {kernel.mr, kernel.nr},
          .words = kernel.kr == 1 ? k : ceil_div(k, kernel.kr),  // no division at n = 64, m = 1
          .block_rows = block_rows,
          .threads = threads,
          .prepared = prepared,
          .caches = context.caches};
}

// Cuts the work for a kernel, by the cost model. The caller fills in what a block needs.
template <class Args>
RowsPlan cut_rows(const idelta_context& context, const Kernel<Args>& kernel, const ProductSize& size,
                  const RowsWork& work) {
  const int64_t threads = useful_threads(context.parallel.threads(), work.multiply_adds);
  RowsPlan plan{
      .partition = Partition(context.placement, threads,
                             {.rows = size.m,
                              .panels = ceil_div(size.cols, kernel.nr),
                              .cost = multiply_cost,
                              .shape = multiply_shape(context, kernel, size.k, work.rows, threads, work.prepared),
                              .strips = work.strips}),
      .multiply_adds = work.multiply_adds,
      .rows = work.rows};
  plan.rows = std::min(plan.rows, plan.partition.most_rows());
  return plan;
}

// What a product costs besides fp32's multiply-adds.
struct ProductCost {
  double word_steps = 1;  // see MultiplyShape
  double row_steps = 0;   // see TaskShape
  bool prepared = false;
};

// The largest task's part of a product that is cut by this plan.
template <class Args>
TaskShape largest_task(const idelta_context& context, const Kernel<Args>& kernel, const ProductSize& size,
                       const RowsPlan& plan, const ProductCost& cost) {
  const int64_t tasks = plan.partition.tasks(), panels = ceil_div(size.cols, kernel.nr);
  TaskShape task{
      .multiply = multiply_shape(context, kernel, size.k, std::max<int64_t>(plan.rows, 1), tasks, cost.prepared),
      .rows = plan.partition.most_rows(),
      .panels = plan.shared() ? plan.partition.most_panels() : panels,
      .all_panels = panels,
      .row_steps = cost.row_steps};
  task.multiply.word_steps = cost.word_steps;
  return task;
}

// Steps of a whole call whose products take the largest task so many.
inline double call_steps(const RowsPlan& plan, double products) {
  const CostModel& model = kCostModel;
  return model.call_steps + products + (plan.partition.tasks() > 1 ? model.join_steps : 0);
}

// Some rows of a call, where they are read from and what is done with their products.
struct RowBlock {
  Range rows;       // of the call's
  const float* at;  // the first of them in fp32
  int64_t ld;
  Epilogue epilogue;  // at the first of them
  Sums start;         // likewise; nr columns a panel
  Sums suspend{};     // of the columns that are multiplied: where sums are stored without the epilogue; none: nowhere
  float* prepared;    // RowsPlan::prepared floats, for rows from `first` on
  int64_t first;
  Range next;  // the rows that the same task prepares next

  RowBlock part(Range of) const {
    const int64_t row = of.begin - rows.begin;
    return {of,    at + row * ld,   ld, epilogue.from(row, 0), start.from(row, 0), suspend.from(row, 0), prepared,
            first, {of.end, of.end}};
  }
};

inline int64_t copy_stride(int64_t k) { return odd_lines(k, kLine); }

// Whether to fetch panels ahead: they are not in L2, and so few row tiles use each that waiting for a panel costs much.
// A single row tile takes several panels at once and fetches none ahead.
template <class Args>
bool waits_for_panels(const idelta_context& context, const Kernel<Args>& kernel, const Panels& panels, int64_t rows) {
  constexpr int64_t kFewTiles = 8;
  const int64_t tiles = ceil_div(rows, kernel.mr);
  return tiles > 1 && tiles <= kFewTiles && static_cast<int64_t>(panels.bytes()) > context.caches.l2;
}

// When the rows of a call are copied before they are multiplied, and whether their errors depend on them alone.
struct RowsRule {
  bool colliding = false;    // copied if their stride makes them share sets of L1
  bool overwritten = false;  // copied if y overwrites them: rows are read again after some outputs are written
  bool own_errors = true;    // Multiplication::errors are written when the rows are prepared; else the Product does it
};

// The rows of a call: in place, in the caller's dz, or in a copy. Its constructor completes the call's epilogue.
class CallRows {
 public:
  CallRows(const idelta_context& context, Multiplication& call, int64_t k, int64_t cols, int64_t nr,
           const RowsRule& rule)
      : kernels_(context.kernels),
        call_(call),
        k_(k),
        nr_(nr),
        at_(call.rows.dz ? call.rows.dz : call.rows.src),
        ld_(call.rows.dz ? call.rows.lddz : call.rows.ld),
        copied_((call.rows.y && !call.rows.dz) || (rule.colliding && rows_collide(call.m, ld_)) ||
                (rule.overwritten && call.epilogue.y == at_)),
        own_residual_(!call.epilogue.residual),
        writes_errors_(rule.own_errors && call.errors.wanted()) {
    if (own_residual_) call.epilogue.residual = at_, call.epilogue.ld_residual = ld_;
    call.epilogue.fetch_y = far_outputs(context.caches, call.m, cols);
  }

  bool prepares() const { return call_.rows.y || copied_ || writes_errors_; }

  // Copies are at the beginning of `prepared`.
  RowBlock block(Range rows, Range next, float* prepared) const {
    RowBlock block{.rows = rows,
                   .at = copied_ ? prepared : at_ + rows.begin * ld_,
                   .ld = copied_ ? copy_stride(k_) : ld_,
                   .epilogue = call_.epilogue.from(rows.begin, 0),
                   .prepared = prepared,
                   .first = rows.begin,
                   .next = next};
    if (own_residual_) block.epilogue.residual = block.at, block.epilogue.ld_residual = block.ld;
    if (call_.start.at) {
      block.start = {const_cast<float*>(call_.start.at) + rows.begin * call_.start.ld, call_.start.ld, nr_};
    }
    return block;
  }

  void prepare(const RowBlock& block) const {
    const Rows& rows = call_.rows;
    float* const copy = const_cast<float*>(block.at);
    if (rows.y && !rows.dz) return kernels_.f32_copy_rows(gradient_step(rows, block.rows, k_, copy, block.ld));
    if (rows.y) {
      float* const dz = rows.dz + block.rows.begin * rows.lddz;
      kernels_.f32_copy_rows(gradient_step(rows, block.rows, k_, dz, rows.lddz));
    }
    if (copied_) {
      const float* const src = at_ + block.rows.begin * ld_;
      kernels_.f32_copy_rows(
          {.rows = block.rows.size(), .cols = k_, .src = src, .ld = ld_, .dst = copy, .ldd = block.ld});
    }
    if (writes_errors_) call_.errors.write(kernels_, {.rows = block.rows, .x = block.at, .ldx = block.ld, .n = k_});
  }

 private:
  const KernelTable& kernels_;
  const Multiplication& call_;
  int64_t k_, nr_;
  const float* at_;  // what is multiplied, unless copied
  int64_t ld_;
  bool copied_, own_residual_, writes_errors_;
};

// A Product has multiply(block, panels, partial), and prepare(block) if a block needs more than CallRows::prepare().
template <class Product>
void multiply_rows(const idelta_context& context, const Product& product, const RowsPlan& plan, const CallRows& rows,
                   const Multiplication& call, int64_t k) {
  float* const prepared = call.workspace.take(plan.floats());
  float* const partials = prepared + plan.all_prepared();
  constexpr bool kPrepares = requires(RowBlock block) { product.prepare(block); };
  const bool prepares = kPrepares || rows.prepares();
  const auto prepare = [&](const RowBlock& block) {
    if (rows.prepares()) rows.prepare(block);
    if constexpr (kPrepares) product.prepare(block);
  };

  if (plan.shared()) {
    const RowBlock all = rows.block({0, call.m}, {call.m, call.m}, prepared);
    const int64_t preparers = std::min(call.m, plan.partition.tasks());
    if (prepares) {
      context.parallel.run(preparers, packing_work(call.m * k),
                           [&](int64_t task) { prepare(all.part(part_of(call.m, preparers, task))); });
    }
    context.parallel.run(plan.partition.tasks(), plan.multiply_adds, [&](int64_t task) {
      const Cell cell = plan.partition.cell(task);
      for (Range now = plan.first_block(cell.rows); now.size() > 0; now = plan.first_block({now.end, cell.rows.end})) {
        product.multiply(all.part(now), cell.panels, partials + task * plan.partial);
      }
    });
    return;
  }
  context.parallel.run(plan.partition.tasks(), plan.multiply_adds, [&](int64_t task) {
    const Cell cell = plan.partition.cell(task);
    for (Range now = plan.first_block(cell.rows), next; now.size() > 0; now = next) {
      next = plan.first_block({now.end, cell.rows.end});
      const RowBlock block = rows.block(now, next, prepared + task * plan.prepared_stride());
      if (prepares) prepare(block);
      product.multiply(block, cell.panels, partials + task * plan.partial);
    }
  });
}

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_MULTIPLY_ROWS_H
