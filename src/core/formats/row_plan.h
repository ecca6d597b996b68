// How m rows that are multiplied are cut, whether they are rounded or not.
#ifndef IDELTA_CORE_FORMATS_ROW_PLAN_H
#define IDELTA_CORE_FORMATS_ROW_PLAN_H

#include <algorithm>

#include "src/core/context.h"
#include "src/core/formats/source.h"
#include "src/core/machine/memory.h"
#include "src/core/plan/partition.h"

namespace idelta::core {

// Threads for rows against a matrix of k x cols.
inline int64_t threads_for_rows(const idelta_context& context, double multiply_adds, int64_t k, int64_t cols,
                                const Traffic& traffic) {
  return useful_threads(context.parallel.threads(),
                        traffic.stepped == Stepped::kNot ? multiply_adds : training_work(multiply_adds, k * cols));
}

// The most that total(traffic) can be: a workspace is asked for before it is known.
template <class Total>
int64_t most_of(const Total& total) {
  int64_t most = 0;
  for (const bool prepared : {false, true}) {
    for (const Stepped stepped : {Stepped::kNot, Stepped::kByPanels, Stepped::kAcrossPanels}) {
      most = std::max(most, total(Traffic{prepared, stepped}));
    }
  }
  return most;
}

// Cut by rows alone, a task prepares `rows` of its rows at a time (copies or rounds them) and multiplies them; cut by
// columns too, all rows are prepared first, by everybody, and a task takes some of them times some panels. Preparing
// the columns beneath its own outputs, which the update of dD will read, instead of whole rows gained nothing.
struct RowPlan {
  Partition partition;
  double multiply_adds;  // of fp32, that take as long
  bool shared;           // cut by columns too
  int64_t rows;          // prepared at once
  int64_t block;         // floats that they take
  int64_t partial;       // floats of partial sums a task

  int64_t prepared() const { return shared ? block : stride() * partition.tasks(); }
  int64_t total() const { return prepared() + partial * partition.tasks(); }

  // pass.block(rows, memory) says where so many rows will be made, and its all() what a Cell of all of them counts;
  // pass.prepare(block, rows) makes some of them, if pass.needs_preparation(); pass.multiply(block, cell, partial,
  // next) multiplies, and may fetch the rows `next`, which the same task makes next. of(source) is the pass for a
  // source.
  //
  // Tasks of the first half go through their rows from the last to the first. Two that both go towards the last have
  // the hardware fetch rows that the second has written, and will write again, into the cache of the first: 2 to 4 us
  // of backward_data, whatever m (two cores without a common L3: n = 64, m = 128 1.4 times as fast, m = 512 1.25 times,
  // n = 128, m = 128 1.3 times, Zen 5, 2026-11). Of many tasks only the two in the middle are kept apart so.
  template <class Of>
  void run(const idelta_context& context, int64_t m, int64_t k, float* workspace, const Source& source,
           const Of& of) const {
    const int64_t tasks = partition.tasks();
    if (!shared && tasks > 1) return run_from_middle(context, m, workspace, source, of);
    const auto pass = of(source);
    float* const partials = workspace + prepared();
    if (shared) {
      const auto all = pass.block({0, m}, workspace);
      const int64_t preparers = std::min(m, tasks);
      if (pass.needs_preparation()) {
        context.parallel.run(preparers, packing_work(m * k),
                             [&](int64_t task) { pass.prepare(all, part_of(m, preparers, task)); });
      }
      context.parallel.run(tasks, multiply_adds, [&](int64_t task) {
        pass.multiply(all, partition.cell(task), partials + task * partial, {m, m});
      });
      return;
    }
    context.parallel.run(1, multiply_adds, [&](int64_t) { run_rows(pass, partition.cell(0), workspace, partials); });
  }

 private:
  // Of what tasks prepare.
  int64_t stride() const { return task_stride(block, partition.tasks()); }

  // Out of the way of calls of a microsecond.
  template <class Of>
  [[gnu::noinline]] void run_from_middle(const idelta_context& context, int64_t m, float* workspace,
                                         const Source& source, const Of& of) const {
    const int64_t tasks = partition.tasks();
    float* const partials = workspace + prepared();
    const Backwards backwards(source);
    context.parallel.run(tasks, multiply_adds, [&](int64_t task) {
      const bool back = task < tasks / 2;
      Cell cell = partition.cell(task);
      if (back) cell.rows = {m - cell.rows.end, m - cell.rows.begin};
      run_rows(of(back ? backwards.source() : source), cell, workspace + task * stride(), partials + task * partial);
    });
  }

  template <class Pass>
  void run_rows(const Pass& pass, const Cell& cell, float* own, float* sums) const {
    for (Range now{cell.rows.begin, 0}, next; now.begin < cell.rows.end; now = next) {
      now.end = std::min(now.begin + rows, cell.rows.end);
      next = {now.end, std::min(now.end + rows, cell.rows.end)};
      const auto part = pass.block(now, own);
      if (pass.needs_preparation()) pass.prepare(part, now);
      pass.multiply(part, {part.all(), cell.panels}, sums, next);
    }
  }
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_ROW_PLAN_H
