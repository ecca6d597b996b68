// backward_weights: dD = beta dD + x^T dz, db = beta db + column sums of dz. update: x^T dz goes to the optimiser
// instead of memory, and the new D is packed.
#ifndef IDELTA_CORE_PASSES_WEIGHTS_H
#define IDELTA_CORE_PASSES_WEIGHTS_H

#include "src/core/context.h"
#include "src/core/formats/delta.h"

namespace idelta::core {

struct WeightsOperands {
  int64_t m, n;
  const float* x;  // m x n
  int64_t ldx;
  const float* dz;  // m x n
  int64_t lddz;
  int64_t planes = 0;  // bf16 numbers that each number is rounded to where that pays; 0: fp32
};

// Enough for every gradient format.
size_t weights_workspace_bytes(const idelta_context& context, int64_t m, int64_t n);
void backward_weights(const idelta_context& context, const WeightsOperands& operands, float beta, float* dD,
                      int64_t ldd, float* db, const OfferedWorkspace& offered);

// Master parameters and the optimiser's state.
struct Parameters {
  idelta_order order;  // of D and state
  float* D;            // n x n, in the delta's order of in and out; null: the packed forward is the master
  int64_t ldd;         // row stride of D in rows
  float* state[2];     // n x n; in rows: without gaps
  float* bias;         // n, or null
  float* bias_state[2];
};

size_t update_workspace_bytes(const idelta_context& context, int64_t m, int64_t n);
void update(const idelta_context& context, idelta_delta& delta, const WeightsOperands& operands,
            const idelta_optimizer& optimizer, const Parameters& parameters, const OfferedWorkspace& offered);

}  // namespace idelta::core

#endif  // IDELTA_CORE_PASSES_WEIGHTS_H
