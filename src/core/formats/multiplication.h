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

// y is the sums alone. zeros: as many as y has columns.
inline Epilogue sums_alone(const float* zeros, float* y, int64_t ldy) {
  return {
      .residual = zeros, .ld_residual = 0, .identity_scale = 0, .activation = kIdentityActivation, .y = y, .ldy = ldy};
}

// m rows of k numbers times k x cols.
struct ProductSize {
  int64_t m, k, cols;

  double multiply_adds() const { return static_cast<double>(m) * static_cast<double>(k) * static_cast<double>(cols); }
};

// The rows that are multiplied: x, or dz = dy act'(y).
struct Rows {
  const float* src;  // m x k
  int64_t ld;
  const float* y = nullptr;  // given: multiply by act'(y)
  int64_t ldy = 0;
  ActivationGradient gradient{};
  float* dz = nullptr;  // given: the rows are written here too
  int64_t lddz = 0;
};

// The kernel's arguments that write dz = dy act'(y) of some rows, k wide, to dst.
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

// Sums that the products are added to. In fp32 each element's chain continues from there.
struct Start {
  const float* at = nullptr;  // m rows of whole panels, which reach past column `cols`; null: zero
  int64_t ld = 0;
};

struct Multiplication {
  int64_t m;
  Rows rows;
  // residual null: the multiplied rows, which then must be as wide as the result. fetch_y is filled in later.
  Epilogue epilogue;
  Start start{};
  OfferedWorkspace workspace{};
  int64_t strips = 0;  // row strips of each domain; 0: the cost model chooses
  RowErrors errors{};  // of forward; rows.y is null if they are wanted
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_MULTIPLICATION_H
