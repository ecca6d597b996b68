// D or D^T as two factors and, if there is one, a tail: the operator of LOW_RANK.
#ifndef IDELTA_CORE_FORMATS_LOW_RANK_OPERATOR_H
#define IDELTA_CORE_FORMATS_LOW_RANK_OPERATOR_H

#include <memory>
#include <utility>
#include <vector>

#include "src/core/formats/f32.h"
#include "src/core/formats/factorise.h"
#include "src/core/formats/format.h"
#include "src/core/formats/int8.h"
#include "src/core/formats/low_rank_product.h"

namespace idelta::core {

// first (n x r) times second (r x n), U V or V^T U^T, plus the tail.
class LowRankOperator final : public Operator {
 public:
  // U V, or if `transposed` V^T U^T. tail: of this direction, or null.
  LowRankOperator(const idelta_context& context, const Factors& factors, bool transposed,
                  std::unique_ptr<const Int8Operator> tail);

  size_t workspace_bytes(const idelta_context& context, int64_t m) const override {
    return low_rank_workspace_bytes(context, LowRankShape::of(all_panels()), m);
  }
  void multiply(const idelta_context& context, Multiplication& call) const override {
    multiply_low_rank(context, all_panels(), call);
  }

  std::vector<float> values(const idelta_context& context) const override;
  size_t bytes() const override { return first_.bytes() + second_.bytes() + (tail_ ? tail_->bytes() : 0); }
  double zero_share() const override;
  int64_t rank() const override { return first_.cols(); }
  bool has_own_values() const override { return tail_ != nullptr; }

  Norms norms(const idelta_context& context, const float* B) const override;
  ErrorTerms error(const idelta_context& context, const Norms& norms) const override;
  RowBound row_bound(const idelta_context& context, const Norms& norms, float identity_scale) const override;

  // For the forward direction: the norms as a proof that callers can store, with V's overlap.
  idelta_low_rank_proof proof(const idelta_context& context, const float* D) const;
  // The norms as if nothing were dropped.
  Norms norms_of_factors(const idelta_context& context) const;

  // U and V as they are multiplied.
  Factors factors(const idelta_context& context) const;
  const Int8Operator* tail() const { return tail_.get(); }

 private:
  // E = D~ - B.
  struct Rest {
    std::vector<float> computed;
    double norm, error;  // norm of `computed`, and of its difference from E
  };
  Rest rest(const idelta_context& context, const float* B, const Norms& norms) const;
  Norms with_rest(const idelta_context& context, Norms norms, const Rest& E) const;
  std::vector<float> product_minus(const idelta_context& context, const float* B) const;

  std::pair<double, double> of_factors(const Norms& norms) const {
    return transposed_ ? std::pair{norms.second, norms.values} : std::pair{norms.values, norms.second};
  }
  double sums_of_second(const idelta_context& context, double norm) const {
    return second_.sums(context, norm, tail_ ? 2 : 1);
  }
  LowRankPanels all_panels() const { return {first_.panels(), second_.panels(), tail_ ? &tail_->panels() : nullptr}; }

  F32Operator first_, second_;
  bool transposed_;
  std::unique_ptr<const Int8Operator> tail_;
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_LOW_RANK_OPERATOR_H
