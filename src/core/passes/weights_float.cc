// x^T dz in fp32: one chain of multiply-adds for each element, in order of the batch.
#include "src/core/machine/memory.h"
#include "src/core/passes/weights_task.h"

namespace idelta::core {
namespace {

// Columns of a matrix, and the distance between its rows.
struct Strided {
  const float* data;
  int64_t stride;
};

// A task's memory, with the rows of its batch block:
//   x:   blocks of [row][block_width], zero-padded; one block, or all of the cell's
//   dz:  panels of [row][nr], zero-padded
// There is room for both even if they are used in place. A last panel of dz that is cut is always packed.
int64_t block_width(const WeightsPlan& plan) { return WeightsPlan::kBlockPanels * plan.nr; }

int64_t x_floats(const WeightsPlan& plan) { return plan.most_batch_rows() * plan.packed_blocks * block_width(plan); }

int64_t task_floats(const KernelTable& /*kernels*/, const WeightsPlan& plan) {
  return x_floats(plan) + plan.most_batch_rows() * plan.most_panels() * plan.nr;
}

float* packed_block(const WeightsTask& task, int64_t row_panel) {
  const WeightsPlan& plan = task.plan;
  const int64_t first = task.cell.rows.begin / WeightsPlan::kBlockPanels, block = row_panel / WeightsPlan::kBlockPanels;
  return task.memory + (plan.kernel_steps ? block - first : 0) * task.batch_rows() * block_width(plan);
}

float* packed_panel(const WeightsTask& task, int64_t panel) {
  return task.memory + x_floats(task.plan) + (panel - task.cell.panels.begin) * task.batch_rows() * task.plan.nr;
}

int64_t first_packed_panel(const WeightsPlan& plan) { return plan.packs_dz ? 0 : plan.whole_panels; }

void pack_dz(const WeightsTask& task, Range rows) {
  const WeightsPlan& plan = task.plan;
  const Range panels{std::max(task.cell.panels.begin, first_packed_panel(plan)), task.cell.panels.end};
  if (panels.size() <= 0) return;
  task.kernels.f32_pack_panel({.rows = rows.size(),
                               .cols = plan.columns(panels),
                               .src = task.dz(rows.begin, panels.begin * plan.nr),
                               .ld = task.operands.lddz,
                               .width = plan.nr,
                               .dst = packed_panel(task, panels.begin) + rows.begin * plan.nr,
                               .panel_stride = task.batch_rows() * plan.nr});
}

// A few rows at a time, for the TLB.
void pack_x(const WeightsTask& task, Range block) {
  constexpr int64_t kRows = 16;
  const WeightsPlan& plan = task.plan;
  if (!plan.packs_x) return;
  const int64_t width = block_width(plan), first = block.begin / WeightsPlan::kBlockPanels * width;
  for (int64_t row = 0; row < task.batch_rows(); row += kRows) {
    task.kernels.f32_pack_panel({.rows = std::min(kRows, task.batch_rows() - row),
                                 .cols = std::min(width, plan.n - first),
                                 .src = task.x(row, first),
                                 .ld = task.operands.ldx,
                                 .width = width,
                                 .dst = packed_block(task, block.begin) + row * width});
  }
}

Strided columns_of_x(const WeightsTask& task, int64_t row_panel, int64_t offset) {
  const int64_t column = row_panel * task.plan.nr + offset, width = block_width(task.plan);
  if (!task.plan.packs_x) return {task.x(0, column), task.operands.ldx};
  return {packed_block(task, row_panel) + column % width, width};
}

Strided panel_of_dz(const WeightsTask& task, int64_t panel) {
  if (panel >= first_packed_panel(task.plan)) return {packed_panel(task, panel), task.plan.nr};
  return {task.dz(0, panel * task.plan.nr), task.operands.lddz};
}

// The panels that a tile takes at once: all that are equally far apart if dD is written by rows, else one.
Range first_group(const WeightsPlan& plan, Range panels) {
  const int64_t alike = plan.packs_dz ? plan.panels : plan.whole_panels;
  const bool together = plan.along_rows && panels.begin < alike;
  return {panels.begin, together ? std::min(panels.end, alike) : std::min(panels.begin + 1, panels.end)};
}

void multiply_tile(const WeightsTask& task, const WeightsProduct& product, Range offsets, Range panels) {
  // dD with shorter rows is in L1. Longer rows are prefetched, except where dD is written by rows, which the hardware
  // prefetches (1 to 10 % faster, m = 128 to 1, Zen 5, 2026-11).
  constexpr int64_t kLongRows = 96;
  const WeightsPlan& plan = task.plan;
  const Strided x = columns_of_x(task, product.rows.begin, offsets.begin), dz = panel_of_dz(task, panels.begin);
  task.kernels.f32_weights(
      {.rows = offsets.size(),
       .cols = plan.columns(panels),
       .m = task.batch_rows(),
       .lhs = x.data,
       .lhs_stride = x.stride,
       .rhs = dz.data,
       .rhs_stride = dz.stride,
       .rhs_panel_stride = plan.packs_dz ? task.batch_rows() * plan.nr : plan.nr,
       .beta = product.beta,
       .out = product.out + offsets.begin * product.ldo + (panels.begin - product.panels.begin) * plan.nr,
       .ldo = product.ldo,
       .fetch_out = product.ldo >= kLongRows && !plan.along_rows});
}

// A panel of dz serves all tiles of the block while it is in cache. If all of dz is in cache, dD is written by rows,
// one tile at a time, because contiguous writes are faster.
void multiply(const WeightsTask& task, const WeightsProduct& product) {
  const WeightsPlan& plan = task.plan;
  const int64_t width = plan.columns(product.rows), tile = even_tile(width, plan.tile_rows);
  const int64_t strip = plan.along_rows ? tile : width;
  for (int64_t first = 0; first < width; first += strip) {
    const int64_t last = std::min(first + strip, width);
    Range rest = product.panels;
    while (rest.size() > 0) {
      const Range group = first_group(plan, rest);
      for (int64_t offset = first; offset < last; offset += tile) {
        multiply_tile(task, product, {offset, std::min(offset + tile, last)}, group);
      }
      rest.begin = group.end;
    }
  }
}

}  // namespace

const WeightsWay kFloatWeights{task_floats, 16, pack_dz, pack_x, multiply};

GradientTile few_rows_gradient(const WeightsTask& task, int64_t row_panel, int64_t panel) {
  const Strided lhs = columns_of_x(task, row_panel, 0), rhs = panel_of_dz(task, panel);
  return {.m = task.batch_rows(), .lhs = lhs.data, .lhs_stride = lhs.stride, .rhs = rhs.data, .rhs_stride = rhs.stride};
}

}  // namespace idelta::core
