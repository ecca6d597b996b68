// BF16 widened: D in bf16, widened to fp32 in registers. Gives the bits of F32 with the rounded D.
#include "src/core/formats/chain_product.h"

namespace idelta::core {
namespace {

class WidenedOperator final : public ChainOperator<&KernelTable::bf16_forward> {
 public:
  using ChainOperator::ChainOperator;

  bool needs_norm_of_values() const override { return false; }
  ErrorTerms error(const idelta_context& context, const Norms& norms) const override {
    return {.stored = norms.stored,
            .sums = error_of_sums(k(), cols(), values(context), chain_roundings(k(), 2), norms.values)};
  }
};

}  // namespace

extern const Format kBf16Widened = {
    .id = IDELTA_FORMAT_BF16,
    .name = "bf16",
    .runs = [](const idelta_context& context) { return !context.bf16_dot; },
    .trains = true,
    .pack = pack_panel_operators<WidenedOperator, true>,
    .steps =
        [](const idelta_context& context, const ProductSize& size, int64_t /*rank*/, idelta_tail /*tail*/) {
          return chains_steps(context, context.kernels.bf16_forward, size, kCostModel.widened_word);
        }};

}  // namespace idelta::core
