#include "src/core/passes/weights_float.h"

namespace idelta::core {
namespace {

// dD with shorter rows is square enough to be in L1. Longer ones are fetched, unless dD is written along them: then the
// hardware has fetched them, and doing it again took 1 to 10 % (m = 128 to 1, Zen 5, 2026-11).
constexpr int64_t kLongRows = 96;

template <class Kernel>
TileShape tile_of(const Kernel& kernel) {
  return {kernel.mr, kernel.nr};
}

}  // namespace

WeightsFloat::WeightsFloat(const idelta_context& context, const WeightsOperands& operands, Sink sink)
    : WeightsProduct(context, operands, sink, weights_multiply_adds(operands)),
      cut_(weights_blocks(context.caches, tile_of(kernels_.f32_weights), operands.m, operands.n, packed_columns())),
      low_tiles_(cut_.low_tiles && sink == Sink::kMemory),
      packs_dz_(cut_.pack ||
                columns_collide(context.caches, tile_of(kernels_.f32_weights), operands.m, operands.n, operands.lddz)) {
  block_rows_ = cut_.mb;
  const bool steps = sink != Sink::kMemory && few_rows();  // f32_optimizer_step multiplies the columns of x
  const TileShape tile = steps ? tile_of(kernels_.f32_optimizer_step) : tile_of(kernels_.f32_weights);
  packs_x_ = columns_collide(context.caches, tile, operands.m, operands.n, operands.ldx);
  if (!packs_x_) cut_.kb = std::min(cut_.kb, uncrowded_rows(context.caches, most_rows(), operands.ldx));
  x_floats_ = most_rows() * most_blocks() * block_width();
  dz_floats_ = most_rows() * most_panels() * nr_;
  past_l2_ = packs_x_ && packs_dz_ && pack_past_l2(context.caches, operands.m, operands.n, packed_columns()) &&
             (sink == Sink::kMemory || row_blocks() > 1);  // a gradient that is used at once needs no memory
  if (past_l2_) block_rows_ = even_tile(operands.m, std::min(cut_.mb, kNearRows));
}

// A cell may begin and end within a block.
int64_t WeightsFloat::most_blocks() const {
  constexpr int64_t kPanels = WeightsBlocks::kBlockPanels;
  return std::min(ceil_div(panels(), kPanels), ceil_div(most_row_panels() + kPanels - 1, kPanels));
}

float* WeightsFloat::packed_block(const Share& share, int64_t block) const {
  const int64_t first = share.cell.rows.begin / WeightsBlocks::kBlockPanels;
  return share.memory + (block - first) * share.rows.size() * block_width();
}

float* WeightsFloat::packed_panel(const Share& share, int64_t panel) const {
  return share.memory + x_floats_ + (panel - share.cell.panels.begin) * share.rows.size() * nr_;
}

void WeightsFloat::pack(const Share& share, float* sums) const {
  // A few, so that the ends of the panels they go to stay in L1, as do the next ones that are fetched.
  const int64_t group = past_l2_ ? 4 : 16;
  for (int64_t row = 0; row < share.rows.size(); row += group) {
    const Range few{row, std::min(row + group, share.rows.size())};
    add_column_sums(share, few, sums);
    pack_dz(share, few);
    if (packs_x_) pack_x(share, few);
  }
}

void WeightsFloat::pack_dz(const Share& share, Range rows) const {
  const Range panels{std::max(share.cell.panels.begin, first_packed_panel()), share.cell.panels.end};
  if (panels.size() <= 0) return;
  pack_columns(share, rows, panels, {op_.dz, op_.lddz}, nr_, packed_panel(share, panels.begin));
}

// Blocks of one tile's columns each: 1 % faster to 9 % slower (AVX2, Zen 5, 2026-11).
void WeightsFloat::pack_x(const Share& share, Range rows) const {
  constexpr int64_t kPanels = WeightsBlocks::kBlockPanels;
  const Range blocks{share.cell.rows.begin / kPanels, ceil_div(share.cell.rows.end, kPanels)};
  pack_columns(share, rows, blocks, {op_.x, op_.ldx}, block_width(), packed_block(share, blocks.begin));
}

void WeightsFloat::pack_columns(const Share& share, Range rows, Range panels, Strided from, int64_t width,
                                float* to) const {
  const int64_t first = panels.begin * width, last = std::min(panels.end * width, op_.n);
  kernels_.f32_pack_panel({.rows = rows.size(),
                           .cols = last - first,
                           .src = from.data + (share.rows.begin + rows.begin) * from.stride + first,
                           .ld = from.stride,
                           .width = width,
                           .dst = to + rows.begin * width,
                           .panel_stride = share.rows.size() * width,
                           .ahead = past_l2_ && rows.end < share.rows.size() ? rows.size() * from.stride : 0});
}

WeightsFloat::Strided WeightsFloat::columns(const Share& share, Range block, int64_t offset) const {
  const int64_t column = block.begin * nr_ + offset, b = block.begin / WeightsBlocks::kBlockPanels;
  return packs_x_ ? Strided{packed_block(share, b) + column - b * block_width(), block_width()}
                  : Strided{op_.x + share.rows.begin * op_.ldx + column, op_.ldx};
}

WeightsFloat::Strided WeightsFloat::panel(const Share& share, int64_t p) const {
  return p >= first_packed_panel() ? Strided{packed_panel(share, p), nr_}
                                   : Strided{op_.dz + share.rows.begin * op_.lddz + p * nr_, op_.lddz};
}

// The panels that a tile is given at once: those that lie one beside the other if dD goes by rows, else one.
Range WeightsFloat::first_group(Range panels) const {
  const int64_t whole = packs_dz_ ? this->panels() : op_.n / nr_;  // a last one that is cut is packed apart
  const bool together = cut_.rows_first && panels.begin < whole;
  return {panels.begin, together ? std::min(panels.end, whole) : std::min(panels.begin + 1, panels.end)};
}

void WeightsFloat::multiply(const Share& share, Range block, Range panels, float beta, float* out, int64_t ldo) const {
  const int64_t tile = this->tile(block), width = this->width(block);
  // Every panel of dz serves all tiles of the block while it is in L1; but if all of dz is in cache, dD is written
  // along its rows, as the way to memory likes it.
  const int64_t strip = cut_.rows_first ? tile : width;
  for (int64_t row = 0; row == 0 || row < share.rows.size(); row += cut_.kb, beta = 1) {
    const Range rows{row, std::min(row + cut_.kb, share.rows.size())};
    for (int64_t first = 0; first < width; first += strip) {
      const int64_t last = std::min(first + strip, width);
      for (Range group = first_group(panels); group.size() > 0; group = first_group({group.end, panels.end})) {
        float* const corner = out + (group.begin - panels.begin) * nr_;
        for (int64_t offset = first; offset < last; offset += tile) {
          multiply_tile(share, rows, block, {offset, std::min(offset + tile, last)}, group, beta, corner + offset * ldo,
                        ldo);
        }
      }
    }
    if (cut_.kb == 0) return;  // no rows: only beta out
  }
}

// Their products are over before packs and state have come from memory, and D is walked on end: half the time at m = 1,
// a tenth less at 32 (Zen 5, 2026-11).
bool WeightsFloat::few_rows() const { return row_blocks() == 1 && op_.m <= kernels_.f32_optimizer_step.few_rows; }

Gradient WeightsFloat::few_rows_of(const Share& share, int64_t row_panel, int64_t panel) const {
  const Strided lhs = columns(share, {row_panel, row_panel + 1}, 0), rhs = this->panel(share, panel);
  return {.m = share.rows.size(), .lhs = lhs.data, .lhs_stride = lhs.stride, .rhs = rhs.data, .rhs_stride = rhs.stride};
}

// Fetching some lines of the rows that are packed next, between tiles: 2 % faster to 5 % slower; rows of x as they lie,
// to L2 before the first tile: -1 to -2 % (AVX2 and AVX-512, Zen 5, 2026-11).
void WeightsFloat::multiply_tile(const Share& share, Range rows, Range block, Range columns, Range panels, float beta,
                                 float* out, int64_t ldo) const {
  const Strided lhs = this->columns(share, block, columns.begin), rhs = panel(share, panels.begin);
  kernels_.f32_weights({.rows = columns.size(),
                        .cols = std::min(panels.size() * nr_, op_.n - panels.begin * nr_),
                        .m = rows.size(),
                        .lhs = lhs.data + rows.begin * lhs.stride,
                        .lhs_stride = lhs.stride,
                        .rhs = rhs.data + rows.begin * rhs.stride,
                        .rhs_stride = rhs.stride,
                        .rhs_panel_stride = panel_stride(share),
                        .beta = beta,
                        .out = out,
                        .ldo = ldo,
                        .fetch_operands = rows.size() > kNearRows,
                        .fetch_out = ldo >= kLongRows && !cut_.rows_first});
}

}  // namespace idelta::core
