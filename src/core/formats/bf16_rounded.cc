// BF16 rounded: D and x in bf16, multiplied by vdpbf16ps or AMX's tiles. a x uses x in fp32.
#include "src/core/formats/panel_operator.h"
#include "src/core/formats/rounded_product.h"

namespace idelta::core {
namespace {

class RoundedOperator final : public PanelOperator {
 public:
  RoundedOperator(const idelta_context& context, const MatrixView& B, int64_t k, int64_t cols)
      : PanelOperator(context, B, k, cols, PanelShape::of(context.kernels.bf16_dot)) {}

  size_t workspace_bytes(const idelta_context& context, int64_t m) const override {
    return rounded_workspace_bytes(context, context.kernels.bf16_dot, 1, m, k(), cols());
  }
  void multiply(const idelta_context& context, Multiplication& call) const override {
    multiply_rounded(context, context.kernels.bf16_dot, panels(), call);
  }
  // vdpbf16ps takes the odd step of a pair first, so that the last step passes through one rounding more.
  ErrorTerms error(const idelta_context& context, const Norms& norms) const override {
    const Roundings roundings = context.isa == IDELTA_ISA_AMX ? tile_roundings(k(), 1) : chain_roundings(k(), 3);
    return {.stored = norms.stored,
            .rounded_rows = kBf16Rounding * norms.values,
            .sums = error_of_sums(k(), cols(), values(), roundings, norms.values, 1 + kBf16Rounding)};
  }
};

}  // namespace

extern const Format kBf16Rounded = {.id = IDELTA_FORMAT_BF16,
                                    .name = "bf16",
                                    .runs = [](const idelta_context& context) { return context.bf16_dot; },
                                    .trains = true,
                                    .gradient_planes = 1,
                                    .pack = pack_panel_operators<RoundedOperator, true>};

}  // namespace idelta::core
