// What AVX-512 BF16 adds to AVX-512: one kernel; src/core/machine/bf16_product.cc says where it is used. The tile is
// that of fp32: a word of x and a word of D each hold a pair.
#include "kernels/avx512/vector.h"

namespace {

// sum += a_odd b_odd, then a_even b_even, each fused and rounded to nearest, subnormals flushed whatever MXCSR says.
inline void accumulate_dot(Vector& sum, Vector a, Vector b) {
  __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum.v) : "v"(a.v), "v"(b.v));
}

}  // namespace

#include "kernels/forward_tile.h"

namespace idelta::avx512_bf16 {
namespace {

constexpr ptrdiff_t kRows = 14, kColumns = 32;

constexpr auto row_tile = tile_of_any_rows<DotForwardRows, Vector, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14>;

void dot(const Bf16Block& b) {
  const ptrdiff_t tiles = (b.rows + kRows - 1) / kRows, height = (b.rows + tiles - 1) / tiles;
  // A single row tile takes several panels at once. Several tiles share each panel while it is in cache.
  const ptrdiff_t width = tiles == 1 ? b.cols : kColumns;
  const ptrdiff_t words = b.k / 2, share = b.panel_stride / tiles;  // each tile fetches that of the next panel
  for (ptrdiff_t j = 0; j < b.cols; j += width) {
    const Word* const panel = b.panels_hi + j / kColumns * b.panel_stride;
    const Word* next = panel + b.panel_stride;
    for (ptrdiff_t i = 0; i < b.rows; i += height, next += share) {
      row_tile({.rows = height < b.rows - i ? height : b.rows - i,
                .cols = width < b.cols - j ? width : b.cols - j,
                .k = words,
                .x = reinterpret_cast<const Word*>(b.x_hi + i * b.ldx),
                .ldx = b.ldx / 2,
                .panels = panel,
                .panel_stride = b.panel_stride,
                .start = b.start.from(i, j / kColumns),
                .fetch = b.fetch_panels && words > 0 ? Fetch{next, (share + words - 1) / words, true} : Fetch{},
                .epilogue = b.epilogue.from(i, j)});
    }
  }
}

}  // namespace

extern constinit const KernelTable kTable = {
    .bf16_dot = {.mr = kRows, .nr = kColumns, .kr = 2, .run = dot},
};

}  // namespace idelta::avx512_bf16
