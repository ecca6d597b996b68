// BF16 rounded: D and x in bf16, multiplied by vdpbf16ps or AMX's tiles. a x uses x in fp32.
#include "src/core/formats/rounded_product.h"

namespace idelta::core {
namespace {

class Bf16Operator final : public RoundedOperator<&KernelTable::bf16_dot, 1> {
 public:
  using RoundedOperator::RoundedOperator;

  // vdpbf16ps takes the odd step of a pair first, so that the last step passes through one rounding more.
  ErrorTerms error(const idelta_context& context, const Norms& norms) const override {
    const Roundings roundings = context.isa == IDELTA_ISA_AMX ? tile_roundings(k(), 1) : chain_roundings(k(), 3);
    return {.stored = norms.stored,
            .rounded_rows = kBf16Rounding * norms.values,
            .sums = error_of_sums(k(), cols(), values(context), roundings, norms.values, 1 + kBf16Rounding)};
  }
};

}  // namespace

extern const Format kBf16Rounded = {
    .id = IDELTA_FORMAT_BF16,
    .name = "bf16",
    .runs = [](const idelta_context& context) { return context.bf16_dot; },
    .trains = true,
    .gradient_planes = 1,
    .pack = pack_panel_operators<Bf16Operator, true>,
    .steps =
        [](const idelta_context& context, const ProductSize& size, int64_t /*rank*/, idelta_tail /*tail*/) {
          const double word = context.isa == IDELTA_ISA_AMX ? kCostModel.tile_word : kCostModel.dot_word;
          return rounded_steps(context, context.kernels.bf16_dot, 1, size, word);
        }};

}  // namespace idelta::core
