#include "src/core/weights_rounded.h"

#include "src/core/forward.h"

namespace idelta::core {
namespace {

// Lines a row apart, which the hardware does not foresee: 3 % of the whole at n = 794, m = 512 (Zen 5, 2026-11).
void fetch_lines(const float* first, int64_t ld, int64_t rows, int64_t columns) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < columns; j += kLine) __builtin_prefetch(first + r * ld + j);
  }
}

}  // namespace

// A batch shorter than a line of pairs is as fast in fp32, and more accurate.
bool rounds_weights(const idelta_context& context, const WeightsOperands& o) {
  return o.m >= kPairLine && rounds_rows(context, runs_as(context, o.format));
}

WeightsRounded::WeightsRounded(const idelta_context& context, const WeightsOperands& operands)
    : WeightsProduct(
          context, operands,
          rounded_weights_rows(context.caches, context.kernels.nr, operands.m, operands.n, planes_of(operands.format)),
          weights_multiply_adds(operands) / 2),
      rows_first_(weights_blocks(context.caches, context.tile(), operands.m, operands.n).rows_first) {}

int64_t WeightsRounded::most_steps() const { return round_up(std::min(block_rows_, op_.m), kPairLine); }
// An odd number of lines, so that the rows of a tile spread over all sets of L1.
int64_t WeightsRounded::stride() const { return (most_steps() / kPairLine | 1) * kPairLine; }
int64_t WeightsRounded::x_words() const { return (round_up(op_.n, kLine) + kRowsPastLast) * stride() / 2; }
int64_t WeightsRounded::dz_words() const { return panels() * panel_words(); }
int64_t WeightsRounded::partial_floats() const {
  return round_up(WeightsBlocks::kBlockPanels * kernels_.nr, kPairLine) * kernels_.nr;
}
int64_t WeightsRounded::workspace_floats() const {
  return planes() * (x_words() + dz_words()) + tasks() * partial_floats() + zeros();
}

void WeightsRounded::pack(int64_t index, float* memory) {
  const Range rows = this->rows(index);
  const auto words = reinterpret_cast<uint32_t*>(memory);
  const auto halves = reinterpret_cast<uint16_t*>(words + planes() * dz_words());
  packed_ = {.steps = round_up(rows.size(), kPairLine),
             .x_hi = halves,
             .x_lo = split() ? halves + 2 * x_words() : nullptr,
             .dz_hi = words,
             .dz_lo = split() ? words + dz_words() : nullptr,
             .partial = memory + planes() * (x_words() + dz_words())};
  packed_.zeros = packed_.partial + tasks() * partial_floats();
  std::fill_n(packed_.zeros, zeros(), 0.0f);
  each_part(rows.size(), kPairLine, [&](Range line, Range panels) {
    for (int64_t p = panels.begin; p < panels.end; ++p) pack_panel(op_.dz + rows.begin * op_.lddz, p, line);
    const int64_t end = std::min(panels.end * kernels_.nr, op_.n);
    for (int64_t c = panels.begin * kernels_.nr; c < end; c += kLine) {
      pack_columns(op_.x + rows.begin * op_.ldx, c, line);
    }
  });
}

// A line of pairs of rows of one panel of dz, zero past the last row.
void WeightsRounded::pack_panel(const float* dz, int64_t panel, Range rows) const {
  alignas(kAlignment) float line[kPairLine * kWidest];
  const int64_t nr = kernels_.nr, at = panel * panel_words() + rows.begin / 2 * nr;
  fetch_lines(dz + rows.begin * op_.lddz + (panel + 1) * nr, op_.lddz, rows.size(), nr);
  kernels_.f32_pack_panel({.rows = rows.size(),
                           .cols = panel_width(panel),
                           .src = dz + rows.begin * op_.lddz + panel * nr,
                           .ld = op_.lddz,
                           .width = nr,
                           .dst = line});
  std::fill(line + rows.size() * nr, line + kPairLine * nr, 0.0f);
  kernels_.bf16_round_panel({.rows = kPairLine,
                             .width = nr,
                             .src = line,
                             .hi = packed_.dz_hi + at,
                             .lo = packed_.dz_lo ? packed_.dz_lo + at : nullptr});
}

// The same rows of a line of columns of x, transposed.
void WeightsRounded::pack_columns(const float* x, int64_t column, Range rows) const {
  alignas(kAlignment) float line[kLine * kPairLine];
  const int64_t count = std::min<int64_t>(kLine, op_.n - column), at = column * stride() + rows.begin;
  fetch_lines(x + rows.begin * op_.ldx + column + kLine, op_.ldx, rows.size(), kLine);
  kernels_.f32_pack_panel_transposed({.rows = count,
                                      .cols = rows.size(),
                                      .src = x + rows.begin * op_.ldx + column,
                                      .ld = op_.ldx,
                                      .width = kPairLine,
                                      .dst = line});
  kernels_.bf16_round_rows({.rows = count,
                            .cols = kPairLine,
                            .src = line,
                            .ld = kPairLine,
                            .hi = packed_.x_hi + at,
                            .lo = packed_.x_lo ? packed_.x_lo + at : nullptr,
                            .ldr = stride()});
}

void WeightsRounded::multiply(int64_t task, Range block, Range panels, float beta, float* out, int64_t ldo) const {
  const int64_t nr = kernels_.nr, width = this->width(block), words = panels.begin * panel_words();
  // As in fp32: one tile at a time writes dD along its rows.
  const int64_t strip = rows_first_ ? even_tile(width, kernels_.bf16_mr) : width;
  const auto kernel = split() ? kernels_.bf16x3_dot : kernels_.bf16_dot;
  for (int64_t first = 0; first < width; first += strip, out += strip * ldo) {
    const int64_t at = (block.begin * nr + first) * stride();
    kernel({.rows = std::min(strip, width - first),
            .cols = std::min(panels.size() * nr, op_.n - panels.begin * nr),
            .k = packed_.steps,
            .x_hi = packed_.x_hi + at,
            .x_lo = split() ? packed_.x_lo + at : nullptr,
            .ldx = stride(),
            .panels_hi = packed_.dz_hi + words,
            .panels_lo = split() ? packed_.dz_lo + words : nullptr,
            .panel_stride = panel_words(),
            .partial = packed_.partial + task * partial_floats(),
            .epilogue = {.residual = beta == 0 ? packed_.zeros : out,
                         .ld_residual = beta == 0 ? 0 : ldo,
                         .identity_scale = beta,
                         .activation = activation_of({IDELTA_ACTIVATION_IDENTITY, 0}),
                         .y = out,
                         .ldy = ldo,
                         .fetch_y = true}});
  }
}

}  // namespace idelta::core
