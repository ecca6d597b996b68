// x^T dz with x and dz rounded to bf16, or split in two: bf16_dot, or bf16x3_dot, of the rows of x^T and panels of dz.
#ifndef IDELTA_CORE_WEIGHTS_ROUNDED_H
#define IDELTA_CORE_WEIGHTS_ROUNDED_H

#include "src/core/formats.h"
#include "src/core/weights_product.h"

namespace idelta::core {

// Whether the format asked for rounds these operands; if not, they are multiplied in fp32.
bool rounds_weights(const idelta_context& context, const WeightsOperands& operands);

class WeightsRounded final : public WeightsProduct {
 public:
  WeightsRounded(const idelta_context& context, const WeightsOperands& operands);

  int64_t workspace_floats() const override;
  void pack(int64_t index, float* memory) override;
  void multiply(int64_t task, Range block, Range panels, float beta, float* out, int64_t ldo) const override;

 private:
  // hi, and lo if it is asked for, of what is at hand, zero-padded to `steps` rows:
  //   dz:  panel p at  p * panel_words(),  words [row / 2][nr]
  //   x:   column c at  c * stride(),  [row]
  struct Packed {
    int64_t steps = 0;
    uint16_t *x_hi = nullptr, *x_lo = nullptr;
    uint32_t *dz_hi = nullptr, *dz_lo = nullptr;
    float* partial = nullptr;  // partial_floats() a task
    float* zeros = nullptr;    // a row of dD, in its place where it must not be read
  };

  bool split() const { return op_.format == IDELTA_FORMAT_BF16X3; }
  int64_t planes() const { return planes_of(op_.format); }
  int64_t most_steps() const;
  int64_t stride() const;
  int64_t x_words() const;   // of one plane
  int64_t dz_words() const;  // likewise
  int64_t panel_words() const { return most_steps() / 2 * kernels_.nr; }
  int64_t partial_floats() const;
  int64_t zeros() const { return panels() * kernels_.nr; }

  void pack_panel(const float* dz, int64_t panel, Range rows) const;
  void pack_columns(const float* x, int64_t column, Range rows) const;

  Packed packed_;
  bool rows_first_;
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_WEIGHTS_ROUNDED_H
