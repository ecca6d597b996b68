#include "src/core/formats.h"

namespace idelta::core {

Arithmetic arithmetic_of(const idelta_context& context, idelta_format format) {
  if (format == IDELTA_FORMAT_F32 || !context.bf16_dot) return Arithmetic::kChain;
  return context.isa == IDELTA_ISA_AMX ? Arithmetic::kTiles : Arithmetic::kDotChain;
}

// Three bf16 products are faster than one of fp32 only in AMX's tiles.
idelta_format runs_as(const idelta_context& context, idelta_format asked) {
  const bool tiles = arithmetic_of(context, asked) == Arithmetic::kTiles;
  return asked == IDELTA_FORMAT_BF16X3 && !tiles ? IDELTA_FORMAT_F32 : asked;
}

std::span<const idelta_format> formats_by_speed(const idelta_context& context) {
  static constexpr idelta_format kAll[] = {IDELTA_FORMAT_BF16, IDELTA_FORMAT_BF16X3, IDELTA_FORMAT_F32};
  static constexpr idelta_format kWithoutTiles[] = {IDELTA_FORMAT_BF16, IDELTA_FORMAT_F32};
  if (runs_as(context, IDELTA_FORMAT_BF16X3) == IDELTA_FORMAT_BF16X3) return kAll;
  return kWithoutTiles;
}

const char* format_name(idelta_format format) {
  switch (format) {
    case IDELTA_FORMAT_AUTO:
      return "auto";
    case IDELTA_FORMAT_F32:
      return "f32";
    case IDELTA_FORMAT_BF16X3:
      return "bf16x3";
    case IDELTA_FORMAT_BF16:
      return "bf16";
    case IDELTA_FORMAT_LOW_RANK:
      return "low_rank";
  }
  return nullptr;
}

}  // namespace idelta::core
