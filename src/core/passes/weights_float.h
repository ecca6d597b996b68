// x^T dz in fp32: one chain of multiply-adds an element, through the rows in order.
#ifndef IDELTA_CORE_PASSES_WEIGHTS_FLOAT_H
#define IDELTA_CORE_PASSES_WEIGHTS_FLOAT_H

#include "src/core/passes/weights_product.h"

namespace idelta::core {

class WeightsFloat final : public WeightsProduct {
 public:
  WeightsFloat(const idelta_context& context, const WeightsOperands& operands, Sink sink);

  void pack(const Share& share, float* sums) const override;
  void multiply(const Share& share, Range block, Range panels, float beta, float* out, int64_t ldo) const override;
  bool few_rows() const override;
  Range few_rows_together(Range row_panels) const override { return packs_x_ ? first_block(row_panels) : row_panels; }
  Gradient few_rows_of(const Share& share, int64_t row_panel, int64_t panel) const override;

 private:
  // A matrix, or columns of one, with the distance between its rows.
  struct Strided {
    const float* data;
    int64_t stride;
  };

  // A share's memory, for the blocks of x and then the panels of dz in its cell:
  //   x:   block after block,  [row][block_width], zero-padded
  //   dz:  panel after panel,  [row][nr], zero-padded
  // Both may be used as they lie instead, where packing costs more than it gives; a last panel of dz that is not whole
  // is packed all the same.
  int64_t task_floats() const override { return x_floats_ + dz_floats_; }
  int64_t most_blocks() const;
  float* packed_block(const Share& share, int64_t block) const;
  float* packed_panel(const Share& share, int64_t panel) const;
  void pack_dz(const Share& share, Range rows) const;
  void pack_x(const Share& share, Range rows) const;
  void pack_columns(const Share& share, Range rows, Range panels, Strided from, int64_t width, float* to) const;

  int64_t block_width() const { return WeightsBlocks::kBlockPanels * nr_; }
  int64_t tile(Range block) const {
    return even_tile(width(block), low_tiles_ ? kernels_.f32_weights.few_rows : kernels_.f32_weights.mr);
  }
  int64_t first_packed_panel() const { return packs_dz_ ? 0 : op_.n / nr_; }
  // From the offset-th column of a block of x on.
  Strided columns(const Share& share, Range block, int64_t offset) const;
  // From panel p of dz on; those that lie alike are panel_stride() apart.
  Strided panel(const Share& share, int64_t p) const;
  int64_t panel_stride(const Share& share) const { return packs_dz_ ? share.rows.size() * nr_ : nr_; }
  Range first_group(Range panels) const;

  void multiply_tile(const Share& share, Range rows, Range block, Range columns, Range panels, float beta, float* out,
                     int64_t ldo) const;

  WeightsBlocks cut_;
  bool low_tiles_, packs_dz_;
  bool packs_x_ = false, past_l2_ = false;
  int64_t x_floats_ = 0, dz_floats_ = 0;  // room for both, whatever ldx
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_PASSES_WEIGHTS_FLOAT_H
