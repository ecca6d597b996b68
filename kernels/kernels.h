// The contract between src/core and the leaf kernels: packed layouts, arguments, and the one table an ISA fills.
// Kernels never allocate, throw, thread, print or return errors; sizes have been checked above.
//
// D is packed in panels, zero-padded past column n:
//
//   panel: nr columns of D (or D^T), one row of nr after the other
//
//     k 0: [j0 .. j0+nr)
//     k 1: [j0 .. j0+nr)
//     ...
//
// or in bf16, zero-padded to kPairLine steps of k as well:
//
//   panel: nr columns, two steps of k in a 32-bit word, the even one in its low half: what AMX tiles hold, what
//   vdpbf16ps reads, and one shift or mask away from fp32
//
//     k 0, 1: [j0 .. j0+nr)
//     k 2, 3: [j0 .. j0+nr)
//     ...
//
// x is read as it lies, a row tile of up to mr rows at once; src/core copies it first only where it must.
//
// Numerics: every output is one chain of fused multiply-adds in ascending order of the reduction index, so tile shape,
// cache blocks, threads and ISA do not change a bit.
#ifndef IDELTA_KERNELS_KERNELS_H
#define IDELTA_KERNELS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/compiler.h"

namespace idelta {

inline constexpr ptrdiff_t kLine = 16;      // floats in a cache line
inline constexpr ptrdiff_t kPairLine = 32;  // bf16 numbers in one
inline constexpr ptrdiff_t kWidest = 64;    // nr of any ISA

// Four bytes of a packed operand: a float, or two bf16 numbers, the even step of a pair in the low half. What may be
// either is only ever looked at through this type, which may alias both.
typedef uint32_t Word __attribute__((may_alias));  // NOLINT(modernize-use-using): a using drops the attribute
// What an array holds: the attribute gets lost where a type is a template's argument.
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

// dz = dy * act'(y): dy where y lies strictly between low and high (NaN: no limit), else 0; times slope unless y > 0;
// times 1 - y^2 if tanh; NaN where y is.
struct ActivationGradient {
  float slope = 1, low = 0, high = 0;
  bool tanh = false;
};

// What becomes of sums s of rows and columns: contribution = s + b, y = act(a x + contribution). All pointers are at
// the first row and column.
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

  // Moves on by so many rows and columns.
  IDELTA_INLINE void advance(ptrdiff_t rows, ptrdiff_t columns) {
    residual += rows * ld_residual + columns;
    if (bias) bias += columns;
    y += rows * ldy + columns;
    if (contribution) contribution += rows * ldc + columns;
  }
  // A copy that has moved on. Field by field, for one of the whole waits until its fields' stores are through: 10 ns of
  // bf16_dot at n = 64, m = 1 (Zen 5, 2026-11).
  IDELTA_INLINE Epilogue from(ptrdiff_t row, ptrdiff_t column) const {
    Epilogue e{residual, ld_residual, identity_scale, bias, activation, y, ldy, contribution, ldc, fetch_y};
    e.advance(row, column);
    return e;
  }
};

// What a tile brings to L2 for whoever comes next: a line every kFetchEvery words of its reduction, or dense: with
// every word; `step` elements after the one before. at = null: nothing.
inline constexpr ptrdiff_t kFetchEvery = 4;
struct Fetch {
  const Word* at;
  ptrdiff_t step;
  bool dense;
};

// Where sums wait: element (row i, column c of panel p) is at[p * panel_stride + i * ld + c]. Panels are whole, also
// past the last column: what lies there may be read and written. at = null: nowhere.
struct Sums {
  float* at = nullptr;
  ptrdiff_t ld = 0, panel_stride = 0;

  // A copy that has moved on.
  IDELTA_INLINE Sums from(ptrdiff_t row, ptrdiff_t panel) const {
    return {at ? at + row * ld + panel * panel_stride : nullptr, ld, panel_stride};
  }
};

// y = act(a x + x D + b) for one row tile and a run of panels. For panels of bf16 `panels` are their words, which
// panel_stride counts.
template <class X>
struct ProductTile {
  ptrdiff_t rows;               // 1 .. mr
  ptrdiff_t cols;               // from the first column of a panel on; may span panels
  ptrdiff_t k;                  // reduction steps
  const typename X::Number* x;  // from the first reduction step on
  ptrdiff_t ldx;
  const Word* panels;      // D from the first reduction step on
  ptrdiff_t panel_stride;  // elements from one panel to the next
  Sums start;              // sums that the chains go on from; nowhere: zero
  Sums suspend;            // where sums are left, without the epilogue; nowhere: finish
  Fetch fetch;
  Epilogue epilogue;
};
using ForwardTile = ProductTile<Floats>;

// dD = beta dD + x^T dz for one tile: rows are columns of x, m is the reduction. beta = 0 never reads out.
struct WeightsTile {
  ptrdiff_t rows;    // 1 .. mr
  ptrdiff_t cols;    // from the first column of a panel on; may span panels
  ptrdiff_t m;       // reduction steps
  const float* lhs;  // x from this tile's first column on, packed or as it lies
  ptrdiff_t lhs_stride;
  const float* rhs;  // dz likewise; all nr columns of a panel are read
  ptrdiff_t rhs_stride;
  ptrdiff_t rhs_panel_stride;  // elements from one panel to the next
  float beta;
  float* out;
  ptrdiff_t ldo;
  bool fetch_out;  // its lines are fetched while multiplying
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
  ptrdiff_t ahead;         // elements from src to what is packed next, whose lines are fetched to L1 only; 0: nothing
};

// hi (and, if wanted, lo) <- rows x cols of src, and zeros up to width, rounded to bf16 and paired: word [r / 2][c]
// holds row r in its low half and row r + 1 (0 if there is none) in its high half. lo is what hi leaves, rounded in
// turn; what rounds to Inf or NaN has hi = 0.
struct RoundPanel {
  ptrdiff_t rows, cols;
  const float* src;
  ptrdiff_t ld;
  ptrdiff_t width;
  Word* hi;
  Word* lo;  // or null
};

// Rows of src rounded likewise, in their own order, with zeros up to the next multiple of kPairLine. Transposed:
// src[c][r].
struct RoundRows {
  ptrdiff_t rows, cols;
  const float* src;
  ptrdiff_t ld;
  uint16_t* hi;
  uint16_t* lo;  // or null
  ptrdiff_t ldr;
};

// y = act(a x + x D + b) for a block of rows and a run of bf16 panels, with x rounded to bf16 as well:
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
  Sums start;              // sums that the products are added to; nowhere: zero
  float* partial;          // memory for sums between blocks of k: rows, rounded up to 32, x nr
  bool fetch_panels;       // they come from beyond L2, and few rows wait for them
  Epilogue epilogue;
};

// sums += column sums of rows x cols.
struct ColumnSums {
  ptrdiff_t rows, cols;
  const float* src;
  ptrdiff_t ld;
  float* sums;
};

// squares[i] = sum of src[i][c]^2 over the columns c, in fp64, where every square is exact. Lane l of kLine sums the
// columns c = l mod kLine in ascending order, then lane l takes lane l + 8, l + 4, l + 2 and l + 1: the same bits on
// every ISA.
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

// The packs of parameters w and of w^T from the first parameter on, in rows of nr that are zero past the last one and
// stay so, or null: fp32 numbers, or words of bf16 pairs as in RoundPanel, with lo so many words behind hi (0: none).
// Every nr rows of w are a panel of w^T.
struct OptimizerPacks {
  Word *copy, *transposed;
  ptrdiff_t transposed_panel_stride;
  ptrdiff_t transposed_ahead;  // see OptimizerStep
  bool pairs;
  ptrdiff_t low_plane;
  bool streams;  // transposed is written past the caches
};

inline constexpr int kMostStates = 2, kMostConstants = 9;

// One optimiser step on parameters w, up to a panel wide, by a rule of optimizer_rules.h; and the new w into its packs.
struct OptimizerStep {
  int kind;  // idelta_optimizer_kind
  float constants[kMostConstants];
  ptrdiff_t rows, cols;  // at most nr columns
  GradientTile gradient;
  float* w;
  ptrdiff_t ldw;
  float* state[kMostStates];
  ptrdiff_t ld_state;
  bool contiguous;  // the rows of w and of state follow one another
  OptimizerPacks packs;
  bool* nonzero;  // [rows / kLine][cols / kLine]: whether that part of w is not all zero; null: there are no packs
  // Numbers from w, state and transposed of the last nr rows to those of the next call, which are fetched meanwhile; or
  // 0.
  ptrdiff_t w_ahead, state_ahead;
};

// A kernel and the shape that it brings. What packs for it reads the shape here, so that no kernel can meet the panels
// of another table's.
template <class Args, class Result = void>
struct Kernel {
  ptrdiff_t mr = 0, nr = 0;      // register tile: rows, and columns of a panel, a multiple of kLine; 0: it has no tile
  ptrdiff_t kr = 1;              // reduction steps that a word of its panels holds: 1 of fp32, 2 of bf16
  ptrdiff_t rows_past_last = 0;  // it may read rows of its left operand past the last one: fewer than that
  ptrdiff_t few_rows = 0;        // see f32_weights and f32_optimizer_step
  Result (*run)(const Args&) = nullptr;

  Result operator()(const Args& args) const { return run(args); }
};

// What a set of CPU features provides: Kernels and nothing else, so that src/core can overlay tables slot by slot, on
// the scalar one, in ascending order. A slot without a kernel means: the one below.
//
// f32_forward, f32_weights and f32_optimizer_step have one nr, for parameters may lie in panels; it is a multiple of
// that of bf16_dot and bf16x3_dot, whose panels make up theirs in x^T dz.
struct KernelTable {
  Kernel<ForwardTile> f32_forward;
  // few_rows: of the tiles to stream dD with, so few that registers are left for several panels.
  Kernel<WeightsTile> f32_weights;
  Kernel<CopyRows> f32_copy_rows;
  Kernel<PackPanel, bool> f32_pack_panel;             // true if anything packed is not zero
  Kernel<PackPanel, bool> f32_pack_panel_transposed;  // likewise
  Kernel<ColumnSums> f32_column_sums;
  // mr: rows of its tiles, or of those together that share lines of x. few_rows: of the batch, so many it multiplies
  // itself about as fast as f32_weights.
  Kernel<OptimizerStep> f32_optimizer_step;
  Kernel<RoundPanel> bf16_round_panel;
  Kernel<RoundRows> bf16_round_rows;
  Kernel<RoundRows> bf16_round_rows_transposed;
  Kernel<ForwardTile> bf16_forward;  // panels of bf16 pairs, widened: the chain of f32_forward, to the bit
  Kernel<Bf16Block> bf16_dot;        // x rounded
  Kernel<Bf16Block> bf16x3_dot;      // x split; used only where AMX's tiles make it pay
  Kernel<ScaleAdd> f32_scale_add;
  Kernel<RowSquares> f32_row_squares;
};

// The reference. The other tables are declared beside the CPU features that they need: src/core/machine/kernel_rows.h.
namespace scalar {
extern const KernelTable kTable;
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_KERNELS_H
