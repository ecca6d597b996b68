// Multiplies rows that are rounded to integers with panels of integers: INT8, and the tail of LOW_RANK. A row that is
// not finite, or so small that its scale is not a normal number, is multiplied in fp32 with D~ = s q instead.
#ifndef IDELTA_CORE_FORMATS_INT8_PRODUCT_H
#define IDELTA_CORE_FORMATS_INT8_PRODUCT_H

#include "src/core/context.h"
#include "src/core/formats/multiplication.h"
#include "src/core/formats/multiply_rows.h"
#include "src/core/formats/panels.h"

namespace idelta::core {

using Int8Kernel = Kernel<Int8Block>;

// Products of integers that take as long as one of fp32, for the choice of a number of threads.
inline constexpr double kIntegersFaster = 3;

// Where the integers of a block of rows are in RowBlock::prepared: copies in fp32, then scales, then bytes.
class IntegerRows {
 public:
  IntegerRows() = default;
  IntegerRows(const Int8Kernel& kernel, int64_t rows, int64_t k)
      : copy_(copy_stride(k)),
        stride_(odd_lines(k, kQuadLine)),
        scales_(rows * copy_),
        bytes_(scales_ + round_up(rows, kLine)),
        floats_(bytes_ + (rows + kernel.rows_past_last) * stride_ / static_cast<int64_t>(sizeof(float))) {}

  int64_t floats() const { return floats_; }
  int64_t copy_ld() const { return copy_; }
  int64_t stride() const { return stride_; }  // bytes
  // Of a block's row, from its first one on.
  float* copy(const RowBlock& block, int64_t row) const { return block.prepared + place(block, row) * copy_; }
  float* scales(const RowBlock& block, int64_t row) const { return block.prepared + scales_ + place(block, row); }
  uint8_t* bytes(const RowBlock& block, int64_t row) const {
    return reinterpret_cast<uint8_t*>(block.prepared + bytes_) + place(block, row) * stride_;
  }

 private:
  static int64_t place(const RowBlock& block, int64_t row) { return block.rows.begin - block.first + row; }

  int64_t copy_ = 0, stride_ = 0;  // of a row in floats, in bytes
  int64_t scales_ = 0, bytes_ = 0, floats_ = 0;
};

// Floats that a task needs beside the rows: a panel of D~ in fp32, and the kernel's own sums.
int64_t integers_partial(const idelta_context& context, int64_t rows, int64_t k);

// See multiply_rows().
struct Int8Product {
  const idelta_context& context;
  const Panels& panels;
  const IntegerRows& integers;
  const RowErrors& errors;

  void prepare(const RowBlock& block) const {
    round(block, {.rows = block.rows, .x = block.at, .ldx = block.ld, .n = panels.k()});
  }
  void multiply(const RowBlock& block, Range columns, float* partial) const {
    multiply(block, columns, block.start.from(0, columns.begin), partial);
  }

  // Rounds the block's rows, copies those that need fp32, and writes the rows' errors, of which `all` has the rest.
  void round(const RowBlock& block, const RowParts& all) const;
  // start: of the first of `columns`, row-major.
  void multiply(const RowBlock& block, Range columns, const Sums& start, float* partial) const;

 private:
  void multiply_integers(const RowBlock& block, Range columns, const Sums& start, float* partial) const;
  void multiply_in_fp32(const RowBlock& block, Range columns, const Sums& start, float* partial) const;
};

// The workspace of multiply_integers() for m >= 1 rows and any B of k x cols.
size_t integers_workspace_bytes(const idelta_context& context, const ProductSize& size);

void multiply_integers(const idelta_context& context, const Panels& panels, Multiplication& call);

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_INT8_PRODUCT_H
