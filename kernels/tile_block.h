// A block of rows and consecutive panels in row tiles, for products whose operands are words of several steps: the dot
// products of bf16 and int8.
#ifndef IDELTA_KERNELS_TILE_BLOCK_H
#define IDELTA_KERNELS_TILE_BLOCK_H

#include "kernels/compiler.h"
#include "kernels/kernels.h"

namespace idelta {

struct WordOperands {
  const Word* x;
  ptrdiff_t ldx;  // words, as are those of the panels
  const Word* panels;
  ptrdiff_t steps;  // of the reduction, a word each
};

// Calls run(i, j, tile) for the tiles of at most kRows rows that begin at row i and column j. A single row tile takes
// all panels at once. Several tiles share each panel while it is in cache, and each fetches its share of the next.
template <class Product, ptrdiff_t kRows, ptrdiff_t kColumns, class Block, class Run>
IDELTA_INLINE void each_row_tile(const Block& b, const WordOperands& o, const Run& run) {
  const ptrdiff_t tiles = (b.rows + kRows - 1) / kRows, height = (b.rows + tiles - 1) / tiles;
  const ptrdiff_t width = tiles == 1 ? b.cols : kColumns;
  const ptrdiff_t share = b.panel_stride / tiles;
  const bool fetches = b.fetch_panels && o.steps > 0;
  for (ptrdiff_t j = 0; j < b.cols; j += width) {
    const Word* const panel = o.panels + j / kColumns * b.panel_stride;
    const Word* next = panel + b.panel_stride;
    for (ptrdiff_t i = 0; i < b.rows; i += height, next += share) {
      run(i, j,
          ProductTile<typename Product::X>{
              .rows = height < b.rows - i ? height : b.rows - i,
              .cols = width < b.cols - j ? width : b.cols - j,
              .k = o.steps,
              .x = o.x + i * o.ldx,
              .ldx = o.ldx,
              .panels = panel,
              .panel_stride = b.panel_stride,
              .start = b.start.from(i, j / kColumns),
              .fetch = fetches ? Fetch{next, (share + o.steps - 1) / o.steps, true} : Fetch{},
              .epilogue = b.epilogue.from(i, j)});
    }
  }
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_TILE_BLOCK_H
