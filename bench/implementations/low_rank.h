// D = U V by its factors: idelta's format LOW_RANK (idelta_low_rank.cc) and two products by OpenBLAS
// (openblas_low_rank.cc). There is no plain form: W = I + U V is not of low rank.
#pragma once

#include <memory>

#include "bench/factors.h"
#include "bench/implementation.h"
#include "bench/implementations/idelta.h"

namespace idelta::bench {

// Forward and backward_data; the factors take the place of the n x n weights.
class LowRank : public Implementation {
 public:
  LowRank(const Problem& problem, const Inputs& inputs) : Implementation(problem, inputs, false) {
    memory_.weights = Buffer();
  }
  void run() override { problem_.pass == Pass::kForward ? forward() : backward_data(); }

 protected:
  virtual void forward() = 0;
  virtual void backward_data() = 0;

 private:
  void weights_changed() override {}
};

// Packed for both passes. Throws if the rank shrinks: the figures would stand under a wrong name.
using PackedFactors = std::shared_ptr<const idelta_delta>;
PackedFactors pack(const Context& context, const Factors& factors);

class IdeltaLowRank : public LowRank {
 public:
  IdeltaLowRank(const Problem& problem, const Inputs& inputs, PackedFactors packed);

 private:
  void forward() override;
  void backward_data() override;

  const Context& context_;
  const PackedFactors packed_;
};

class OpenblasLowRank : public LowRank {
 public:
  OpenblasLowRank(const Problem& problem, const Inputs& inputs, const Factors& factors);

 private:
  void forward() override;
  void backward_data() override;
  void multiply(const float* rows, float beta, float* out);

  const int64_t rank_;
  const bool first_by_vector_;
  Buffer first_;   // n x r, or r x n where GEMV reads it
  Buffer second_;  // r x n
  Buffer t_;       // m x r
};

}  // namespace idelta::bench
