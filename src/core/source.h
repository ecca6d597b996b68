// The rows of forward and backward_data in fp32, where the kernels find them: as they are given, in dz = dy act'(y) if
// that is wanted, or in a copy; and the epilogue that reads them again. Inline: a call of one row of 64 is a thousand
// instructions altogether.
#ifndef IDELTA_CORE_SOURCE_H
#define IDELTA_CORE_SOURCE_H

#include "src/core/forward.h"

namespace idelta::core {

// dst = dy act'(y) for rows [range).
inline CopyRows gradient_step(const Rows& rows, Range range, int64_t n, float* dst, int64_t ldd) {
  return {.rows = range.size(),
          .cols = n,
          .src = rows.src + range.begin * rows.ld,
          .ld = rows.ld,
          .dst = dst,
          .ldd = ldd,
          .y = rows.y + range.begin * rows.ldy,
          .ldy = rows.ldy,
          .gradient = rows.gradient};
}

class Source {
 public:
  // Row stride of a copy: an odd number of lines, so that the rows of a tile spread over all sets of L1.
  static int64_t copy_stride(int64_t n) { return (ceil_div(n, kLine) | 1) * kLine; }

  // Fills in the epilogue's residual, which are these rows, and fetch_y.
  Source(const idelta_context& context, int64_t m, int64_t n, const Rows& rows, Epilogue& epilogue)
      : kernels_(context.kernels),
        m_(m),
        n_(n),
        rows_(rows),
        epilogue_(epilogue),
        stride_(copy_stride(n)),
        copied_(rows.y && !rows.dz) {
    epilogue.residual = rows.dz ? rows.dz : rows.src;
    epilogue.ld_residual = rows.dz ? rows.lddz : rows.ld;
    epilogue.fetch_y = far_outputs(context.caches, m, n);
  }

  // The same rows from the last to the first: see Backwards.
  Source(const Source& forwards, const Rows& rows, const Epilogue& epilogue)
      : kernels_(forwards.kernels_),
        m_(forwards.m_),
        n_(forwards.n_),
        rows_(rows),
        epilogue_(epilogue),
        stride_(forwards.stride_),
        copied_(forwards.copied_) {}

  // For kernels that multiply these rows, not what is rounded from them: they are copied if y overwrites them or their
  // stride crowds L1. As they lie is worth 2 % at n = 512 and 10 % at n = 64 (Zen 5, 2026-11).
  void copy_for_multiplying() {
    copied_ = copied_ || epilogue_.y == epilogue_.residual || rows_collide(m_, epilogue_.ld_residual);
  }

  bool needs_preparation() const { return rows_.y || copied_; }

  // Some of the rows, and where copies of them go, should there be any.
  struct Block {
    Range rows;
    float* copy;
  };

  // Makes rows [range) of a block.
  void prepare(const Block& block, Range range) const {
    float* const copy = block.copy + (range.begin - block.rows.begin) * stride_;
    if (rows_.y && !rows_.dz) return kernels_.f32_copy_rows(gradient_step(rows_, range, n_, copy, stride_));
    if (rows_.y) {
      float* const dz = rows_.dz + range.begin * rows_.lddz;
      kernels_.f32_copy_rows(gradient_step(rows_, range, n_, dz, rows_.lddz));
    }
    if (!copied_) return;
    kernels_.f32_copy_rows({.rows = range.size(),
                            .cols = n_,
                            .src = epilogue_.residual + range.begin * epilogue_.ld_residual,
                            .ld = epilogue_.ld_residual,
                            .dst = copy,
                            .ldd = stride_});
  }

  // Where a block's row is, once it is made.
  const float* at(const Block& block, int64_t row) const {
    return copied_ ? block.copy + row * stride_ : epilogue_.residual + (block.rows.begin + row) * epilogue_.ld_residual;
  }
  int64_t ld() const { return copied_ ? stride_ : epilogue_.ld_residual; }

  // The epilogue from a block's row and from a column on.
  Epilogue epilogue(const Block& block, int64_t row, int64_t column) const {
    Epilogue epilogue = epilogue_.from(block.rows.begin + row, column);
    epilogue.residual = at(block, row) + column;
    epilogue.ld_residual = ld();
    return epilogue;
  }

  const Rows& rows() const { return rows_; }
  const Epilogue& epilogue() const { return epilogue_; }
  int64_t last() const { return m_ - 1; }

 private:
  const KernelTable& kernels_;
  int64_t m_, n_;
  const Rows& rows_;
  const Epilogue& epilogue_;
  int64_t stride_;  // of copies
  bool copied_;
};

// A source whose row 0 is the last one of another, and so on: all strides are negative.
class Backwards {
 public:
  explicit Backwards(const Source& forwards)
      : rows_(from_last(forwards.rows(), forwards.last())),
        epilogue_(from_last(forwards.epilogue(), forwards.last())),
        source_(forwards, rows_, epilogue_) {}
  Backwards(const Backwards&) = delete;
  Backwards& operator=(const Backwards&) = delete;

  const Source& source() const { return source_; }

 private:
  static Rows from_last(Rows rows, int64_t last) {
    rows.src += last * rows.ld;
    if (rows.y) rows.y += last * rows.ldy;
    if (rows.dz) rows.dz += last * rows.lddz;
    rows.ld = -rows.ld, rows.ldy = -rows.ldy, rows.lddz = -rows.lddz;
    return rows;
  }
  static Epilogue from_last(Epilogue epilogue, int64_t last) {
    epilogue.advance(last, 0);
    epilogue.ld_residual = -epilogue.ld_residual, epilogue.ldy = -epilogue.ldy, epilogue.ldc = -epilogue.ldc;
    return epilogue;
  }

  Rows rows_;
  Epilogue epilogue_;
  Source source_;
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_SOURCE_H
