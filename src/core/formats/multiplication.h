// One call of an operator: out = act(a residual + start + rows B + b).
#ifndef IDELTA_CORE_FORMATS_MULTIPLICATION_H
#define IDELTA_CORE_FORMATS_MULTIPLICATION_H

#include <cstdint>
#include <limits>

#include "kernels/kernels.h"
#include "src/core/base/range.h"
#include "src/core/formats/row_bound.h"
#include "src/core/machine/memory.h"

namespace idelta::core {

inline constexpr ActivationArgs kIdentityActivation = {1, -std::numeric_limits<float>::infinity(),
                                                       std::numeric_limits<float>::infinity(), false};

// The rows that are multiplied: x as it is, or dz = dy act'(y).
struct Rows {
  const float* src;  // m x k
  int64_t ld;
  const float* y = nullptr;  // given: multiply by act'(y)
  int64_t ldy = 0;
  ActivationGradient gradient{};
  float* dz = nullptr;  // given: the rows are written here too
  int64_t lddz = 0;
};

// The kernel's call that writes dz = dy act'(y) of rows [range), k wide, to dst.
inline CopyRows gradient_step(const Rows& rows, Range range, int64_t k, float* dst, int64_t ldd) {
  return {.rows = range.size(),
          .cols = k,
          .src = rows.src + range.begin * rows.ld,
          .ld = rows.ld,
          .dst = dst,
          .ldd = ldd,
          .y = rows.y + range.begin * rows.ldy,
          .ldy = rows.ldy,
          .gradient = rows.gradient};
}

// Sums that the products are added to; in formats of fp32 each element's chain goes on from there.
struct Start {
  const float* at = nullptr;  // m rows of whole panels: they reach past column `cols`; null: zero
  int64_t ld = 0;
};

struct Multiplication {
  int64_t m;
  Rows rows;
  // residual null: it is the rows that are multiplied, which then must be as wide as the result; fetch_y is filled in.
  Epilogue epilogue;
  Start start{};
  OfferedWorkspace workspace{};
  int64_t strips = 0;  // of rows that a domain's threads are cut into; 0: as the cost model chooses
  RowErrors errors{};  // forward's, if they are wanted; rows.y is null then
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_MULTIPLICATION_H
