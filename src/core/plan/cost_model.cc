#include "src/core/plan/cost_model.h"

#include <algorithm>

#include "src/core/base/range.h"

namespace idelta::core {
namespace {

constexpr double kWord = 4;  // bytes

// Bytes of its part of the matrix that a task gets in a step; 0: the part stays in L1.
double panel_rate(const CostModel& model, const MultiplyShape& shape, double part_bytes, double all_bytes) {
  if (part_bytes <= static_cast<double>(shape.caches.l1) / 2) return 0;
  if (part_bytes <= static_cast<double>(shape.caches.l2) / 2) return model.l2_bytes;
  const auto threads = static_cast<double>(shape.threads);
  if (all_bytes <= static_cast<double>(shape.caches.l3) * threads) return model.l3_bytes;
  return std::min(model.memory_bytes, model.shared_memory_bytes / threads);
}

}  // namespace

double multiply_steps(const CostModel& model, const MultiplyShape& shape, int64_t rows, int64_t panels,
                      int64_t all_panels) {
  const auto words = static_cast<double>(shape.words);
  const double panel_bytes = words * static_cast<double>(shape.tile.nr) * kWord;
  const auto tiles = static_cast<double>(ceil_div(rows, shape.tile.mr));
  const double multiplying = words * shape.word_steps * tiles * (static_cast<double>(rows) / tiles + model.tile_rows);
  const double rate = panel_rate(model, shape, panel_bytes * static_cast<double>(panels),
                                 panel_bytes * static_cast<double>(all_panels));
  const double streaming =
      rate == 0 ? 0 : panel_bytes * static_cast<double>(ceil_div(rows, std::min(rows, shape.block_rows))) / rate;
  double steps = static_cast<double>(panels) * std::max(multiplying, streaming);
  if (panels == all_panels) return steps;
  // If panels are cut, every task also reads rows from other cores' caches.
  steps += static_cast<double>(rows) * words * kWord / (shape.prepared ? model.other_core_bytes : model.l3_bytes);
  return shape.prepared ? steps + model.join_steps : steps;
}

double task_steps(const CostModel& model, const TaskShape& task) {
  if (task.panels == 0) return 0;
  return multiply_steps(model, task.multiply, task.rows, task.panels, task.all_panels) +
         static_cast<double>(task.rows) * static_cast<double>(task.panels) * task.row_steps;
}

}  // namespace idelta::core
