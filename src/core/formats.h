// Which formats a context multiplies in, and how it rounds.
#ifndef IDELTA_CORE_FORMATS_H
#define IDELTA_CORE_FORMATS_H

#include <span>

#include "idelta/idelta.h"
#include "src/core/context.h"

namespace idelta::core {

enum class Arithmetic {
  kChain,     // fp32 multiply-adds, an element's terms one after the other: F32, and bf16 panels widened
  kDotChain,  // the same on x rounded to bf16: vdpbf16ps
  kTiles      // TDPBF16PS: 16 terms at most in a chain, then one addition a step of 32; x rounded, or split in two
};

Arithmetic arithmetic_of(const idelta_context& context, idelta_format format);

// bf16 numbers for one of fp32: hi, or hi and lo.
inline int64_t planes_of(idelta_format format) { return format == IDELTA_FORMAT_BF16X3 ? 2 : 1; }

inline bool rounds_rows(const idelta_context& context, idelta_format format) {
  return arithmetic_of(context, format) != Arithmetic::kChain;
}

// The kernel of forward and backward_data for formats whose rows are not rounded.
inline const Kernel<ForwardTile>& chain_kernel(const idelta_context& context, idelta_format format) {
  return format == IDELTA_FORMAT_F32 ? context.kernels.f32_forward : context.kernels.bf16_forward;
}
// The kernel for those whose rows are, and for x^T dz.
inline const Kernel<Bf16Block>& dot_kernel(const idelta_context& context, idelta_format format) {
  return format == IDELTA_FORMAT_BF16X3 ? context.kernels.bf16x3_dot : context.kernels.bf16_dot;
}

// How D is packed for the kernel that multiplies it.
struct PanelShape {
  int64_t nr, kr;
};
inline PanelShape panel_shape(const idelta_context& context, idelta_format format) {
  const auto shape_of = [](const auto& kernel) { return PanelShape{kernel.nr, kernel.kr}; };
  return rounds_rows(context, format) ? shape_of(dot_kernel(context, format)) : shape_of(chain_kernel(context, format));
}

// The format that does the work of the one asked for: itself where there are kernels for it, else one that is faster
// and no less accurate.
idelta_format runs_as(const idelta_context& context, idelta_format asked);

// What AUTO tries in turn, fastest first. The last is F32.
std::span<const idelta_format> formats_by_speed(const idelta_context& context);

const char* format_name(idelta_format format);  // null for none of ours

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_H
