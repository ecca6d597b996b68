#include "src/core/weights_float.h"

namespace idelta::core {
namespace {

// dD with shorter rows is square enough to be in L1; else fetching it doubles the speed of m = 1.
constexpr int64_t kLongRows = 96;

WeightsBlocks blocks_for(const idelta_context& context, const WeightsOperands& o) {
  return weights_blocks(context.caches, context.tile(), o.m, o.n);
}

}  // namespace

WeightsFloat::WeightsFloat(const idelta_context& context, const WeightsOperands& operands, bool stored)
    : WeightsProduct(context, operands, blocks_for(context, operands).mb, weights_multiply_adds(operands)),
      cut_(blocks_for(context, operands)),
      low_tiles_(cut_.low_tiles && stored) {}

int64_t WeightsFloat::workspace_floats() const {
  return 2 * cut_.mb * round_up(panels(), WeightsBlocks::kBlockPanels) * kernels_.nr;
}

void WeightsFloat::pack(int64_t index, float* memory) {
  const Range rows = this->rows(index);
  rows_ = {.size = rows.size(),
           .packs_x = columns_collide(context_.caches, context_.tile(), op_.m, op_.n, op_.ldx),
           .packs_dz = cut_.pack || columns_collide(context_.caches, context_.tile(), op_.m, op_.n, op_.lddz),
           .packed_x = memory,
           .packed_dz = memory + workspace_floats() / 2,
           .x = {op_.x + rows.begin * op_.ldx, op_.ldx},
           .dz = {op_.dz + rows.begin * op_.lddz, op_.lddz}};
  constexpr int64_t kRows = 16;  // a few, so that the ends of the panels they go to stay in L1
  each_part(rows.size(), kRows, [&](Range few, Range panels) {
    for (int64_t p = panels.begin; p < panels.end; ++p) pack_panel(p, few);
    for (int64_t p = panels.begin; p < panels.end && rows_.packs_x; p += WeightsBlocks::kBlockPanels) {
      pack_block(p / WeightsBlocks::kBlockPanels, few);
    }
  });
}

void WeightsFloat::pack_panel(int64_t panel, Range rows) const {
  if (!packs_panel(panel)) return;
  kernels_.f32_pack_panel({.rows = rows.size(),
                           .cols = panel_width(panel),
                           .src = rows_.dz.data + rows.begin * rows_.dz.stride + panel * kernels_.nr,
                           .ld = rows_.dz.stride,
                           .width = kernels_.nr,
                           .dst = packed_panel(panel) + rows.begin * kernels_.nr});
}

void WeightsFloat::pack_block(int64_t block, Range rows) const {
  const int64_t width = block_width(), column = block * width;
  kernels_.f32_pack_panel({.rows = rows.size(),
                           .cols = std::min(width, op_.n - column),
                           .src = rows_.x.data + rows.begin * rows_.x.stride + column,
                           .ld = rows_.x.stride,
                           .width = width,
                           .dst = packed_block(block) + rows.begin * width});
}

// Of a block, from the offset-th column on.
WeightsFloat::Strided WeightsFloat::columns(Range block, int64_t offset) const {
  const int64_t column = block.begin * kernels_.nr + offset, b = block.begin / WeightsBlocks::kBlockPanels;
  return rows_.packs_x ? Strided{packed_block(b) + column - b * block_width(), block_width()}
                       : Strided{rows_.x.data + column, rows_.x.stride};
}

// The panels that a tile is given at once: those that lie one beside the other if dD goes by rows, else one.
Range WeightsFloat::first_group(Range panels) const {
  const int64_t whole =
      rows_.packs_dz ? this->panels() : op_.n / kernels_.nr;  // a last one that is cut is packed apart
  const bool together = cut_.rows_first && panels.begin < whole;
  return {panels.begin, together ? std::min(panels.end, whole) : std::min(panels.begin + 1, panels.end)};
}

void WeightsFloat::multiply(int64_t, Range block, Range panels, float beta, float* out, int64_t ldo) const {
  const int64_t tile = this->tile(block), width = this->width(block);
  // Every panel of dz serves all tiles of the block while it is in L1; but if all of dz is in cache, dD is written
  // along its rows, as the way to memory likes it.
  const int64_t strip = cut_.rows_first ? tile : width;
  for (int64_t row = 0; row == 0 || row < rows_.size; row += cut_.kb, beta = 1) {
    const Range rows{row, std::min(row + cut_.kb, rows_.size)};
    for (int64_t first = 0; first < width; first += strip) {
      const int64_t last = std::min(first + strip, width);
      for (Range group = first_group(panels); group.size() > 0; group = first_group({group.end, panels.end})) {
        float* const corner = out + (group.begin - panels.begin) * kernels_.nr;
        for (int64_t offset = first; offset < last; offset += tile) {
          multiply_tile(rows, block, {offset, std::min(offset + tile, last)}, group, beta, corner + offset * ldo, ldo);
        }
      }
    }
    if (cut_.kb == 0) return;  // no rows: only beta out
  }
}

// Their products are over before packs and state have come from memory, and D is walked on end: half the time at m = 1,
// a tenth less at 32 (Zen 5, 2026-11).
bool WeightsFloat::few_rows() const { return row_blocks() == 1 && op_.m <= kernels_.few_rows; }

Gradient WeightsFloat::few_rows_of(int64_t row_panel, int64_t panel) const {
  const Strided lhs = columns({row_panel, row_panel + 1}, 0), rhs = this->panel(panel);
  return {.m = rows_.size, .lhs = lhs.data, .lhs_stride = lhs.stride, .rhs = rhs.data, .rhs_stride = rhs.stride};
}

void WeightsFloat::multiply_tile(Range rows, Range block, Range columns, Range panels, float beta, float* out,
                                 int64_t ldo) const {
  const Strided lhs = this->columns(block, columns.begin), rhs = panel(panels.begin);
  kernels_.f32_weights({.rows = columns.size(),
                        .cols = std::min(panels.size() * kernels_.nr, op_.n - panels.begin * kernels_.nr),
                        .m = rows.size(),
                        .lhs = lhs.data + rows.begin * lhs.stride,
                        .lhs_stride = lhs.stride,
                        .rhs = rhs.data + rows.begin * rhs.stride,
                        .rhs_stride = rhs.stride,
                        .rhs_panel_stride = panel_stride(),
                        .beta = beta,
                        .out = out,
                        .ldo = ldo,
                        .fetch_out = ldo >= kLongRows});
}

}  // namespace idelta::core
