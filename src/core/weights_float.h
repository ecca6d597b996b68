// x^T dz in fp32: one chain of multiply-adds an element, through the rows in order.
#ifndef IDELTA_CORE_WEIGHTS_FLOAT_H
#define IDELTA_CORE_WEIGHTS_FLOAT_H

#include "src/core/weights_product.h"

namespace idelta::core {

class WeightsFloat final : public WeightsProduct {
 public:
  // stored: dD goes to memory, not into the optimiser.
  WeightsFloat(const idelta_context& context, const WeightsOperands& operands, bool stored);

  int64_t workspace_floats() const override;
  void pack(int64_t index, float* memory) override;
  void multiply(int64_t task, Range block, Range panels, float beta, float* out, int64_t ldo) const override;
  bool few_rows() const override;
  Range few_rows_together(Range row_panels) const override {
    return rows_.packs_x ? first_block(row_panels) : row_panels;
  }
  Gradient few_rows_of(int64_t row_panel, int64_t panel) const override;

 private:
  // A matrix, or columns of one, with the distance between its rows.
  struct Strided {
    const float* data;
    int64_t stride;
  };

  // The rows that are at hand:
  //   dz:  panel p at  p * size * nr,  [row][nr], zero-padded
  //   x:   block b of dD's rows at  b * size * block_width,  [row][block_width], zero-padded
  // or as they lie, where packing costs more than it gives; a last panel of dz that is not whole is packed all the
  // same.
  struct Rows {
    int64_t size = 0;
    bool packs_x = false, packs_dz = false;
    float *packed_x = nullptr, *packed_dz = nullptr;
    Strided x{}, dz{};  // as they lie
  };

  int64_t block_width() const { return WeightsBlocks::kBlockPanels * kernels_.nr; }
  int64_t tile(Range block) const { return even_tile(width(block), low_tiles_ ? kernels_.wide_rows : kernels_.mr); }
  bool packs_panel(int64_t p) const { return rows_.packs_dz || panel_width(p) < kernels_.nr; }
  float* packed_panel(int64_t p) const { return rows_.packed_dz + p * rows_.size * kernels_.nr; }
  float* packed_block(int64_t b) const { return rows_.packed_x + b * rows_.size * block_width(); }
  // From panel p on; those that lie alike are panel_stride() apart.
  Strided panel(int64_t p) const {
    return packs_panel(p) ? Strided{packed_panel(p), kernels_.nr}
                          : Strided{rows_.dz.data + p * kernels_.nr, rows_.dz.stride};
  }
  int64_t panel_stride() const { return rows_.packs_dz ? rows_.size * kernels_.nr : kernels_.nr; }
  Strided columns(Range block, int64_t offset) const;
  Range first_group(Range panels) const;

  void pack_panel(int64_t panel, Range rows) const;
  void pack_block(int64_t block, Range rows) const;
  void multiply_tile(Range rows, Range block, Range columns, Range panels, float beta, float* out, int64_t ldo) const;

  WeightsBlocks cut_;
  bool low_tiles_;
  Rows rows_;
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_WEIGHTS_FLOAT_H
