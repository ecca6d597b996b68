// How forward and backward_data cut m rows, whether they round them or not.
#ifndef IDELTA_CORE_FORWARD_PLAN_H
#define IDELTA_CORE_FORWARD_PLAN_H

#include <algorithm>

#include "src/core/context.h"
#include "src/core/partition.h"

namespace idelta::core {

inline int64_t forward_threads(const idelta_context& context, double multiply_adds, int64_t n, const Traffic& traffic) {
  return useful_threads(context.parallel.threads(),
                        traffic.stepped == Stepped::kNot ? multiply_adds : training_work(multiply_adds, n));
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
struct ForwardPlan {
  Partition partition;
  double multiply_adds;  // of fp32, that take as long
  bool shared;           // cut by columns too
  int64_t rows;          // prepared at once
  int64_t block;         // floats that they take
  int64_t partial;       // floats of partial sums a task

  int64_t prepared() const { return shared ? block : block * partition.tasks(); }
  int64_t total() const { return prepared() + partial * partition.tasks(); }

  // pass.block(rows, memory) says where so many rows will be made, and its all() what a Cell of all of them counts;
  // pass.prepare(block, rows) makes some of them, if pass.needs_preparation(); pass.multiply(block, cell, partial,
  // next) multiplies, and may fetch the rows `next`, which the same task makes next.
  template <class Pass>
  void run(const idelta_context& context, int64_t m, int64_t n, float* workspace, const Pass& pass) const {
    const int64_t tasks = partition.tasks();
    float* const partials = workspace + prepared();
    if (shared) {
      const auto all = pass.block({0, m}, workspace);
      const int64_t preparers = std::min(m, tasks);
      if (pass.needs_preparation()) {
        context.parallel.run(preparers, packing_work(m * n),
                             [&](int64_t task) { pass.prepare(all, part_of(m, preparers, task)); });
      }
      context.parallel.run(tasks, multiply_adds, [&](int64_t task) {
        pass.multiply(all, partition.cell(task), partials + task * partial, {m, m});
      });
      return;
    }
    context.parallel.run(tasks, multiply_adds, [&](int64_t task) {
      const Cell mine = partition.cell(task);
      for (Range now{mine.rows.begin, 0}, next; now.begin < mine.rows.end; now = next) {
        now.end = std::min(now.begin + rows, mine.rows.end);
        next = {now.end, std::min(now.end + rows, mine.rows.end)};
        const auto part = pass.block(now, workspace + task * block);
        if (pass.needs_preparation()) pass.prepare(part, now);
        pass.multiply(part, {part.all(), mine.panels}, partials + task * partial, next);
      }
    });
  }
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORWARD_PLAN_H
