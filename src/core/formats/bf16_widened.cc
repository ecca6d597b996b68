// BF16 widened: D in bf16, widened to fp32 in registers. Gives the bits of F32 with the rounded D.
#include "src/core/formats/chain_product.h"
#include "src/core/formats/panel_operator.h"

namespace idelta::core {
namespace {

class WidenedOperator final : public PanelOperator {
 public:
  WidenedOperator(const idelta_context& context, const MatrixView& B, int64_t k, int64_t cols)
      : PanelOperator(context, B, k, cols, PanelShape::of(context.kernels.bf16_forward)) {}

  size_t workspace_bytes(const idelta_context& context, int64_t m) const override {
    return chains_workspace_bytes(context, context.kernels.bf16_forward, m, k(), cols());
  }
  void multiply(const idelta_context& context, Multiplication& call) const override {
    multiply_chains(context, context.kernels.bf16_forward, panels(), call);
  }
  bool needs_norm_of_values() const override { return false; }
  ErrorTerms error(const idelta_context& /*context*/, const Norms& norms) const override {
    return {.stored = norms.stored,
            .sums = error_of_sums(k(), cols(), values(), chain_roundings(k(), 2), norms.values)};
  }
};

}  // namespace

extern const Format kBf16Widened = {.id = IDELTA_FORMAT_BF16,
                                    .name = "bf16",
                                    .runs = [](const idelta_context& context) { return !context.bf16_dot; },
                                    .trains = true,
                                    .pack = pack_panel_operators<WidenedOperator, true>};

}  // namespace idelta::core
