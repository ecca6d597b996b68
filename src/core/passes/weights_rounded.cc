#include "src/core/passes/weights_rounded.h"

#include <cassert>

#include "src/core/formats/multiplication.h"

namespace idelta::core {

// A batch shorter than a line of pairs is as fast in fp32, and more accurate.
bool rounds_weights(const WeightsOperands& o) { return o.m >= kPairLine && o.planes > 0; }

WeightsRounded::WeightsRounded(const idelta_context& context, const WeightsOperands& operands, Sink sink)
    : WeightsProduct(context, operands, sink, weights_multiply_adds(operands) / 2),
      kernel_(operands.planes == 2 ? context.kernels.bf16x3_dot : context.kernels.bf16_dot),
      rows_first_(
          weights_blocks(context.caches, {kernel_.mr, nr_}, operands.m, operands.n, packed_columns()).rows_first) {
  assert(nr_ % kernel_.nr == 0);
  block_rows_ = rounded_weights_rows(context.caches, kernel_.nr, operands.m, operands.n, planes(), packed_columns());
}

int64_t WeightsRounded::partial_floats() const {
  return round_up(WeightsBlocks::kBlockPanels * nr_, kPairLine) * kernel_.nr;
}

int64_t WeightsRounded::task_floats() const { return planes() * (dz_words() + x_words()) + partial_floats() + zeros(); }

WeightsRounded::Packed WeightsRounded::packed(const Share& share) const {
  Word* const dz = words_of(share.memory);
  const auto x = reinterpret_cast<uint16_t*>(dz + planes() * dz_words());
  float* const partial = share.memory + planes() * (dz_words() + x_words());
  return {.dz_hi = dz,
          .dz_lo = split() ? dz + dz_words() : nullptr,
          .x_hi = x,
          .x_lo = split() ? x + 2 * x_words() : nullptr,
          .partial = partial,
          .zeros = partial + partial_floats()};
}

void WeightsRounded::pack(const Share& share, float* sums) const {
  const Packed to = packed(share);
  std::fill_n(to.zeros, zeros(), 0.0f);
  for (int64_t row = 0; row < share.rows.size(); row += kPairLine) {
    const Range line{row, std::min(row + kPairLine, share.rows.size())};
    add_column_sums(share, line, sums);
    pack_panels(share, to, line);
    pack_columns(share, to, line);
  }
}

// A line of pairs of rows of all panels of dz, zero past the last row.
void WeightsRounded::pack_panels(const Share& share, const Packed& to, Range rows) const {
  const int64_t nr = kernel_.nr, end = std::min(share.cell.panels.end * nr_, op_.n);
  const float* const dz = op_.dz + (share.rows.begin + rows.begin) * op_.lddz;
  int64_t at = rows.begin / 2 * nr;
  for (int64_t column = share.cell.panels.begin * nr_; column < end; column += nr, at += panel_words()) {
    kernels_.bf16_round_panel({.rows = rows.size(),
                               .cols = std::min(nr, end - column),
                               .src = dz + column,
                               .ld = op_.lddz,
                               .width = nr,
                               .hi = to.dz_hi + at,
                               .lo = to.dz_lo ? to.dz_lo + at : nullptr});
    for (Word* const words : {to.dz_hi, to.dz_lo}) {
      if (words) std::fill(words + at + ceil_div(rows.size(), 2) * nr, words + at + kPairLine / 2 * nr, 0u);
    }
  }
}

// The same rows of all columns of x, transposed.
void WeightsRounded::pack_columns(const Share& share, const Packed& to, Range rows) const {
  kernels_.bf16_round_rows_transposed(
      {.rows = width(share.cell.rows),
       .cols = rows.size(),
       .src = op_.x + (share.rows.begin + rows.begin) * op_.ldx + share.cell.rows.begin * nr_,
       .ld = op_.ldx,
       .hi = to.x_hi + rows.begin,
       .lo = to.x_lo ? to.x_lo + rows.begin : nullptr,
       .ldr = stride()});
}

void WeightsRounded::multiply(const Share& share, Range block, Range panels, float beta, float* out,
                              int64_t ldo) const {
  const int64_t nr = nr_, width = this->width(block);
  const int64_t words = (panels.begin - share.cell.panels.begin) * together() * panel_words();
  const Packed from = packed(share);
  // As in fp32: one tile at a time writes dD along its rows.
  const int64_t strip = rows_first_ ? even_tile(width, kernel_.mr) : width;
  for (int64_t first = 0; first < width; first += strip, out += strip * ldo) {
    const int64_t at = ((block.begin - share.cell.rows.begin) * nr + first) * stride();
    kernel_({.rows = std::min(strip, width - first),
             .cols = std::min(panels.size() * nr, op_.n - panels.begin * nr),
             .k = round_up(share.rows.size(), kPairLine),
             .x_hi = from.x_hi + at,
             .x_lo = split() ? from.x_lo + at : nullptr,
             .ldx = stride(),
             .panels_hi = from.dz_hi + words,
             .panels_lo = split() ? from.dz_lo + words : nullptr,
             .panel_stride = panel_words(),
             .start = {},
             .partial = from.partial,
             .epilogue = {.residual = beta == 0 ? from.zeros : out,
                          .ld_residual = beta == 0 ? 0 : ldo,
                          .identity_scale = beta,
                          .activation = kIdentityActivation,
                          .y = out,
                          .ldy = ldo,
                          .fetch_y = true}});
  }
}

}  // namespace idelta::core
