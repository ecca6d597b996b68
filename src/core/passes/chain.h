// Forward through several deltas, one after the other: blocks of rows go through all of them while they are in cache.
#ifndef IDELTA_CORE_PASSES_CHAIN_H
#define IDELTA_CORE_PASSES_CHAIN_H

#include <cstdint>
#include <span>

#include "src/core/formats/delta.h"
#include "src/core/formats/multiplication.h"

namespace idelta::core {

// One layer. `call` is what forward of all m rows would be: of the first layer with its rows, of the others without; y
// is null where the output is not kept. errors.bound, if errors are wanted, points to `bound`.
struct ChainLayer {
  const idelta_delta* delta;
  Multiplication call;
  RowBound bound;
};

// How m rows go through these deltas, all of one width.
class Chain {
 public:
  Chain(const idelta_context& context, std::span<const idelta_delta* const> deltas, int64_t m);

  int64_t floats() const { return tasks_ * task_stride(task_floats(), tasks_); }  // of memory for run()
  void run(std::span<const ChainLayer> layers, float* memory) const;

 private:
  const idelta_context& worker() const { return tasks_ > 1 ? *context_.alone : context_; }
  void cut_into_blocks(std::span<const idelta_delta* const> deltas);
  double steps(const idelta_context& context, std::span<const idelta_delta* const> deltas, int64_t rows) const;
  int64_t outputs() const;
  int64_t task_floats() const { return 2 * outputs() + operator_floats_; }
  void run_block(std::span<const ChainLayer> layers, int64_t first, float* memory) const;

  const idelta_context& context_;
  int64_t n_, m_;
  int64_t rows_;  // of a block; the last has what is left
  int64_t tasks_ = 1;
  int64_t operator_floats_ = 0;  // of the workspace of the operator that needs most
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_PASSES_CHAIN_H
