// The contract between src/core and the leaf kernels: packed layouts, arguments, and the one table an ISA fills.
// Kernels never allocate, throw, thread, print or return errors; sizes have been checked above.
//
// D is packed in panels, zero-padded past column n:
//
//   panel: nr columns of D (or D^T) as contiguous rows of nr
//
//     k 0: [j0 .. j0+nr)
//     k 1: [j0 .. j0+nr)
//     ...
//
// or in bf16, zero-padded to kPairLine steps of k as well:
//
//   panel: nr columns, two steps of k in a 32-bit word, the even one in its low half. AMX tiles and vdpbf16ps take
//   this layout, and one shift or mask widens it to fp32.
//
//     k 0, 1: [j0 .. j0+nr)
//     k 2, 3: [j0 .. j0+nr)
//     ...
//
// or in int8, |q| <= kMostWeight, zero-padded to kQuadLine steps of k:
//
//   panel: nr columns, four steps of k in a 32-bit word, the lowest step in its lowest byte. vpdpbusd and AMX tiles
//   take this layout.
//
//     k 0 to 3: [j0 .. j0+nr)
//     k 4 to 7: [j0 .. j0+nr)
//     ...
//
// x is read in place, a row tile of up to mr rows at once; src/core copies it first only where it must.
//
// Numerics: every output is one chain of fused multiply-adds in ascending order of the reduction index, so tile shape,
// cache blocks, threads and ISA do not change a bit. Sums of int8 are exact in any order.
#ifndef IDELTA_KERNELS_KERNELS_H
#define IDELTA_KERNELS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/compiler.h"

namespace idelta {

inline constexpr ptrdiff_t kLine = 16;      // floats in a cache line
inline constexpr ptrdiff_t kPairLine = 32;  // bf16 numbers in one
inline constexpr ptrdiff_t kQuadLine = 64;  // int8 numbers in one
inline constexpr ptrdiff_t kWidest = 64;    // nr of any ISA

// Four bytes of a packed operand: a float, a pair of bf16 numbers, the even step in the low half, or four of int8.
// Memory that may hold any of them is accessed through this type only, which may alias all.
typedef uint32_t Word __attribute__((may_alias));  // NOLINT(modernize-use-using): a using drops the attribute
// Tags for what an array holds: a template argument would lose the attribute of Word.
struct Floats {
  using Number = float;
};
struct Pairs {
  using Number = Word;
};
IDELTA_INLINE Word* words_of(float* p) { return reinterpret_cast<Word*>(p); }
IDELTA_INLINE const Word* words_of(const float* p) { return reinterpret_cast<const Word*>(p); }

// y = min(high, max(low, max(slope * z, z))), 0 < slope <= 1, then tanh if asked: covers every activation of idelta.h.
struct ActivationArgs {
  float slope = 1, low = 0, high = 0;
  bool tanh = false;
};

// dz = dy * act'(y): dy where low < y < high (NaN: no limit), else 0; times slope unless y > 0;
// times 1 - y^2 if tanh; NaN where y is.
struct ActivationGradient {
  float slope = 1, low = 0, high = 0;
  bool tanh = false;
};

// What is made of sums s: contribution = s + b, y = act(a x + contribution). All pointers are at the first row and
// column.
struct Epilogue {
  const float* residual;  // x in fp32; may be y
  ptrdiff_t ld_residual;
  float identity_scale;  // a
  const float* bias;     // or null
  ActivationArgs activation;
  float* y;
  ptrdiff_t ldy;
  float* contribution;  // or null
  ptrdiff_t ldc;
  bool fetch_y;  // y is not in cache: fetch its lines while multiplying

  // Moves to the element at (rows, columns).
  IDELTA_INLINE void advance(ptrdiff_t rows, ptrdiff_t columns) {
    residual += rows * ld_residual + columns;
    if (bias) bias += columns;
    y += rows * ldy + columns;
    if (contribution) contribution += rows * ldc + columns;
  }
  // A copy that starts at (row, column). Copying the whole struct would wait for the stores of its fields: 10 ns at n =
  // 64, m = 1 (Zen 5, 2026-11).
  IDELTA_INLINE Epilogue from(ptrdiff_t row, ptrdiff_t column) const {
    Epilogue e{residual, ld_residual, identity_scale, bias, activation, y, ldy, contribution, ldc, fetch_y};
    e.advance(row, column);
    return e;
  }
};

// What a tile prefetches to L2 for the next one: a line `step` elements further on every kFetchEvery words of its
// reduction, or if dense with every word. at = null: nothing.
inline constexpr ptrdiff_t kFetchEvery = 4;
struct Fetch {
  const Word* at;
  ptrdiff_t step;
  bool dense;
};

// Sums in memory: row i, column c of panel p is at[p * panel_stride + i * ld + c]. Panels are whole: columns past the
// last one may be read and written. at = null: none.
struct Sums {
  float* at = nullptr;
  ptrdiff_t ld = 0, panel_stride = 0;

  IDELTA_INLINE Sums from(ptrdiff_t row, ptrdiff_t panel) const {
    return {at ? at + row * ld + panel * panel_stride : nullptr, ld, panel_stride};
  }
};

// y = act(a x + x D + b) for one row tile and consecutive panels.
template <class X>
struct ProductTile {
  ptrdiff_t rows;               // 1 .. mr
  ptrdiff_t cols;               // from the first column of a panel on; may span panels
  ptrdiff_t k;                  // reduction steps
  const typename X::Number* x;  // from the first reduction step on
  ptrdiff_t ldx;
  const Word* panels;      // D from the first reduction step on
  ptrdiff_t panel_stride;  // words from one panel to the next
  Sums start;              // the chains continue from these; none: from zero
  Sums suspend;            // sums are stored here without the epilogue; none: the tile is finished
  Fetch fetch;
  Epilogue epilogue;
};
using ForwardTile = ProductTile<Floats>;

// dD = beta dD + x^T dz for one tile: rows are columns of x, m is the reduction. beta = 0 never reads out.
struct WeightsTile {
  ptrdiff_t rows;    // 1 .. mr
  ptrdiff_t cols;    // from the first column of a panel on; may span panels
  ptrdiff_t m;       // reduction steps
  const float* lhs;  // x from this tile's first column on, packed or in place
  ptrdiff_t lhs_stride;
  const float* rhs;  // dz likewise; all nr columns of a panel are read
  ptrdiff_t rhs_stride;
  ptrdiff_t rhs_panel_stride;  // elements from one panel to the next
  float beta;
  float* out;
  ptrdiff_t ldo;
  bool fetch_out;  // out is not in cache: fetch its lines while multiplying
};

// dst = src (rows x cols), or src * act'(y) if y is given. dst may be src.
struct CopyRows {
  ptrdiff_t rows, cols;
  const float* src;
  ptrdiff_t ld;
  float* dst;
  ptrdiff_t ldd;
  const float* y;  // or null
  ptrdiff_t ldy;
  ActivationGradient gradient;
};

// dst[r][c] = src[r][c] (transposed: src[c][r]) for c < cols, 0 for cols <= c < width; dst has row stride width. Unless
// transposed, cols may span panels.
struct PackPanel {
  ptrdiff_t rows, cols;
  const float* src;
  ptrdiff_t ld;
  ptrdiff_t width;
  float* dst;
  ptrdiff_t panel_stride;  // elements from one panel of dst to the next
};

// hi = rows x cols of src, zero up to width, rounded to bf16 and paired: word [r / 2][c] holds row r in its low half
// and row r + 1 (0 if there is none) in its high half. lo, if wanted, is src - hi, rounded. What rounds to Inf or NaN
// has hi = 0.
struct RoundPanel {
  ptrdiff_t rows, cols;
  const float* src;
  ptrdiff_t ld;
  ptrdiff_t width;
  Word* hi;
  Word* lo;  // or null
};

// The same by rows: hi[r][c] = src[r][c] (transposed: src[c][r]), zero up to the next multiple of kPairLine.
struct RoundRows {
  ptrdiff_t rows, cols;
  const float* src;
  ptrdiff_t ld;
  uint16_t* hi;
  uint16_t* lo;  // or null
  ptrdiff_t ldr;
};

// y = act(a x + x D + b) for a block of rows and consecutive bf16 panels, with x rounded to bf16 as well:
//   bf16_dot     x D ~ x_hi D_hi
//   bf16x3_dot   x D ~ x_hi D_hi + x_hi D_lo + x_lo D_hi
// Products are exact and summed in fp32 with subnormals flushed. The order within a sum is the ISA's own, but an
// element's does not depend on rows, cols or its place among them.
struct Bf16Block {
  ptrdiff_t rows, cols;
  ptrdiff_t k;  // reduction steps, a multiple of kPairLine
  const uint16_t *x_hi, *x_lo;
  ptrdiff_t ldx;
  const Word *panels_hi, *panels_lo;
  ptrdiff_t panel_stride;  // words from one panel to the next
  Sums start;              // the products are added to these; none: to zero
  float* partial;          // memory for sums between blocks of k: rows, rounded up to 32, x nr
  bool fetch_panels;       // panels are not in L2, and there are few row tiles to hide their latency
  Epilogue epilogue;
};

// Rows in int8: x ~ scale q with q in [-kMostActivation, kMostActivation], stored as q + kActivationZero in an unsigned
// byte, up to the next multiple of kQuadLine, where q = 0. Of a row with the largest magnitude h:
//
//   h = 0                                 scale = 0, q = 0
//   h < 127 * 2^-126, or not finite       scale = NaN, q = 0: a mark that src/core multiplies this row in fp32
//   else                                  scale = h / 127, q = x / scale, both IEEE quotients rounded to nearest in
//                                         fp32; q is then rounded to an integer, half to even
//
// h is compared as bits, so that its class does not depend on whether subnormals are flushed.
inline constexpr int kMostActivation = 127, kActivationZero = 128, kMostWeight = 63;
struct QuantizeRows {
  ptrdiff_t rows, cols;
  const float* src;
  ptrdiff_t ld;
  uint8_t* dst;
  ptrdiff_t ldq;
  float* scales;    // one a row
  double* changes;  // or null: of each row the sum of (x - scale q)^2, in the order of RowSquares; 0 if it is marked
};

// y = act(a x + v + b) for a block of rows and consecutive int8 panels, where
//
//   v[i][j] = fma(row_scales[i] * scales[j], float(sum over k of x[i][k] q[k][j] - offsets[j]), start[i][j] or 0)
//
// The product of the scales is rounded to fp32 (and may underflow); the sum is exact modulo 2^32; offsets[j] = 128 sum
// over k of q[k][j] is subtracted before it is converted, which rounds once. Every ISA gives the same bits. Weights
// beyond kMostWeight would saturate vpmaddubsw.
struct Int8Block {
  ptrdiff_t rows, cols;
  ptrdiff_t k;       // reduction steps, a multiple of kQuadLine
  const uint8_t* x;  // as in QuantizeRows
  ptrdiff_t ldx;     // a multiple of 4, as is the address of x
  const float* row_scales;
  const Word* panels;
  ptrdiff_t panel_stride;  // words from one panel to the next
  const float* scales;     // of the panels' columns, as are offsets: nr a panel, and as many may be read
  const int32_t* offsets;
  Sums start;         // the products are added to these; none: to zero
  Word* partial;      // memory for sums between blocks of k: rows, rounded up to 32, x nr
  bool fetch_panels;  // panels are not in L2, and there are few row tiles to hide their latency
  Epilogue epilogue;
};

// sums += column sums of rows x cols.
struct ColumnSums {
  ptrdiff_t rows, cols;
  const float* src;
  ptrdiff_t ld;
  float* sums;
};

// squares[i] = sum of src[i][c]^2 over the columns c in fp64, where every square is exact. Lane l of kLine sums the
// columns c = l mod kLine in ascending order; then lane l adds lane l + 8, l + 4, l + 2 and l + 1. Every ISA gives the
// same bits.
struct RowSquares {
  ptrdiff_t rows, cols;
  const float* src;
  ptrdiff_t ld;
  double* squares;
};

// y = alpha z + beta y. beta = 0 never reads y.
struct ScaleAdd {
  ptrdiff_t count;
  float alpha;
  const float* z;
  float beta;
  float* y;
};

// The gradient of a tile of parameters: g + lhs^T rhs.
struct GradientTile {
  const float* g = nullptr;  // or null: zero
  ptrdiff_t ldg = 0;
  ptrdiff_t m = 0;  // reduction steps; lhs and rhs as in WeightsTile
  const float* lhs = nullptr;
  ptrdiff_t lhs_stride = 0;
  const float* rhs = nullptr;
  ptrdiff_t rhs_stride = 0;
};

// The packs of w and of w^T, from the first parameter on; null: none. Rows of nr fp32 numbers, or words of bf16 pairs
// as in RoundPanel, with lo low_plane words after hi (0: no lo). Padding is zero and stays so. Every nr rows of w are a
// panel of w^T.
struct OptimizerPacks {
  Word *copy, *transposed;
  ptrdiff_t transposed_panel_stride;
  ptrdiff_t transposed_ahead;  // see OptimizerStep
  bool pairs;
  ptrdiff_t low_plane;
  bool streams;  // transposed is written past the caches
};

inline constexpr int kMostStates = 2, kMostConstants = 9;

// One optimiser step on parameters w, up to a panel wide, by a rule of optimizer_rules.h. The packs get the new w.
struct OptimizerStep {
  int kind;  // idelta_optimizer_kind
  float constants[kMostConstants];
  ptrdiff_t rows, cols;  // at most nr columns
  GradientTile gradient;
  float* w;
  ptrdiff_t ldw;
  float* state[kMostStates];
  ptrdiff_t ld_state;
  bool contiguous;  // rows of w and of state are contiguous in memory
  OptimizerPacks packs;
  bool* nonzero;  // [rows / kLine][cols / kLine]: whether that part of w is not all zero; null: there are no packs
  // Distance from the last nr rows of w and state to the rows of the next call, which are prefetched; 0: none.
  ptrdiff_t w_ahead, state_ahead;
};

// A kernel and its shape. Packing reads the shape here, so that no kernel gets panels made for another.
template <class Args, class Result = void>
struct Kernel {
  ptrdiff_t mr = 0, nr = 0;      // register tile: rows, and columns of a panel, a multiple of kLine; 0: it has no tile
  ptrdiff_t kr = 1;              // reduction steps in a word of its panels: 1 of fp32, 2 of bf16, 4 of int8
  ptrdiff_t rows_past_last = 0;  // it may read fewer than so many rows past the last one of its left operand
  ptrdiff_t few_rows = 0;        // see f32_weights and f32_optimizer_step
  Result (*run)(const Args&) = nullptr;

  Result operator()(const Args& args) const { return run(args); }
};

// The kernels of a set of CPU features. src/core overlays the tables on the scalar one in ascending order; an empty
// slot keeps the kernel of the table below.
//
// f32_forward, f32_weights and f32_optimizer_step share one nr, because parameters may be in panels. It is a multiple
// of the nr of bf16_dot and bf16x3_dot, so that their panels make up dD's.
struct KernelTable {
  Kernel<ForwardTile> f32_forward;
  // few_rows: rows of a tile that leaves registers for several panels, for a dD that is not in cache.
  Kernel<WeightsTile> f32_weights;
  Kernel<CopyRows> f32_copy_rows;
  Kernel<PackPanel, bool> f32_pack_panel;             // true if anything packed is not zero
  Kernel<PackPanel, bool> f32_pack_panel_transposed;  // likewise
  Kernel<ColumnSums> f32_column_sums;
  // mr: rows of a tile, or of the tiles that share a line of x. few_rows: up to so many rows of the batch it multiplies
  // about as fast as f32_weights.
  Kernel<OptimizerStep> f32_optimizer_step;
  Kernel<RoundPanel> bf16_round_panel;
  Kernel<RoundRows> bf16_round_rows;
  Kernel<RoundRows> bf16_round_rows_transposed;
  Kernel<ForwardTile> bf16_forward;  // panels of bf16 pairs, widened: the chain of f32_forward, to the bit
  Kernel<Bf16Block> bf16_dot;        // x rounded
  Kernel<Bf16Block> bf16x3_dot;      // x split; used only where AMX's tiles make it pay
  Kernel<ScaleAdd> f32_scale_add;
  Kernel<RowSquares> f32_row_squares;
  Kernel<QuantizeRows> int8_quantize_rows;
  Kernel<Int8Block> int8_dot;
};

// The reference. The other tables are declared beside the CPU features that they need: src/core/machine/kernel_rows.h.
namespace scalar {
extern const KernelTable kTable;
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_KERNELS_H
