// The measured constants that steer the cutting and blocking of all passes, and by which AUTO predicts how long a form
// of D takes. `idelta_bench --cost-model` measures those of forward and backward_data again.
//
// The unit of time is a step: one row times one word of a panel's reduction, which is two vector multiply-adds. A core
// with two such units takes one cycle for it, so that the constants hold on other machines, too.
#ifndef IDELTA_CORE_PLAN_COST_MODEL_H
#define IDELTA_CORE_PLAN_COST_MODEL_H

#include <cstdint>

#include "src/core/machine/topology.h"

namespace idelta::core {

struct TileShape {
  int64_t mr, nr;
};

struct CostModel {
  // Contiguous bytes that a thread reads in a step from L2, from L3 or from memory.
  double l2_bytes = 50, l3_bytes = 30, memory_bytes = 8;
  // The same for all threads together that share an L3.
  double shared_memory_bytes = 16;
  // Bytes that a thread reads in a step of rows that another core has written.
  double other_core_bytes = 4;
  // A tile's cost for each word besides its rows, in rows: loading the panel.
  double tile_rows = 0.5;
  // Steps that it takes to start all threads and wait for them.
  double join_steps = 2500;
  // The least multiply-adds that are worth a thread.
  double thread_multiply_adds = 2e5;

  // What AUTO predicts of forward and backward_data, besides.
  //
  // Seconds of a step of one thread: a cycle at 3.3 GHz. It scales all predictions alike.
  double step_seconds = 3e-10;
  // Steps of a call before and after its products; of LOW_RANK's second product besides.
  double call_steps = 150, second_product_steps = 100;
  // Steps of a word: of two bf16 numbers that are widened, that vdpbf16ps multiplies, and in AMX's tiles. One of fp32
  // takes one.
  double widened_word = 2.1, dot_word = 1, tile_word = 0.13;
  // Of four integers, by vpdpbusd, by vpmaddubsw and vpmaddwd, and in AMX's tiles.
  double integer_word = 1, integer_pairs_word = 2, integer_tile_word = 0.13;
  // Steps of a row in a panel for its epilogue, and for each bf16 number that its nr numbers are rounded to.
  double epilogue_steps = 6, rounding_steps = 3;
  // The same where nr numbers are rounded to integers.
  double quantizing_steps = 4;

  // x^T dz.
  //
  // Bytes of packed dz that stay in L3, of all tasks together, and the least for each task.
  int64_t dz_bytes = int64_t{8} << 20, least_dz_bytes = int64_t{1} << 20;
  // Numbers that a row of the batch takes up in L2: a block's columns of x, a panel of dz, and dD meanwhile.
  int64_t row_numbers_in_l2 = 256;
  // Bytes of the largest pack of D that L3 keeps for the next pass. Updates write larger ones past the caches.
  int64_t kept_pack_bytes = int64_t{6} << 20;
  // Tiles of fewer rows of dD use less than half of a line of x.
  int64_t narrow_tile_rows = 8;
  // The factor on a task's time if other tasks write the same rows of dD (n = 794, m = 16 is then three times as slow
  // on two threads, Zen 5, 2026-11).
  double shared_rows = 1.5;
};
inline constexpr CostModel kCostModel{};

// What the time of multiplying rows with panels depends on.
struct MultiplyShape {
  TileShape tile{1, 1};
  int64_t words = 0;       // of a column's reduction
  int64_t block_rows = 1;  // that go through all panels together
  int64_t threads = 1;     // that share an L3
  bool prepared = false;   // rows are copied, rounded or made first
  CacheSizes caches{};
  double word_steps = 1;  // of one row
};

// Steps that a task takes for `rows` rows and `panels` of all_panels panels.
double multiply_steps(const CostModel& model, const MultiplyShape& shape, int64_t rows, int64_t panels,
                      int64_t all_panels);

// The part of a product that the task with the most work has.
struct TaskShape {
  MultiplyShape multiply;
  int64_t rows = 0, panels = 0, all_panels = 0;
  double row_steps = 0;  // of each row in a panel besides the multiplication
};

// Steps of such a task alone.
double task_steps(const CostModel& model, const TaskShape& task);

}  // namespace idelta::core

#endif  // IDELTA_CORE_PLAN_COST_MODEL_H
