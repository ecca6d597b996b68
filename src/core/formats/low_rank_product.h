// Multiplies rows with two factors and, if there is one, a tail: LOW_RANK.
#ifndef IDELTA_CORE_FORMATS_LOW_RANK_PRODUCT_H
#define IDELTA_CORE_FORMATS_LOW_RANK_PRODUCT_H

#include "src/core/context.h"
#include "src/core/formats/multiplication.h"
#include "src/core/formats/panels.h"

namespace idelta::core {

// first (n x r) times second (r x n), both in fp32, plus tail (n x n) in integers, or null.
struct LowRankPanels {
  const Panels &first, &second;
  const Panels* tail;
};

// The workspace of multiply_low_rank() for m >= 1 rows.
size_t low_rank_workspace_bytes(const idelta_context& context, const LowRankPanels& B, int64_t m);

// y may be x: all of a block's t is computed and its rows are rounded before any y, and the residual is read just
// before y is written.
void multiply_low_rank(const idelta_context& context, const LowRankPanels& B, Multiplication& call);

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_LOW_RANK_PRODUCT_H
