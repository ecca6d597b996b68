// bf16_dot, bf16x3_dot and int8_dot in tiles, over any engine (engine.h) and any vector type V for the epilogue:
//
//   y = act(a x + x D + b)      x: rows of bf16 or int8, 64 bytes a tile row       D: their panels, which hold tiles
//
// Registers: sums in 0 to 3, two rows of two tiles of 16 x 16; x in 4 and 5; D in 6 and 7. Four loads feed four
// products.
//
// A slice of a panel, kSlice lines of x, stays in L1 while the tiles of x come from L2. Between slices the sums are
// kept in `partial`. A finished tile of sums is stored there as well. Its epilogue is done a few rows at a time between
// the products of the next tile, when the vector units are idle.
#ifndef IDELTA_KERNELS_AMX_MULTIPLY_H
#define IDELTA_KERNELS_AMX_MULTIPLY_H

#include "kernels/compiler.h"
#include "kernels/epilogue.h"
#include "kernels/kernels.h"

namespace idelta::amx {

constexpr ptrdiff_t kTileRows = 16, kColumns = 32;  // rows of a tile, columns of a panel
constexpr ptrdiff_t kSlice = 12;                    // lines: 24 KiB of a panel

// A product says what a block holds, as words, and what becomes of a sum. Numbers: of its sums in memory.
template <bool kSplitRows>
struct Bf16Product {
  using Block = Bf16Block;
  using Numbers = float;
  static constexpr bool kSplit = kSplitRows, kStartsInTiles = true;
  static constexpr ptrdiff_t kLineSteps = kPairLine;

  static IDELTA_INLINE const Word* high_rows(const Block& b) { return reinterpret_cast<const Word*>(b.x_hi); }
  static IDELTA_INLINE const Word* low_rows(const Block& b) { return reinterpret_cast<const Word*>(b.x_lo); }
  static IDELTA_INLINE const Word* high_panels(const Block& b) { return b.panels_hi; }
  static IDELTA_INLINE const Word* low_panels(const Block& b) { return b.panels_lo; }
  template <int C, int A, int B, class Engine>
  static IDELTA_INLINE void dot(const Engine& tiles) {
    tiles.template dot<C, A, B>();
  }
  template <class V>
  static IDELTA_INLINE V finished(const Block&, ptrdiff_t, ptrdiff_t, const float* sum) {
    return V::load(sum);
  }
};

struct Int8Product {
  using Block = Int8Block;
  using Numbers = Word;
  static constexpr bool kSplit = false, kStartsInTiles = false;
  static constexpr ptrdiff_t kLineSteps = kQuadLine;

  static IDELTA_INLINE const Word* high_rows(const Block& b) { return reinterpret_cast<const Word*>(b.x); }
  static IDELTA_INLINE const Word* high_panels(const Block& b) { return b.panels; }
  template <int C, int A, int B, class Engine>
  static IDELTA_INLINE void dot(const Engine& tiles) {
    tiles.template dot_quads<C, A, B>();
  }
  // As scale_sums() of int8_tile.h.
  template <class V>
  static IDELTA_INLINE V finished(const Block& b, ptrdiff_t row, ptrdiff_t column, const Word* sum) {
    const V offset = V::load(reinterpret_cast<const Word*>(b.offsets + column));
    const V start = b.start.at ? V::load(b.start.from(row, column / kColumns).at + column % kColumns) : V::zero();
    return fma(V::splat(b.row_scales[row]) * V::load(b.scales + column),
               from_integers(difference_of_integers(V::load(sum), offset)), start);
  }
};

// Up to 32 rows by one panel of sums. Their epilogue is done up to row next_.
template <class Product, class V>
class Pending {
 public:
  using Block = typename Product::Block;

  explicit Pending(const Block& block) : block_(block), linear_(block.epilogue.activation) {}

  void start(const typename Product::Numbers* sums, ptrdiff_t row, ptrdiff_t column, ptrdiff_t rows) {
    sums_ = sums;
    row_ = row;
    column_ = column;
    rows_ = rows;
    next_ = 0;
  }

  void step(ptrdiff_t count) {
    for (; count > 0 && next_ < rows_; --count) finish_row(next_++);
  }
  void all() { step(rows_); }

 private:
  void finish_row(ptrdiff_t r) const {
    const ptrdiff_t cols = block_.cols - column_;
    for (ptrdiff_t c = 0; c < kColumns && c < cols; c += V::lanes) {
      const V sum = Product::template finished<V>(block_, row_ + r, column_ + c, sums_ + r * kColumns + c);
      finish(block_.epilogue, row_ + r, column_ + c, sum, V::first(cols - c), linear_);
    }
  }

  const Block& block_;
  PiecewiseLinear<V> linear_;
  const typename Product::Numbers* sums_ = nullptr;
  ptrdiff_t row_ = 0, column_ = 0, rows_ = 0, next_ = 0;
};

// sums += x D for one line of steps; kTall: for two rows of tiles. D's high part comes last, while x's high part is
// still loaded.
template <class Product, bool kTall, class Engine>
IDELTA_INLINE void multiply_line(const Engine& tiles, const typename Product::Block& b, ptrdiff_t row, ptrdiff_t panel,
                                 ptrdiff_t line) {
  constexpr ptrdiff_t kWordSteps = Product::kLineSteps / kLine;
  const ptrdiff_t ldx = b.ldx / kWordSteps, ldd = kColumns * 4;
  const ptrdiff_t at_x = row * ldx + line * kLine, at_d = panel * b.panel_stride + line * kLine * kColumns;
  const auto load_x = [&](const Word* x) {
    tiles.template load<4>(x + at_x, ldx * 4);
    if (kTall) tiles.template load<5>(x + at_x + kTileRows * ldx, ldx * 4);
  };
  const auto load_d = [&](const Word* d) {
    tiles.template load<6>(d + at_d, ldd);
    tiles.template load<7>(d + at_d + kColumns / 2, ldd);
  };
  const auto dots = [&] {
    Product::template dot<0, 4, 6>(tiles);
    Product::template dot<1, 4, 7>(tiles);
    if (!kTall) return;
    Product::template dot<2, 5, 6>(tiles);
    Product::template dot<3, 5, 7>(tiles);
  };
  load_x(Product::high_rows(b));
  if constexpr (Product::kSplit) {
    load_d(Product::low_panels(b));
    dots();
  }
  load_d(Product::high_panels(b));
  dots();
  if constexpr (Product::kSplit) {
    load_x(Product::low_rows(b));
    dots();
  }
}

// Loads sums from rows ld apart; stores them in contiguous rows of kColumns floats.
template <bool kTall, class Engine, class Numbers>
IDELTA_INLINE void load_sums(const Engine& tiles, const Numbers* sums, ptrdiff_t ld) {
  tiles.template load<0>(sums, ld * 4);
  tiles.template load<1>(sums + kColumns / 2, ld * 4);
  if (!kTall) return;
  tiles.template load<2>(sums + kTileRows * ld, ld * 4);
  tiles.template load<3>(sums + kTileRows * ld + kColumns / 2, ld * 4);
}
template <bool kTall, class Engine, class Numbers>
IDELTA_INLINE void store_sums(const Engine& tiles, Numbers* sums) {
  tiles.template store<0>(sums, kColumns * 4);
  tiles.template store<1>(sums + kColumns / 2, kColumns * 4);
  if (!kTall) return;
  tiles.template store<2>(sums + kTileRows * kColumns, kColumns * 4);
  tiles.template store<3>(sums + kTileRows * kColumns + kColumns / 2, kColumns * 4);
}

// Loads the start of the sums of rows [row, row + 16 or 32) of one panel. The last of several tiles may reach past the
// rows of b.start, which it must not read: it loads a copy in `sums`.
template <bool kTall, class V, class Engine, class Product>
IDELTA_INLINE void start_sums(const Engine& tiles, const Bf16Block& b, ptrdiff_t row, ptrdiff_t panel, float* sums,
                              Pending<Product, V>& pending) {
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

struct Slice {  // of lines
  ptrdiff_t begin, end;
};

// One slice of the reduction for rows [row, row + 16 or 32) of one panel.
template <bool kTall, class Product, class V, class Engine>
void multiply_tile(const Engine& tiles, const typename Product::Block& b, ptrdiff_t row, ptrdiff_t panel, Slice slice,
                   Pending<Product, V>& pending) {
  auto* const sums = b.partial + row * kColumns;
  if (slice.begin > 0) {
    load_sums<kTall>(tiles, sums, kColumns);
  } else if (!Product::kStartsInTiles || !b.start.at) {
    tiles.template zero<0>();
    tiles.template zero<1>();
    tiles.template zero<2>();
    tiles.template zero<3>();
  } else if constexpr (Product::kStartsInTiles) {
    start_sums<kTall>(tiles, b, row, panel, sums, pending);
  }
  const ptrdiff_t lines = slice.end - slice.begin, share = lines > 0 ? (2 * kTileRows + lines - 1) / lines : 0;
  for (ptrdiff_t line = slice.begin; line < slice.end; ++line) {
    multiply_line<Product, kTall>(tiles, b, row, panel, line);
    pending.step(share);
  }
  pending.all();  // it may read `sums`
  store_sums<kTall>(tiles, sums);
}

template <class Product, class Engine, class V>
void multiply(const typename Product::Block& b) {
  // If one tile holds all rows, it has no others. Else the last tile reads past the last row, into memory that src/core
  // reserves for that, and does not store the results.
  const bool whole = b.rows >= 2 * kTileRows;
  const auto first = static_cast<uint8_t>(b.rows > kTileRows ? kTileRows : b.rows);
  const auto second = static_cast<uint8_t>(whole ? kTileRows : b.rows > kTileRows ? b.rows - kTileRows : 1);
  const Engine tiles({first, first, second, second, first, second, kTileRows, kTileRows});
  // A single row tile reads every panel once: slices would gain nothing.
  const ptrdiff_t lines = b.k / Product::kLineSteps, slices = whole ? (lines + kSlice - 1) / kSlice : 1;
  const ptrdiff_t slice = slices > 1 ? (lines + slices - 1) / slices : lines;

  Pending<Product, V> pending(b);
  for (ptrdiff_t j = 0, panel = 0; j < b.cols; j += kColumns, ++panel) {
    for (ptrdiff_t line = 0; line == 0 || line < lines; line += slice) {
      const Slice steps{line, line + slice < lines ? line + slice : lines};
      for (ptrdiff_t i = 0; i < b.rows; i += 2 * kTileRows) {
        const ptrdiff_t rows = b.rows - i < 2 * kTileRows ? b.rows - i : 2 * kTileRows;
        if (rows > kTileRows) {
          multiply_tile<true>(tiles, b, i, panel, steps, pending);
        } else {
          multiply_tile<false>(tiles, b, i, panel, steps, pending);
        }
        if (steps.end == lines) pending.start(b.partial + i * kColumns, i, j, rows);
      }
      if (slice == 0) break;  // no steps at all: only a x + b
    }
  }
  pending.all();
}

}  // namespace idelta::amx

#endif  // IDELTA_KERNELS_AMX_MULTIPLY_H
