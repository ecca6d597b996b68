#include "src/core/passes/weights.h"

#include <algorithm>
#include <initializer_list>
#include <optional>

#include "src/core/formats/list.h"
#include "src/core/machine/memory.h"
#include "src/core/passes/stepper.h"
#include "src/core/passes/weights_task.h"

namespace idelta::core {
namespace {

WeightsPlan plan_for(const idelta_context& context, const WeightsOperands& o, Sink sink) {
  return plan_weights(context.kernels, context.caches, context.placement, context.parallel.threads(),
                      {.m = o.m, .n = o.n, .ldx = o.ldx, .lddz = o.lddz, .planes = o.planes, .sink = sink});
}

int64_t task_floats(const idelta_context& context, const WeightsPlan& plan) {
  return task_stride(way_of(plan).task_floats(context.kernels, plan), plan.tasks());
}
int64_t packed_floats(const idelta_context& context, const WeightsPlan& plan) {
  return plan.tasks() * task_floats(context, plan);
}

// The maximum of floats(plan) over all formats and sinks.
template <class Floats>
size_t most_bytes(const idelta_context& context, int64_t m, int64_t n, std::initializer_list<Sink> sinks,
                  const Floats& floats) {
  int64_t most = 0;
  for (const Format* format : all_formats()) {
    if (!format->runs(context) || format->gradient_planes < 0) continue;
    const WeightsOperands sizes{m, n, nullptr, n, nullptr, n, format->gradient_planes};
    for (const Sink sink : sinks) most = std::max(most, floats(plan_for(context, sizes, sink)));
  }
  return static_cast<size_t>(most) * sizeof(float);
}

// Packs dz of a task's batch block and adds its column sums to `sums`, unless null. Both go by groups of rows, so that
// dz is read from memory once: 2 to 9 % of backward_weights from m = 512 on (Zen 5, 2026-11).
void pack_dz(const WeightsTask& task, float* sums) {
  const WeightsWay& way = way_of(task.plan);
  const int64_t first = task.cell.panels.begin * task.plan.nr;
  if (task.cell.rows.begin > 0) sums = nullptr;  // the tasks of the first rows of dD add them
  for (int64_t row = 0; row < task.batch_rows(); row += way.group) {
    const Range rows{row, std::min(row + way.group, task.batch_rows())};
    if (sums) {
      task.kernels.f32_column_sums({.rows = rows.size(),
                                    .cols = task.plan.columns(task.cell.panels),
                                    .src = task.dz(row, first),
                                    .ld = task.operands.lddz,
                                    .sums = sums + first});
    }
    way.pack_dz(task, rows);
  }
}

// Calls use(task, index) for every task and block of the batch, once its dz is packed.
template <class Use>
void each_task(const idelta_context& context, const WeightsOperands& operands, const WeightsPlan& plan, float* sums,
               float* memory, const Use& use) {
  const int64_t stride = task_floats(context, plan);
  context.parallel.run(plan.tasks(), plan.work, [&](int64_t index) {
    WeightsTask task{context.kernels, operands, plan, {}, plan.cell(index), memory + index * stride};
    for (int64_t block = 0; block < plan.batch_blocks(); ++block) {
      task.batch = plan.batch_block(block);
      pack_dz(task, sums);
      use(task, index);
    }
  });
}

// Calls use(block) for every block of a task's rows of dD, in order.
template <class Use>
void each_block(const WeightsTask& task, const Use& use) {
  for (Range rest = task.cell.rows; rest.size() > 0;) {
    const Range block = WeightsPlan::first_block(rest);
    use(block);
    rest.begin = block.end;
  }
}

void store(const idelta_context& context, const WeightsOperands& operands, const WeightsPlan& plan, float beta,
           float* dD, int64_t ldd, float* db, float* memory) {
  each_task(context, operands, plan, db, memory, [&](const WeightsTask& task, int64_t) {
    const WeightsWay& way = way_of(plan);
    const Range panels = task.cell.panels;
    each_block(task, [&](Range block) {
      way.pack_x(task, block);
      way.multiply(task, {.rows = block,
                          .panels = panels,
                          .beta = task.batch.begin == 0 ? beta : 1.0f,
                          .out = dD + (block.begin * ldd + panels.begin) * plan.nr,
                          .ldo = ldd});
    });
  });
}

// update()'s memory for the gradient, behind the packed operands. If the batch is one block, each task needs a block of
// one panel; else the whole gradient is summed up in panels.
struct GradientMemory {
  bool whole;
  int64_t nr, rows, floats;  // rows: from one panel to the next

  explicit GradientMemory(const WeightsPlan& plan)
      : whole(plan.batch_blocks() > 1),
        nr(plan.nr),
        rows((whole ? plan.panels : WeightsPlan::kBlockPanels) * nr),
        floats((whole ? plan.panels : plan.tasks()) * rows * nr) {}

  int64_t offset(int64_t task, Range block, int64_t panel) const {
    return whole ? (panel * rows + block.begin * nr) * nr : task * rows * nr;
  }
};

// The optimiser's kernel multiplies. A tile is stepped once the next one is known, which it prefetches.
void step_few_rows(const WeightsTask& task, const Stepper& stepper) {
  each_block(task, [&](Range block) { way_of(task.plan).pack_x(task, block); });
  std::optional<TileOfD> tile;
  const auto go_on = [&](const std::optional<TileOfD>& next) {
    if (tile) stepper(*tile, few_rows_gradient(task, tile->row_panels.begin, tile->panel), next);
    tile = next;
  };
  const auto [rows, panels] = task.cell;
  if (task.plan.cuts_columns) {
    for (int64_t p = panels.begin; p < panels.end; ++p) {
      for (Range run, rest = rows; rest.size() > 0; rest.begin = run.end) {
        run = task.plan.first_run(rest);
        go_on(TileOfD{run, p});
      }
    }
  } else {
    for (int64_t q = rows.begin; q < rows.end; ++q) {
      for (int64_t p = panels.begin; p < panels.end; ++p) go_on(TileOfD{{q, q + 1}, p});
    }
  }
  go_on({});
}

// Steps each tile of D as soon as its gradient is complete.
void step(const idelta_context& context, const WeightsOperands& operands, const WeightsPlan& plan,
          const Stepper& stepper, float* sums, float* memory) {
  const GradientMemory waiting(plan);
  float* const gradient = memory + packed_floats(context, plan);
  each_task(context, operands, plan, sums, memory, [&](const WeightsTask& task, int64_t index) {
    if (plan.kernel_steps) return step_few_rows(task, stepper);
    const WeightsWay& way = way_of(plan);
    each_block(task, [&](Range block) {
      way.pack_x(task, block);
      for (int64_t p = task.cell.panels.begin; p < task.cell.panels.end; ++p) {
        float* const g = gradient + waiting.offset(index, block, p);
        way.multiply(task, {.rows = block,
                            .panels = {p, p + 1},
                            .beta = task.batch.begin == 0 ? 0.0f : 1.0f,
                            .out = g,
                            .ldo = waiting.nr});
        if (task.batch.end < plan.m) continue;
        std::optional<TileOfD> next;
        if (p + 1 < task.cell.panels.end) next = TileOfD{block, p + 1};
        stepper({block, p}, {.g = g, .ldg = waiting.nr}, next);
      }
    });
  });
}

void step_bias(const idelta_context& context, int64_t n, idelta_optimizer optimizer, const Parameters& parameters,
               const float* gradient) {
  optimizer.weight_decay = 0;
  OptimizerStep step = step_of(optimizer);
  step.rows = 1;
  step.cols = n;
  step.gradient.g = gradient;
  step.w = parameters.bias;
  for (int k = 0; k < kMostStates; ++k) step.state[k] = parameters.bias_state[k];
  context.kernels.f32_optimizer_step(step);
}

// values = beta values; beta = 0 never reads them.
void scale(float beta, float* values, int64_t count) {
  if (beta == 0) std::fill_n(values, count, 0.0f);
  if (beta != 0 && beta != 1) std::transform(values, values + count, values, [&](float v) { return beta * v; });
}

void column_sums(const idelta_context& context, const WeightsOperands& o, float* sums) {
  context.kernels.f32_column_sums({.rows = o.m, .cols = o.n, .src = o.dz, .ld = o.lddz, .sums = sums});
}

}  // namespace

size_t weights_workspace_bytes(const idelta_context& context, int64_t m, int64_t n) {
  return most_bytes(context, m, n, {Sink::kMemory},
                    [&](const WeightsPlan& plan) { return packed_floats(context, plan); });
}

void backward_weights(const idelta_context& context, const WeightsOperands& operands, float beta, float* dD,
                      int64_t ldd, float* db, const OfferedWorkspace& offered) {
  const int64_t n = operands.n;
  const WeightsPlan plan = plan_for(context, operands, Sink::kMemory);
  float* const memory = offered.take(packed_floats(context, plan));  // refused before anything is written
  if (db) scale(beta, db, n);
  if (operands.m == 0) {  // kernels would compute addresses from x and dz, which may be null
    for (int64_t i = 0; dD && i < n; ++i) scale(beta, dD + i * ldd, n);
    return;
  }
  if (!dD) return column_sums(context, operands, db);
  store(context, operands, plan, beta, dD, ldd, db, memory);
}

// The bias' gradient comes first, because the size of the rest depends on the format.
size_t update_workspace_bytes(const idelta_context& context, int64_t m, int64_t n) {
  return most_bytes(context, m, n, {Sink::kStepRows, Sink::kStepPanels}, [&](const WeightsPlan& plan) {
    return round_up(n, kLine) + packed_floats(context, plan) + GradientMemory(plan).floats;
  });
}

void update(const idelta_context& context, idelta_delta& delta, const WeightsOperands& given,
            const idelta_optimizer& optimizer, const Parameters& parameters, const OfferedWorkspace& offered) {
  WeightsOperands operands = given;
  const bool transposed = steps_transposed(delta, parameters);
  if (transposed) {
    std::swap(operands.x, operands.dz);
    std::swap(operands.ldx, operands.lddz);
  }
  const WeightsPlan plan = plan_for(context, operands, steps_panels(parameters) ? Sink::kStepPanels : Sink::kStepRows);
  const Stepper stepper(context.kernels, delta, parameters, step_of(optimizer), plan.streams_packs);
  const int64_t bias_floats = round_up(given.n, kLine);
  float* const bias_gradient = offered.take(bias_floats + packed_floats(context, plan) + GradientMemory(plan).floats);
  if (parameters.bias) std::fill_n(bias_gradient, given.n, 0.0f);
  step(context, operands, plan, stepper, parameters.bias && !transposed ? bias_gradient : nullptr,
       bias_gradient + bias_floats);
  stepper.finish();
  forget_measurements(delta);
  if (!parameters.bias) return;
  if (transposed) column_sums(context, given, bias_gradient);
  step_bias(context, given.n, optimizer, parameters, bias_gradient);
}

}  // namespace idelta::core
