// F32: D in fp32, to the bit.
#ifndef IDELTA_CORE_FORMATS_F32_H
#define IDELTA_CORE_FORMATS_F32_H

#include "src/core/formats/chain_product.h"

namespace idelta::core {

class F32Operator final : public ChainOperator<&KernelTable::f32_forward> {
 public:
  using ChainOperator::ChainOperator;

  Norms norms(const idelta_context& context, const float* B) const override;
  ErrorTerms error(const idelta_context& context, const Norms& norms) const override;

  using PanelOperator::panels;
  // ErrorTerms::sums, if the matrix has this norm. later: roundings after the chain's, of a x + sum and others.
  double sums(const idelta_context& context, double norm, int64_t later = 1) const;
};

extern const Format kF32;

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_F32_H
