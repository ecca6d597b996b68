// What steers the cutting and blocking of all passes: what this family of machines takes for what, in one place.
// `idelta_bench --cost-model` measures the members again and prints them beside these.
//
// The unit of time is a step: one row times one word of a panel's reduction, two multiply-adds of AVX-512's vectors or
// of AVX2's. Any core with two such units takes a cycle for it, so that the members hold on other machines, too.
#ifndef IDELTA_CORE_PLAN_COST_MODEL_H
#define IDELTA_CORE_PLAN_COST_MODEL_H

#include <cstdint>

#include "src/core/machine/topology.h"

namespace idelta::core {

struct TileShape {
  int64_t mr, nr;
};

struct CostModel {
  // Bytes that a thread reads in a step, contiguous, where they lie in L3 or in memory.
  double l3_bytes = 16, memory_bytes = 8;
  // The same of all threads that share an L3, together.
  double shared_memory_bytes = 16;
  // Bytes of rows that a thread reads in a step where another core has written them.
  double other_core_bytes = 4;
  // Rows that would take as long as what a tile costs for each word besides its own rows: loading the panel.
  double tile_rows = 0.5;
  // Steps that it takes to start all threads and to wait for them.
  double join_steps = 2500;
  // The least multiply-adds that are worth a thread.
  double thread_multiply_adds = 2e5;

  // x^T dz.
  //
  // Bytes of packed dz that stay in L3 until they have served all blocks of dD, of all tasks together, but at least so
  // many a task. 64 MiB, which spare dD some passes, took 6 % longer (n = 794, m = 4096, Zen 5, 2026-11).
  int64_t dz_bytes = int64_t{8} << 20, least_dz_bytes = int64_t{1} << 20;
  // Numbers that a row of the batch takes up in L2: a block's columns of x, in lines that are cut, a panel of dz, and
  // what passes through meanwhile. Half as many took n = 794, m = 4096 a tenth longer (AVX2, Zen 4, 2026-11).
  int64_t row_numbers_in_l2 = 256;
  // A pack of D that is larger is not in L3 when the next pass reads it: updates write it past the caches.
  int64_t kept_pack_bytes = int64_t{6} << 20;
  // Rows of dD: tiles of fewer use less than half of a line of x.
  int64_t narrow_tile_rows = 8;
  // Time of a task whose rows of dD others write, too, as a multiple: they take lines from each other, and fetch beyond
  // their part (n = 794, m = 16 loses two thirds of its speed on two threads, Zen 5, 2026-11).
  double shared_rows = 1.5;
};
inline constexpr CostModel kCostModel{};

// A multiplication of rows with a matrix in panels, as far as its time depends on it.
struct MultiplyShape {
  TileShape tile{1, 1};
  int64_t words = 0;       // of a column's reduction
  int64_t block_rows = 1;  // that go through all panels together
  int64_t threads = 1;     // that share an L3
  bool prepared = false;   // rows are copied, rounded or made first
  CacheSizes caches{};
};

// Steps that a task takes for so many of all rows and all panels.
double multiply_steps(const CostModel& model, const MultiplyShape& shape, int64_t rows, int64_t panels,
                      int64_t all_panels);

}  // namespace idelta::core

#endif  // IDELTA_CORE_PLAN_COST_MODEL_H
