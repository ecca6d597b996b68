// The reference: every other ISA must return the same bits. The tiles are plain loops; element-wise kernels are shared
// with the other ISAs through a "register" of one float.
#include "kernels/bf16.h"
#include "kernels/elementwise.h"
#include "kernels/epilogue.h"
#include "kernels/int8.h"
#include "kernels/optimizer.h"
#include "kernels/pack.h"
#include "kernels/scalar/vector.h"

namespace idelta::scalar {
namespace {

constexpr ptrdiff_t kRows = 4, kColumns = 16;

void finish(const Epilogue& e, ptrdiff_t i, ptrdiff_t j, float sum) {
  idelta::finish(e, i, j, Vector{sum}, true, PiecewiseLinear<Vector>(e.activation));
}

float start_of(const Sums& sums, ptrdiff_t i, ptrdiff_t j) {
  return sums.at ? sums.from(i, j / kColumns).at[j % kColumns] : 0.0f;
}

float widened(uint32_t half) { return from_bits(half << 16).v; }

struct F32Panel {
  const Word* rows;
  float at(ptrdiff_t p, ptrdiff_t column) const { return __builtin_bit_cast(float, rows[p * kColumns + column]); }
};
struct Bf16Panel {
  const Word* pairs;
  float at(ptrdiff_t p, ptrdiff_t column) const {
    const uint32_t pair = pairs[p / 2 * kColumns + column];
    return widened(p % 2 == 0 ? pair & 0xffffu : pair >> 16);
  }
};

template <class Panel>
void forward(const ForwardTile& t) {
  for (ptrdiff_t i = 0; i < t.rows; ++i) {
    for (ptrdiff_t j = 0; j < t.cols; ++j) {
      const ptrdiff_t panel = j / kColumns, column = j % kColumns;
      const Panel d{t.panels + panel * t.panel_stride};
      float sum = start_of(t.start, i, j);
      for (ptrdiff_t p = 0; p < t.k; ++p) sum = __builtin_fmaf(t.x[i * t.ldx + p], d.at(p, column), sum);
      if (t.suspend.at) {
        t.suspend.from(i, panel).at[column] = sum;
      } else {
        finish(t.epilogue, i, j, sum);
      }
    }
  }
}

// The order of vdpbf16ps: the odd step of a pair first, then the even one, each a fused multiply-add.
template <bool kSplit>
void dot(const Bf16Block& b) {
  for (ptrdiff_t i = 0; i < b.rows; ++i) {
    for (ptrdiff_t j = 0; j < b.cols; ++j) {
      const ptrdiff_t column = j % kColumns, offset = j / kColumns * b.panel_stride;
      const Bf16Panel hi{b.panels_hi + offset}, lo{kSplit ? b.panels_lo + offset : nullptr};
      float sum = start_of(b.start, i, j);
      for (ptrdiff_t q = 0; q < b.k; ++q) {
        const ptrdiff_t p = q ^ 1;
        const float x = widened(b.x_hi[i * b.ldx + p]);
        sum = __builtin_fmaf(x, hi.at(p, column), sum);
        if (!kSplit) continue;
        sum = __builtin_fmaf(x, lo.at(p, column), sum);
        sum = __builtin_fmaf(widened(b.x_lo[i * b.ldx + p]), hi.at(p, column), sum);
      }
      finish(b.epilogue, i, j, sum);
    }
  }
}

struct Int8Panel {
  const Word* quads;
  int32_t at(ptrdiff_t p, ptrdiff_t column) const {
    return static_cast<int8_t>(quads[p / 4 * kColumns + column] >> (8 * (p % 4)) & 0xffu);
  }
};

// The sum wraps, as those of the instructions do.
void int8_dot(const Int8Block& b) {
  for (ptrdiff_t i = 0; i < b.rows; ++i) {
    for (ptrdiff_t j = 0; j < b.cols; ++j) {
      const Int8Panel q{b.panels + j / kColumns * b.panel_stride};
      auto sum = -static_cast<uint32_t>(b.offsets[j]);
      for (ptrdiff_t p = 0; p < b.k; ++p) sum += static_cast<uint32_t>(b.x[i * b.ldx + p] * q.at(p, j % kColumns));
      const float scale = b.row_scales[i] * b.scales[j], product = static_cast<float>(static_cast<int32_t>(sum));
      finish(b.epilogue, i, j, __builtin_fmaf(scale, product, start_of(b.start, i, j)));
    }
  }
}

void weights(const WeightsTile& t) {
  for (ptrdiff_t i = 0; i < t.rows; ++i) {
    for (ptrdiff_t j = 0; j < t.cols; ++j) {
      const float* rhs = t.rhs + j / kColumns * t.rhs_panel_stride + j % kColumns;
      float* out = t.out + i * t.ldo + j;
      float sum = t.beta == 0.0f ? 0.0f : t.beta * *out;
      for (ptrdiff_t p = 0; p < t.m; ++p) sum = __builtin_fmaf(t.lhs[p * t.lhs_stride + i], rhs[p * t.rhs_stride], sum);
      *out = sum;
    }
  }
}

}  // namespace

constinit const KernelTable kTable = {
    .f32_forward = {.mr = kRows, .nr = kColumns, .run = forward<F32Panel>},
    .f32_weights = {.mr = kRows, .nr = kColumns, .few_rows = kRows, .run = weights},
    .f32_copy_rows = {.run = copy_rows<Vector>},
    .f32_pack_panel = {.run = pack_panel<Vector>},
    .f32_pack_panel_transposed = {.run = pack_panel_transposed<Vector>},
    .f32_column_sums = {.run = column_sums<Vector>},
    .f32_optimizer_step = {.mr = 1, .nr = kColumns, .few_rows = 48, .run = optimizer_step<Vector, kColumns, 1, 1>},
    .bf16_round_panel = {.run = bf16_round_panel<Vector>},
    .bf16_round_rows = {.run = bf16_round_rows<Vector>},
    .bf16_round_rows_transposed = {.run = bf16_round_rows_transposed<Vector>},
    .bf16_forward = {.mr = kRows, .nr = kColumns, .kr = 2, .run = forward<Bf16Panel>},
    .bf16_dot = {.mr = kRows, .nr = kColumns, .kr = 2, .run = dot<false>},
    .bf16x3_dot = {.mr = kRows, .nr = kColumns, .kr = 2, .run = dot<true>},
    .f32_scale_add = {.run = scale_add<Vector>},
    .f32_row_squares = {.run = row_squares<Squares, 1>},
    .int8_quantize_rows = {.run = int8_quantize_rows<Vector, Squares>},
    .int8_dot = {.mr = kRows, .nr = kColumns, .kr = 4, .run = int8_dot},
};

}  // namespace idelta::scalar
