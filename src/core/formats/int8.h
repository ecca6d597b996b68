// INT8: D in integers of 7 bits with a scale a column, x in integers of 8 bits with a scale a row.
#ifndef IDELTA_CORE_FORMATS_INT8_H
#define IDELTA_CORE_FORMATS_INT8_H

#include <cstdint>
#include <vector>

#include "src/core/formats/int8_product.h"
#include "src/core/formats/panel_operator.h"

namespace idelta::core {

class Int8Operator final : public PanelOperator {
 public:
  // given_scales: of B's columns, where B are integers times these; null: as D is packed.
  Int8Operator(const idelta_context& context, const MatrixView& B, int64_t k, int64_t cols,
               const float* given_scales = nullptr);

  size_t workspace_bytes(const idelta_context& context, int64_t m) const override {
    return integers_workspace_bytes(context, {m, k(), cols()});
  }
  void multiply(const idelta_context& context, Multiplication& call) const override {
    multiply_integers(context, panels(), call);
  }
  bool has_own_values() const override { return true; }
  Norms norms(const idelta_context& context, const float* B) const override;
  ErrorTerms error(const idelta_context& context, const Norms& norms) const override;
  Panels* steppable() override { return nullptr; }

  using PanelOperator::panels;
  // Upper bounds of ||s q||_2, and of what values() round of s q.
  double norm(const idelta_context& context) const;
  double rounding(const idelta_context& context) const;
};

// Throws Failure if sums of n integers may not fit into 32 bits.
void check_integers(int64_t n);

extern const Format kInt8;

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_INT8_H
