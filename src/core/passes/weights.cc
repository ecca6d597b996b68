#include "src/core/passes/weights.h"

#include <algorithm>
#include <initializer_list>
#include <optional>

#include "src/core/formats/list.h"
#include "src/core/passes/stepper.h"
#include "src/core/passes/weights_float.h"
#include "src/core/passes/weights_rounded.h"

namespace idelta::core {
namespace {

// use(product) with the way to multiply that the operands' format asks for.
template <class Use>
auto with_product(const idelta_context& context, const WeightsOperands& operands, Sink sink, const Use& use) {
  return rounds_weights(operands) ? use(WeightsRounded(context, operands, sink))
                                  : use(WeightsFloat(context, operands, sink));
}

// The most that `floats` gives for any format.
template <class Floats>
size_t most_bytes(const idelta_context& context, int64_t m, int64_t n, std::initializer_list<Sink> sinks,
                  const Floats& floats) {
  int64_t most = 0;
  for (const Format* format : all_formats()) {
    if (!format->runs(context) || format->gradient_planes < 0) continue;
    const WeightsOperands sizes{m, n, nullptr, n, nullptr, n, format->gradient_planes};
    for (const Sink sink : sinks) most = std::max(most, with_product(context, sizes, sink, floats));
  }
  return static_cast<size_t>(most) * sizeof(float);
}

void store(const idelta_context& context, const WeightsProduct& product, float beta, float* dD, int64_t ldd, float* db,
           float* workspace) {
  context.parallel.run(product.tasks(), product.multiply_adds(), [&](int64_t task) {
    for (int64_t index = 0; index < product.row_blocks(); ++index) {
      const WeightsProduct::Share share = product.share(task, index, workspace);
      const auto& [rows, panels] = share.cell;
      product.pack(share, db);
      for (Range block = first_block(rows); block.size() > 0; block = first_block({block.end, rows.end})) {
        float* const corner = dD + (block.begin * ldd + panels.begin) * product.nr();
        product.multiply(share, block, panels, index == 0 ? beta : 1.0f, corner, ldd);
      }
    }
  });
}

// Memory of update() behind the packed operands: the gradient where it waits to be used, a block x panel a task if all
// rows are packed at once, else the whole of it in panels.
struct GradientScratch {
  bool whole;
  int64_t nr, rows, floats;  // rows: from one panel to the next

  explicit GradientScratch(const WeightsProduct& product)
      : whole(product.row_blocks() > 1),
        nr(product.nr()),
        rows((whole ? product.panels() : WeightsBlocks::kBlockPanels) * nr),
        floats((whole ? product.panels() : product.tasks()) * rows * nr) {}

  int64_t offset(int64_t task, Range block, int64_t p) const {
    return whole ? (p * rows + block.begin * nr) * nr : task * rows * nr;
  }
};

// Where the optimiser's kernel multiplies the rows itself: each tile once it is known which comes next. Along the rows
// one panel of them at a time: three read dz less often, but were up to a fifth slower at m = 64.
void step_few_rows(const WeightsProduct& product, const WeightsProduct::Share& share, const Stepper& stepper) {
  const Cell& cell = share.cell;
  std::optional<TileOfD> tile;
  const auto go_on = [&](const std::optional<TileOfD>& next) {
    if (tile) stepper(*tile, product.few_rows_of(share, tile->row_panels.begin, tile->panel), next);
    tile = next;
  };
  if (stepper.down()) {
    for (int64_t p = cell.panels.begin; p < cell.panels.end; ++p) {
      for (Range run, rows = cell.rows; rows.size() > 0; rows.begin = run.end) {
        run = Stepper::first_run(product.few_rows_together(rows));
        go_on(TileOfD{run, p});
      }
    }
  } else {
    for (int64_t q = cell.rows.begin; q < cell.rows.end; ++q) {
      for (int64_t p = cell.panels.begin; p < cell.panels.end; ++p) go_on(TileOfD{{q, q + 1}, p});
    }
  }
  go_on({});
}

// Goes through D, each part of it as soon as its gradient is known. Measured when AVX-512 took more than 64 rows this
// way: down a panel of columns for all blocks, as few rows are, took up to a tenth longer (n = 1024, m = 128); steps of
// two to eight blocks at once, or fetching all of D, state and pack before the gradient is multiplied, gained 2 % at
// most: step and product add up, the first bound by L3 (Zen 5, 2026-11). Fetching them a line at a time from inside the
// tile's loop, as forward does, was between 12 % slower (AVX2) and 7 % faster (n = 1024, m = 128); to L2 only, or some
// of them, or on two threads between 4 % and -3 %.
void step(const idelta_context& context, const WeightsProduct& product, const Stepper& stepper, float* bias_gradient,
          float* workspace) {
  const GradientScratch scratch(product);
  float* const gradient = workspace + product.workspace_floats();
  context.parallel.run(product.tasks(), product.multiply_adds(), [&](int64_t task) {
    for (int64_t index = 0; index < product.row_blocks(); ++index) {
      const bool last = index + 1 == product.row_blocks();
      const WeightsProduct::Share share = product.share(task, index, workspace);
      const auto& [rows, panels] = share.cell;
      product.pack(share, bias_gradient);
      if (product.few_rows()) return step_few_rows(product, share, stepper);
      for (Range block = first_block(rows); block.size() > 0; block = first_block({block.end, rows.end})) {
        for (int64_t p = panels.begin; p < panels.end; ++p) {
          float* const g = gradient + scratch.offset(task, block, p);
          product.multiply(share, block, {p, p + 1}, index == 0 ? 0.0f : 1.0f, g, scratch.nr);
          std::optional<TileOfD> next;
          if (p + 1 < panels.end) next = TileOfD{block, p + 1};
          if (last) stepper({block, p}, {.g = g, .ldg = scratch.nr}, next);
        }
      }
    }
  });
}

void step_bias(const idelta_context& context, int64_t n, OptimizerStep step, const Parameters& parameters,
               const float* gradient) {
  step.weight_decay = 0;
  step.rows = 1;
  const int64_t nr = context.kernels.f32_optimizer_step.nr;
  for (int64_t j = 0; j < n; j += nr) {
    step.cols = std::min(nr, n - j);
    step.g = gradient + j;
    step.w = parameters.bias + j;
    for (int a = 0; a < 2; ++a) step.state[a] = parameters.bias_state[a] ? parameters.bias_state[a] + j : nullptr;
    context.kernels.f32_optimizer_step(step);
  }
}

}  // namespace

size_t weights_workspace_bytes(const idelta_context& context, int64_t m, int64_t n) {
  return most_bytes(context, m, n, {Sink::kMemory},
                    [](const WeightsProduct& product) { return product.workspace_floats(); });
}

void backward_weights(const idelta_context& context, const WeightsOperands& operands, float beta, float* dD,
                      int64_t ldd, float* db, const OfferedWorkspace& offered) {
  const int64_t n = operands.n;
  with_product(context, operands, Sink::kMemory, [&](const WeightsProduct& product) {
    float* const workspace = offered.take(product.workspace_floats());  // refused before anything is written
    if (db && beta == 0) std::fill_n(db, n, 0.0f);
    if (db && beta != 0 && beta != 1) std::transform(db, db + n, db, [&](float sum) { return beta * sum; });
    if (dD) return store(context, product, beta, dD, ldd, db, workspace);
    context.kernels.f32_column_sums(
        {.rows = operands.m, .cols = n, .src = operands.dz, .ld = operands.lddz, .sums = db});
  });
}

// The bias' gradient comes first: what the others need depends on the format.
size_t update_workspace_bytes(const idelta_context& context, int64_t m, int64_t n) {
  return most_bytes(context, m, n, {Sink::kStepAlongRows, Sink::kStepDownPanels}, [&](const WeightsProduct& product) {
    return round_up(n, kLine) + product.workspace_floats() + GradientScratch(product).floats;
  });
}

void update(const idelta_context& context, idelta_delta& delta, const WeightsOperands& given,
            const idelta_optimizer& optimizer, const Parameters& parameters, const OfferedWorkspace& offered) {
  const OptimizerStep each = step_of(optimizer);
  const Stepper stepper(context.kernels, delta, parameters, each);
  const int64_t n = given.n;
  WeightsOperands operands = given;
  if (stepper.transposed()) {
    std::swap(operands.x, operands.dz);
    std::swap(operands.ldx, operands.lddz);
  }
  const Sink sink = stepper.down() ? Sink::kStepDownPanels : Sink::kStepAlongRows;
  with_product(context, operands, sink, [&](const WeightsProduct& product) {
    const int64_t bias_floats = round_up(n, kLine);
    float* const bias_gradient =
        offered.take(bias_floats + product.workspace_floats() + GradientScratch(product).floats);
    std::fill_n(bias_gradient, n, 0.0f);
    step(context, product, stepper, stepper.transposed() ? nullptr : bias_gradient, bias_gradient + bias_floats);
    stepper.finish();
    forget_measurements(delta);
    if (!parameters.bias) return;
    if (stepper.transposed()) {
      context.kernels.f32_column_sums(
          {.rows = given.m, .cols = n, .src = given.dz, .ld = given.lddz, .sums = bias_gradient});
    }
    step_bias(context, n, each, parameters, bias_gradient);
  });
}

}  // namespace idelta::core
