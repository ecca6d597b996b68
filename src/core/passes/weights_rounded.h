// x^T dz with x and dz rounded to bf16, or split in two: bf16_dot, or bf16x3_dot, of the rows of x^T and panels of dz.
#ifndef IDELTA_CORE_PASSES_WEIGHTS_ROUNDED_H
#define IDELTA_CORE_PASSES_WEIGHTS_ROUNDED_H

#include "src/core/passes/weights_product.h"

namespace idelta::core {

// Whether these operands are rounded; if not, they are multiplied in fp32.
bool rounds_weights(const WeightsOperands& operands);

class WeightsRounded final : public WeightsProduct {
 public:
  WeightsRounded(const idelta_context& context, const WeightsOperands& operands, Sink sink);

  void pack(const Share& share, float* sums) const override;
  void multiply(const Share& share, Range block, Range panels, float beta, float* out, int64_t ldo) const override;

 private:
  // hi, and lo if it is asked for, of what is in a share's cell, zero-padded to whole lines of pairs of rows:
  //   dz:  panel after panel,   panel_words() each, words [row / 2][kernel's nr]; together() of them make one of dD
  //   x:   column after column, stride() each,      [row]
  struct Packed {
    Word *dz_hi, *dz_lo;
    uint16_t *x_hi, *x_lo;
    float* partial;  // partial_floats()
    float* zeros;    // a row of dD, in its place where it must not be read
  };

  int64_t task_floats() const override;
  Packed packed(const Share& share) const;

  bool split() const { return op_.planes == 2; }
  int64_t planes() const { return op_.planes; }
  int64_t most_steps() const { return round_up(most_rows(), kPairLine); }
  // An odd number of lines, so that the rows of a tile spread over all sets of L1.
  int64_t stride() const { return (most_steps() / kPairLine | 1) * kPairLine; }
  int64_t panel_words() const { return most_steps() / 2 * kernel_.nr; }
  int64_t together() const { return nr_ / kernel_.nr; }
  int64_t x_words() const { return (most_row_panels() * nr_ + kernel_.rows_past_last) * stride() / 2; }  // of one plane
  int64_t dz_words() const { return most_panels() * together() * panel_words(); }                        // likewise
  int64_t partial_floats() const;
  int64_t zeros() const { return most_panels() * nr_; }

  void pack_panels(const Share& share, const Packed& to, Range rows) const;
  void pack_columns(const Share& share, const Packed& to, Range rows) const;

  const Kernel<Bf16Block>& kernel_;
  bool rows_first_;
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_PASSES_WEIGHTS_ROUNDED_H
