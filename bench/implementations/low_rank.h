// D = U V by its factors: two products by OpenBLAS, and the pack of idelta's format LOW_RANK (low_rank.cc). There is no
// plain form: W = I + U V is not of low rank.
#pragma once

#include <memory>

#include "bench/factors.h"
#include "bench/implementations/idelta.h"
#include "bench/implementations/openblas.h"

namespace idelta::bench {

// Packed for both passes; with a tail of what U V rounded to fp32 leaves, whose speed is that of any. Throws if the
// rank shrinks: the figures would stand under a wrong name.
using PackedFactors = std::shared_ptr<const Delta>;
PackedFactors pack(const Context& context, const Factors& factors, bool tail = false);

// Forward and backward_data; the factors take the place of the n x n weights.
class OpenblasLowRank : public Openblas {
 public:
  OpenblasLowRank(const Problem& problem, const Inputs& inputs, const Factors& factors);

 protected:
  void forward() override;
  void multiply(const float* rows, float beta, float* out);

 private:
  void backward_data() override;

  const int64_t rank_;
  const bool first_by_vector_;
  Buffer first_;   // n x r, or r x n where GEMV reads it
  Buffer second_;  // r x n
  Buffer t_;       // m x r
};

}  // namespace idelta::bench
