// BF16X3: D and x are sums of two bf16 numbers; AMX's tiles make three of the four products. Elsewhere F32 is faster.
#include "src/core/formats/f32.h"
#include "src/core/formats/rounded_product.h"

namespace idelta::core {
namespace {

class SplitOperator final : public RoundedOperator<&KernelTable::bf16x3_dot, 2> {
 public:
  using RoundedOperator::RoundedOperator;

  // Left out are x_lo B_lo, |x_lo| <= (1 + 1/257) / 257 |x|, and what is below x_lo, |x| / 257^2. What is multiplied is
  // at most |x_hi| + |x_lo|, and ||B_hi|| + ||B_lo|| <= ||B~|| + 2 ||B_lo||.
  ErrorTerms error(const idelta_context& context, const Norms& norms) const override {
    constexpr double r = kBf16Rounding;
    return {.stored = norms.stored,
            .rounded_rows = r * r * norms.values + r * (1 + r) * norms.second,
            .sums = error_of_sums(k(), cols(), values(context), tile_roundings(k(), 3), norms.values + 2 * norms.second,
                                  1 + 3 * r)};
  }
};

}  // namespace

extern const Format kBf16x3 = {
    .id = IDELTA_FORMAT_BF16X3,
    .name = "bf16x3",
    .runs = [](const idelta_context& context) { return context.bf16_dot && context.isa == IDELTA_ISA_AMX; },
    .stands_in = &kF32,
    .trains = true,
    .gradient_planes = 2,
    .pack = pack_panel_operators<SplitOperator, true>,
    .steps =
        [](const idelta_context& context, const ProductSize& size, int64_t /*rank*/, idelta_tail /*tail*/) {
          return rounded_steps(context, context.kernels.bf16x3_dot, 2, size, 3 * kCostModel.tile_word);
        }};

}  // namespace idelta::core
