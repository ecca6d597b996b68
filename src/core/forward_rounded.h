// forward and backward_data with the rows rounded to bf16, for formats of bf16 on a context that multiplies so.
#ifndef IDELTA_CORE_FORWARD_ROUNDED_H
#define IDELTA_CORE_FORWARD_ROUNDED_H

#include "src/core/forward.h"

namespace idelta::core {

size_t forward_rounded_workspace_bytes(const idelta_context& context, idelta_format format, int64_t m, int64_t n);

void forward_rounded(const idelta_context& context, const Panels& panels, int64_t m, int64_t n, const Rows& rows,
                     Epilogue& epilogue, const OfferedWorkspace& offered);

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORWARD_ROUNDED_H
