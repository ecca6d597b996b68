// The reference: complete, obvious, and bit for bit what every other ISA must return. The tiles are plain loops; what
// is element-wise is shared with the other ISAs through a "register" of one float.
#include "kernels/activation.h"
#include "kernels/elementwise.h"
#include "kernels/optimizer.h"
#include "kernels/pack.h"
#include "kernels/scalar/vector.h"

namespace idelta::scalar {
namespace {

constexpr ptrdiff_t kRows = 4, kColumns = 16;

float activate(const Activation& a, float z) {
  const Vector y = PiecewiseLinear<Vector>(a)(Vector{z});
  return (a.tanh ? tanh_of(y) : y).v;
}

void forward(const ForwardTile& t) {
  for (ptrdiff_t i = 0; i < t.rows; ++i) {
    for (ptrdiff_t j = 0; j < t.cols; ++j) {
      const ptrdiff_t panel = j / kColumns, column = j % kColumns;
      const ptrdiff_t place = (panel * t.rows + i) * kColumns + column;  // in partial
      float sum = t.resume ? t.partial[place] : 0.0f;
      for (ptrdiff_t p = 0; p < t.k; ++p) {
        sum = __builtin_fmaf(t.x[i * t.ldx + p], t.panels[panel * t.panel_stride + p * kColumns + column], sum);
      }
      if (t.suspend) {
        t.partial[place] = sum;
        continue;
      }
      const float contribution = sum + (t.bias ? t.bias[j] : 0.0f);
      if (t.contribution) t.contribution[i * t.ldc + j] = contribution;
      const float z = __builtin_fmaf(t.identity_scale, t.residual[i * t.ldx + j], contribution);
      t.y[i * t.ldy + j] = activate(t.activation, z);
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
    .mr = kRows,
    .nr = kColumns,
    .wide_panels = 1,
    .wide_rows = 4,
    .f32_forward = forward,
    .f32_weights = weights,
    .f32_copy_rows = copy_rows<Vector>,
    .f32_pack_panel = pack_panel<Vector>,
    .f32_pack_panel_transposed = pack_panel_transposed<Vector>,
    .f32_column_sums = column_sums<Vector>,
    .f32_optimizer_step = optimizer_step<Vector, kColumns>,
    .f32_scale_add = scale_add<Vector>,
};

}  // namespace idelta::scalar
