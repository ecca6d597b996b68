// The rows of a multiplication in fp32, where the kernels find them: as they are given, in dz = dy act'(y) if that is
// wanted, or in a copy; and the epilogue, which mostly reads them again. Inline: a call of one row of 64 is a thousand
// instructions altogether.
#ifndef IDELTA_CORE_FORMATS_SOURCE_H
#define IDELTA_CORE_FORMATS_SOURCE_H

#include "src/core/context.h"
#include "src/core/formats/multiplication.h"

namespace idelta::core {

// dst = dy act'(y) for rows [range), k wide.
inline CopyRows gradient_step(const Rows& rows, Range range, int64_t k, float* dst, int64_t ldd) {
  return {.rows = range.size(),
          .cols = k,
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
  static int64_t copy_stride(int64_t k) { return (ceil_div(k, kLine) | 1) * kLine; }

  // Rows of k, outputs of `cols`. Fills in the epilogue's residual where it is these rows, and fetch_y.
  Source(const idelta_context& context, Multiplication& call, int64_t k, int64_t cols)
      : kernels_(context.kernels),
        call_(call),
        k_(k),
        rows_(call.rows.dz ? call.rows.dz : call.rows.src),
        ld_(call.rows.dz ? call.rows.lddz : call.rows.ld),
        stride_(copy_stride(k)),
        copied_(call.rows.y && !call.rows.dz),
        own_residual_(!call.epilogue.residual) {
    if (own_residual_) call.epilogue.residual = rows_, call.epilogue.ld_residual = ld_;
    call.epilogue.fetch_y = far_outputs(context.caches, call.m, cols);
  }

  // The same from another call, which reads `forwards` from the last row to the first: see Backwards.
  Source(const Source& forwards, const Multiplication& call)
      : kernels_(forwards.kernels_),
        call_(call),
        k_(forwards.k_),
        rows_(call.rows.dz ? call.rows.dz : call.rows.src),
        ld_(-forwards.ld_),
        stride_(forwards.stride_),
        copied_(forwards.copied_),
        own_residual_(forwards.own_residual_) {}

  // For kernels that multiply these rows, not what is rounded from them: they are copied if their stride crowds L1, or
  // if y overwrites them before all of a row's products are made. As they lie is worth 2 % at n = 512 and 10 % at n =
  // 64 (Zen 5, 2026-11).
  void copy_where_rows_collide() { copied_ = copied_ || rows_collide(call_.m, ld_); }
  void copy_where_overwritten() { copied_ = copied_ || call_.epilogue.y == rows_; }

  bool needs_preparation() const { return call_.rows.y || copied_; }

  // Some of the rows, and where copies of them go, should there be any.
  struct Block {
    Range rows;
    float* copy;
  };

  // Makes rows [range) of a block.
  void prepare(const Block& block, Range range) const {
    const Rows& rows = call_.rows;
    float* const copy = block.copy + (range.begin - block.rows.begin) * stride_;
    if (rows.y && !rows.dz) return kernels_.f32_copy_rows(gradient_step(rows, range, k_, copy, stride_));
    if (rows.y) {
      kernels_.f32_copy_rows(gradient_step(rows, range, k_, rows.dz + range.begin * rows.lddz, rows.lddz));
    }
    if (!copied_) return;
    kernels_.f32_copy_rows(
        {.rows = range.size(), .cols = k_, .src = rows_ + range.begin * ld_, .ld = ld_, .dst = copy, .ldd = stride_});
  }

  // Of rows [range) by themselves, where they are wanted: before any of their outputs, which may lie over them.
  void write_row_errors(Range range) const {
    const RowErrors& errors = call_.errors;
    if (errors.wanted()) errors.write(kernels_, range, rows_ + range.begin * ld_, ld_, k_);
  }

  // Where a block's row is, once it is made.
  const float* at(const Block& block, int64_t row) const {
    return copied_ ? block.copy + row * stride_ : rows_ + (block.rows.begin + row) * ld_;
  }
  int64_t ld() const { return copied_ ? stride_ : ld_; }

  // The epilogue from a block's row and from a column on.
  Epilogue epilogue(const Block& block, int64_t row, int64_t column) const {
    Epilogue epilogue = call_.epilogue.from(block.rows.begin + row, column);
    if (!own_residual_) return epilogue;
    epilogue.residual = at(block, row) + column;
    epilogue.ld_residual = ld();
    return epilogue;
  }

  // The sums that the call goes on from, likewise; nr columns a panel.
  Sums start(const Block& block, int64_t row, int64_t column, int64_t nr) const {
    if (!call_.start.at) return {};
    return {const_cast<float*>(call_.start.at) + (block.rows.begin + row) * call_.start.ld + column, call_.start.ld,
            nr};
  }

  // What tiles fetch meanwhile: the rows `next`.
  template <class Ahead>
  void fetch(Ahead& ahead, const Block& /*block*/, Range next) const {
    ahead.rows(call_.rows, next, k_);
  }

  const Multiplication& call() const { return call_; }

 private:
  const KernelTable& kernels_;
  const Multiplication& call_;
  int64_t k_;
  const float* rows_;  // as they are multiplied, unless copied
  int64_t ld_;
  int64_t stride_;  // of copies
  bool copied_, own_residual_;
};

// A source whose row 0 is the last one of another, and so on: all strides are negative.
class Backwards {
 public:
  explicit Backwards(const Source& forwards) : call_(from_last(forwards.call())), source_(forwards, call_) {}
  Backwards(const Backwards&) = delete;
  Backwards& operator=(const Backwards&) = delete;

  const Source& source() const { return source_; }

 private:
  static Multiplication from_last(Multiplication call) {
    const int64_t last = call.m - 1;
    Rows& rows = call.rows;
    rows.src += last * rows.ld;
    if (rows.y) rows.y += last * rows.ldy;
    if (rows.dz) rows.dz += last * rows.lddz;
    rows.ld = -rows.ld, rows.ldy = -rows.ldy, rows.lddz = -rows.lddz;
    Epilogue& epilogue = call.epilogue;
    epilogue.advance(last, 0);
    epilogue.ld_residual = -epilogue.ld_residual, epilogue.ldy = -epilogue.ldy, epilogue.ldc = -epilogue.ldc;
    if (call.start.at) call.start.at += last * call.start.ld;
    call.start.ld = -call.start.ld;
    call.errors.advance(last);
    call.errors.stride = -call.errors.stride;
    return call;
  }

  Multiplication call_;
  Source source_;
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_SOURCE_H
