// F32: D in fp32, to the bit.
#ifndef IDELTA_CORE_FORMATS_F32_H
#define IDELTA_CORE_FORMATS_F32_H

#include "src/core/formats/panel_operator.h"

namespace idelta::core {

class F32Operator final : public PanelOperator {
 public:
  F32Operator(const idelta_context& context, const MatrixView& B, int64_t k, int64_t cols);

  size_t workspace_bytes(const idelta_context& context, int64_t m) const override;
  void multiply(const idelta_context& context, Multiplication& call) const override;
  Norms norms(const idelta_context& context, const float* B) const override;
  ErrorTerms error(const idelta_context& context, const Norms& norms) const override;

  using PanelOperator::panels;
  double sums(double norm) const;  // ErrorTerms::sums of a stored matrix of this norm
};

extern const Format kF32;

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_F32_H
