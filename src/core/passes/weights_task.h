// The tasks of x^T dz, and the two ways to multiply.
#ifndef IDELTA_CORE_PASSES_WEIGHTS_TASK_H
#define IDELTA_CORE_PASSES_WEIGHTS_TASK_H

#include "src/core/passes/weights.h"
#include "src/core/plan/weights_plan.h"

namespace idelta::core {

// A task, for one block of the batch. Tasks share only x and dz: reading what other tasks packed would make an update
// on two threads a quarter slower (n = 512, m = 16 to 64, Zen 5, 2026-11).
struct WeightsTask {
  const KernelTable& kernels;
  const WeightsOperands& operands;
  const WeightsPlan& plan;
  Range batch;    // rows of x and dz
  Cell cell;      // of dD
  float* memory;  // task_floats()

  int64_t batch_rows() const { return batch.size(); }
  const float* x(int64_t row, int64_t column) const { return operands.x + (batch.begin + row) * operands.ldx + column; }
  const float* dz(int64_t row, int64_t column) const {
    return operands.dz + (batch.begin + row) * operands.lddz + column;
  }
};

// out = beta out + x^T dz for some row and column panels of dD; out is at the first of both. beta = 0 never reads it.
struct WeightsProduct {
  Range rows, panels;  // rows: of one block
  float beta;
  float* out;
  int64_t ldo;
};

struct WeightsWay {
  int64_t (*task_floats)(const KernelTable& kernels, const WeightsPlan& plan);
  int64_t group;  // rows that pack_dz takes, so few that they are still in L1 after their column sums
  // Packs dz of the cell's columns, for some rows of the task's batch block.
  void (*pack_dz)(const WeightsTask& task, Range rows);
  // Packs x of the columns that a block of dD's rows needs, for the task's batch block.
  void (*pack_x)(const WeightsTask& task, Range block);
  // Multiplies a packed block.
  void (*multiply)(const WeightsTask& task, const WeightsProduct& product);
};
extern const WeightsWay kFloatWeights, kRoundedWeights;

inline const WeightsWay& way_of(const WeightsPlan& plan) { return plan.planes > 0 ? kRoundedWeights : kFloatWeights; }

// For plans that kernel_steps: the gradient of the tile of D at these row and column panels.
GradientTile few_rows_gradient(const WeightsTask& task, int64_t row_panel, int64_t panel);

}  // namespace idelta::core

#endif  // IDELTA_CORE_PASSES_WEIGHTS_TASK_H
