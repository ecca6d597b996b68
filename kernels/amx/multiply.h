// bf16_dot and bf16x3_dot in tiles, over any engine (engine.h) and any vector type V for the epilogue:
//
//   y = act(a x + x D + b)      x: rows of bf16, 32 numbers a tile row       D: bf16 panels, which hold tiles
//
// Registers: sums in 0 to 3, two rows of two tiles of 16 x 16; x in 4 and 5; D in 6 and 7. Four loads feed four
// products.
//
// A slice of a panel, kSlice steps, stays in L1 while the tiles of x come from L2. Between slices the sums are kept in
// `partial`. A finished tile of sums is stored there as well. Its epilogue is done a few rows at a time between the
// products of the next tile, when the vector units are idle.
#ifndef IDELTA_KERNELS_AMX_MULTIPLY_H
#define IDELTA_KERNELS_AMX_MULTIPLY_H

#include "kernels/compiler.h"
#include "kernels/epilogue.h"
#include "kernels/kernels.h"

namespace idelta::amx {

constexpr ptrdiff_t kTileRows = 16, kColumns = 32;  // rows of a tile, columns of a panel
constexpr ptrdiff_t kSlice = 12 * kPairLine;        // 24 KiB of a panel

// Up to 32 rows by one panel of sums. Their epilogue is done up to row next_.
template <class V>
class Pending {
 public:
  explicit Pending(const ActivationArgs& activation) : linear_(activation) {}

  void start(const float* sums, const Epilogue& epilogue, ptrdiff_t rows, ptrdiff_t cols) {
    sums_ = sums;
    epilogue_ = epilogue;
    rows_ = rows;
    cols_ = cols;
    next_ = 0;
  }

  void step(ptrdiff_t count) {
    for (; count > 0 && next_ < rows_; --count) finish_row(next_++);
  }
  void all() { step(rows_); }

 private:
  void finish_row(ptrdiff_t r) const {
    for (ptrdiff_t c = 0; c < kColumns && c < cols_; c += V::lanes) {
      finish(epilogue_, r, c, V::load(sums_ + r * kColumns + c), V::first(cols_ - c), linear_);
    }
  }

  PiecewiseLinear<V> linear_;
  const float* sums_ = nullptr;
  Epilogue epilogue_{};
  ptrdiff_t rows_ = 0, cols_ = 0, next_ = 0;
};

// sums += x D for one line of kPairLine steps; kTall: for two rows of tiles. D's high part comes last, while x's high
// part is still loaded.
template <bool kSplit, bool kTall, class Engine>
IDELTA_INLINE void multiply_line(const Engine& tiles, const Bf16Block& b, ptrdiff_t row, ptrdiff_t panel, ptrdiff_t k) {
  const ptrdiff_t ldx = b.ldx * static_cast<ptrdiff_t>(sizeof(uint16_t)), ldd = kColumns * 4;
  const ptrdiff_t at_x = row * b.ldx + k, at_d = panel * b.panel_stride + k / 2 * kColumns;
  const auto load_x = [&](const uint16_t* x) {
    tiles.template load<4>(x + at_x, ldx);
    if (kTall) tiles.template load<5>(x + at_x + kTileRows * b.ldx, ldx);
  };
  const auto load_d = [&](const Word* d) {
    tiles.template load<6>(d + at_d, ldd);
    tiles.template load<7>(d + at_d + kColumns / 2, ldd);
  };
  const auto dots = [&] {
    tiles.template dot<0, 4, 6>();
    tiles.template dot<1, 4, 7>();
    if (!kTall) return;
    tiles.template dot<2, 5, 6>();
    tiles.template dot<3, 5, 7>();
  };
  load_x(b.x_hi);
  if (kSplit) {
    load_d(b.panels_lo);
    dots();
  }
  load_d(b.panels_hi);
  dots();
  if (!kSplit) return;
  load_x(b.x_lo);
  dots();
}

// Loads sums from rows ld apart; stores them in contiguous rows of kColumns floats.
template <bool kTall, class Engine>
IDELTA_INLINE void load_sums(const Engine& tiles, const float* sums, ptrdiff_t ld) {
  tiles.template load<0>(sums, ld * 4);
  tiles.template load<1>(sums + kColumns / 2, ld * 4);
  if (!kTall) return;
  tiles.template load<2>(sums + kTileRows * ld, ld * 4);
  tiles.template load<3>(sums + kTileRows * ld + kColumns / 2, ld * 4);
}
template <bool kTall, class Engine>
IDELTA_INLINE void store_sums(const Engine& tiles, float* sums) {
  tiles.template store<0>(sums, kColumns * 4);
  tiles.template store<1>(sums + kColumns / 2, kColumns * 4);
  if (!kTall) return;
  tiles.template store<2>(sums + kTileRows * kColumns, kColumns * 4);
  tiles.template store<3>(sums + kTileRows * kColumns + kColumns / 2, kColumns * 4);
}

// Loads the start of the sums of rows [row, row + 16 or 32) of one panel. The last of several tiles may reach past the
// rows of b.start, which it must not read: it loads a copy in `sums`.
template <bool kTall, class V, class Engine>
IDELTA_INLINE void start_sums(const Engine& tiles, const Bf16Block& b, ptrdiff_t row, ptrdiff_t panel, float* sums,
                              Pending<V>& pending) {
  if (!b.start.at) {
    tiles.template zero<0>();
    tiles.template zero<1>();
    tiles.template zero<2>();
    tiles.template zero<3>();
    return;
  }
  const Sums start = b.start.from(row, panel);
  const ptrdiff_t rows = b.rows - row, all = kTall ? 2 * kTileRows : kTileRows;
  if (b.rows < 2 * kTileRows || rows >= all) return load_sums<kTall>(tiles, start.at, start.ld);
  pending.all();  // it may read `sums`
  for (ptrdiff_t r = 0; r < rows; ++r) {
    for (ptrdiff_t c = 0; c < kColumns; c += V::lanes) {
      V::load(start.at + r * start.ld + c).store(sums + r * kColumns + c);
    }
  }
  load_sums<kTall>(tiles, sums, kColumns);
}

struct Slice {
  ptrdiff_t begin, end;
};

// One slice of the reduction for rows [row, row + 16 or 32) of one panel.
template <bool kSplit, bool kTall, class V, class Engine>
void multiply_tile(const Engine& tiles, const Bf16Block& b, ptrdiff_t row, ptrdiff_t panel, Slice k,
                   Pending<V>& pending) {
  float* const sums = b.partial + row * kColumns;
  if (k.begin == 0) {
    start_sums<kTall>(tiles, b, row, panel, sums, pending);
  } else {
    load_sums<kTall>(tiles, sums, kColumns);
  }
  const ptrdiff_t lines = (k.end - k.begin) / kPairLine, share = lines > 0 ? (2 * kTileRows + lines - 1) / lines : 0;
  for (ptrdiff_t p = k.begin; p < k.end; p += kPairLine) {
    multiply_line<kSplit, kTall>(tiles, b, row, panel, p);
    pending.step(share);
  }
  pending.all();  // it may read `sums`
  store_sums<kTall>(tiles, sums);
}

template <bool kSplit, class Engine, class V>
void multiply(const Bf16Block& b) {
  // If one tile holds all rows, it has no others. Else the last tile reads past the last row, into memory that src/core
  // reserves for that, and does not store the results.
  const bool whole = b.rows >= 2 * kTileRows;
  const auto first = static_cast<uint8_t>(b.rows > kTileRows ? kTileRows : b.rows);
  const auto second = static_cast<uint8_t>(whole ? kTileRows : b.rows > kTileRows ? b.rows - kTileRows : 1);
  const Engine tiles({first, first, second, second, first, second, kTileRows, kTileRows});
  // A single row tile reads every panel once: slices would gain nothing.
  const ptrdiff_t lines = b.k / kPairLine, slices = whole ? (b.k + kSlice - 1) / kSlice : 1;
  const ptrdiff_t slice = slices > 1 ? (lines + slices - 1) / slices * kPairLine : b.k;

  Pending<V> pending(b.epilogue.activation);
  for (ptrdiff_t j = 0, panel = 0; j < b.cols; j += kColumns, ++panel) {
    for (ptrdiff_t k = 0; k == 0 || k < b.k; k += slice) {
      const Slice steps{k, k + slice < b.k ? k + slice : b.k};
      for (ptrdiff_t i = 0; i < b.rows; i += 2 * kTileRows) {
        const ptrdiff_t rows = b.rows - i < 2 * kTileRows ? b.rows - i : 2 * kTileRows;
        if (rows > kTileRows) {
          multiply_tile<kSplit, true>(tiles, b, i, panel, steps, pending);
        } else {
          multiply_tile<kSplit, false>(tiles, b, i, panel, steps, pending);
        }
        if (steps.end == b.k) pending.start(b.partial + i * kColumns, b.epilogue.from(i, j), rows, b.cols - j);
      }
      if (slice == 0) break;  // no steps at all: only a x + b
    }
  }
  pending.all();
}

}  // namespace idelta::amx

#endif  // IDELTA_KERNELS_AMX_MULTIPLY_H
