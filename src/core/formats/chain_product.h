// Multiplying rows in fp32 with panels, one chain of multiply-adds an element: F32, BF16 widened, both halves of
// LOW_RANK.
#ifndef IDELTA_CORE_FORMATS_CHAIN_PRODUCT_H
#define IDELTA_CORE_FORMATS_CHAIN_PRODUCT_H

#include <algorithm>

#include "src/core/context.h"
#include "src/core/formats/fetch_ahead.h"
#include "src/core/formats/multiplication.h"
#include "src/core/formats/panels.h"
#include "src/core/formats/source.h"

namespace idelta::core {

using ChainKernel = Kernel<ForwardTile>;

// How many panels one row tile is given at once when D is streamed: more streams than that gain nothing.
inline constexpr int64_t kWidePanels = 4;

// In tiles of one height (the last may be lower).
struct TiledBlock : Source::Block {
  int64_t tile_rows;

  TiledBlock(Range of, float* memory, int64_t mr) : Source::Block({of, memory}), tile_rows(even_tile(of.size(), mr)) {}
  Range all() const { return {0, ceil_div(rows.size(), tile_rows)}; }
  int64_t height(int64_t tile) const { return std::min(tile_rows, rows.size() - tile * tile_rows); }
};

// The tiles of a block of rows against panels. From is Source, or has its at(), ld(), epilogue(), start() and fetch().
template <class From>
struct ChainProduct {
  const idelta_context& context;
  const ChainKernel& kernel;
  const Panels& panels;
  int64_t kc;  // reduction steps at a time, 1 or more
  const From& from;

  // partial: where sums wait between blocks of the reduction, if there are several. `next` are the rows that the same
  // task makes next: their lines are fetched.
  void multiply(const TiledBlock& block, const Cell& cell, float* partial, Range next) const {
    const int64_t k = panels.k();
    // One tile streams D; as many panels at once as the kernel likes. Several share each panel while it is in L2.
    const Range tiles = cell.rows, columns = cell.panels;
    const int64_t together = tiles.size() == 1 ? kWidePanels : 1;
    FetchAhead ahead(tiles.size() * columns.size() * ceil_div(k, kc));
    from.fetch(ahead, block, next);
    if (next.size() == 0 && kc >= k && wait_for_panels(context.caches, panels, tiles.size())) {
      ahead.panels(panels.words(columns.begin + 1, 0), columns.size() * panels.stride());
    }
    for (int64_t step = 0; step == 0 || step < k; step += kc) {  // once without a reduction: a residual and a bias
      for (Range group = panels.first_alike(columns, together); group.size() > 0;
           group = panels.first_alike({group.end, columns.end}, together)) {
        for (int64_t t = tiles.begin; t < tiles.end; ++t) {
          multiply_tile(block, t, group, {step, std::min(step + kc, k)},
                        waiting_sums(block, cell, t, group.begin, partial), ahead);
        }
      }
    }
  }

 private:
  // Of a tile and its panels between blocks of the reduction, if there are several.
  Sums waiting_sums(const TiledBlock& block, const Cell& cell, int64_t tile, int64_t panel, float* partial) const {
    if (kc >= panels.k()) return {};
    const int64_t height = block.height(tile), nr = panels.nr();
    const int64_t before =
        (tile - cell.rows.begin) * block.tile_rows * cell.panels.size() + (panel - cell.panels.begin) * height;
    return {partial + before * nr, nr, height * nr};
  }

  void multiply_tile(const TiledBlock& block, int64_t tile, Range group, Range reduction, const Sums& waiting,
                     FetchAhead& ahead) const {
    Range used = panels.used(group.begin);
    used = {std::max(used.begin, reduction.begin), std::min(used.end, reduction.end)};
    if (used.size() <= 0) used = {reduction.begin, reduction.begin};

    const int64_t row = tile * block.tile_rows, column = group.begin * panels.nr();
    kernel({.rows = block.height(tile),
            .cols = std::min(group.size() * panels.nr(), panels.cols() - column),
            .k = used.size(),
            .x = from.at(block, row) + used.begin,
            .ldx = from.ld(),
            .panels = panels.words(group.begin, used.begin),
            .panel_stride = panels.stride(),
            .start = reduction.begin > 0 ? waiting : from.start(block, row, column, panels.nr()),
            .suspend = reduction.end < panels.k() ? waiting : Sums{},
            .fetch = ahead.share(ceil_div(reduction.size(), panels.steps_a_word())),
            .epilogue = from.epilogue(block, row, column)});
  }
};

// Of multiply_chains(), for m >= 1 rows and any B of k x cols.
size_t chains_workspace_bytes(const idelta_context& context, const ChainKernel& kernel, int64_t m, int64_t k,
                              int64_t cols);

// A whole call.
void multiply_chains(const idelta_context& context, const ChainKernel& kernel, const Panels& panels,
                     Multiplication& call);

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_CHAIN_PRODUCT_H
