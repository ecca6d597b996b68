#include "src/core/formats/chain_product.h"

#include <algorithm>

namespace idelta::core {
namespace {

// Panels that a single row tile gets at once. More gain nothing.
constexpr int64_t kWidePanels = 4;

struct ChainShape {
  int64_t m, k, cols;
};

RowsPlan plan_for(const idelta_context& context, const ChainKernel& kernel, const ChainShape& size, bool prepared,
                  int64_t strips) {
  const TileShape tile{kernel.mr, kernel.nr};
  const double multiply_adds =
      static_cast<double>(size.m) * static_cast<double>(size.k) * static_cast<double>(size.cols);
  const int64_t threads = useful_threads(context.parallel.threads(), multiply_adds);
  const ForwardBlocks blocks = forward_blocks(context.caches, tile, size.m, size.k);
  RowsPlan plan{.partition = Partition(context.placement, threads,
                                       {.rows = size.m,
                                        .panels = ceil_div(size.cols, tile.nr),
                                        .cost = multiply_cost,
                                        .shape = {.tile = tile,
                                                  .words = kernel.kr == 1 ? size.k : ceil_div(size.k, kernel.kr),
                                                  .block_rows = blocks.mc,
                                                  .threads = threads,
                                                  .prepared = prepared,
                                                  .caches = context.caches},
                                        .strips = strips}),
                .multiply_adds = multiply_adds,
                .rows = blocks.mc,
                .kc = std::max<int64_t>(blocks.kc, 1)};
  plan.rows = std::min(plan.rows, plan.partition.most_rows());
  plan.prepared = (plan.shared() ? size.m : plan.rows) * copy_stride(size.k);
  if (plan.kc < size.k) plan.partial = plan.rows * plan.partition.most_panels() * tile.nr;
  return plan;
}

// See multiply_rows().
struct ChainProduct {
  const ChainTiles& tiles;
  const Multiplication& call;

  bool prepares() const { return call.errors.wanted(); }
  void prepare(const RowBlock& block) const {
    if (call.errors.wanted())
      call.errors.write(tiles.context.kernels, block.rows, block.at, block.ld, tiles.panels.k());
  }
  // Where the panels stay in L2, the next rows are prefetched: 4 % at n = 256, m = 4096 (Zen 4, 2026-11).
  void multiply(const RowBlock& block, Range panels, float* partial) const {
    const int64_t k = tiles.panels.k();
    if (block.next.size() == 0 || k < kShortRows || tiles.streams()) return tiles.multiply(block, panels, partial);
    tiles.multiply(block, panels, partial,
                   ChainTiles::rows_after(block, call.rows, k, tiles.tiles(block.rows.size(), panels.size())));
  }
};

}  // namespace

void ChainTiles::multiply(const RowBlock& block, Range columns, float* partial, FetchAhead ahead) const {
  const int64_t k = panels.k(), nr = panels.nr(), m = block.rows.size();
  const int64_t height = even_tile(m, kernel.mr), count = m <= height ? 1 : ceil_div(m, height);
  // A single row tile takes several panels at once. Several tiles share each panel in L2 and prefetch the next one.
  const int64_t together = count == 1 ? kWidePanels : 1;
  const bool fetches = !ahead.given() && count > 1 && streams();
  for (int64_t step = 0; step == 0 || step < k; step += kc) {  // once even if k = 0: a x + b is left
    const Range reduction{step, std::min(step + kc, k)};
    const int64_t words = panels.words_of(reduction.size());
    for (Range group = panels.first_alike(columns, together), next; group.size() > 0; group = next) {
      next = panels.first_alike({group.end, columns.end}, together);
      if (fetches && next.size() > 0) ahead = {panels.words(next.begin, step), words * nr, count};
      for (int64_t row = 0; row < m; row += height) {
        const int64_t rows = std::min(height, m - row);
        Sums waiting;
        if (kc < k) {
          waiting = {partial + (row * columns.size() + (group.begin - columns.begin) * rows) * nr, nr, rows * nr};
        }
        multiply_tile(block, {row, rows, group, reduction}, waiting, ahead.share(words));
      }
    }
  }
}

void ChainTiles::multiply_tile(const RowBlock& block, const Part& part, const Sums& waiting, const Fetch& fetch) const {
  const auto& [row, rows, group, reduction] = part;
  Range used = panels.used(group.begin);
  used = {std::max(used.begin, reduction.begin), std::min(used.end, reduction.end)};
  if (used.size() <= 0) used = {reduction.begin, reduction.begin};

  const int64_t column = group.begin * panels.nr();
  kernel({.rows = rows,
          .cols = std::min(group.size() * panels.nr(), panels.cols() - column),
          .k = used.size(),
          .x = block.at + row * block.ld + used.begin,
          .ldx = block.ld,
          .panels = panels.words(group.begin, used.begin),
          .panel_stride = panels.stride(),
          .start = reduction.begin > 0 ? waiting : block.start.from(row, group.begin),
          .suspend = reduction.end < panels.k() ? waiting : Sums{},
          .fetch = fetch,
          .epilogue = block.epilogue.from(row, column)});
}

size_t chains_workspace_bytes(const idelta_context& context, const ChainKernel& kernel, int64_t m, int64_t k,
                              int64_t cols) {
  const auto floats = [&](bool prepared) { return plan_for(context, kernel, {m, k, cols}, prepared, 0).floats(); };
  return static_cast<size_t>(std::max(floats(false), floats(true))) * sizeof(float);
}

void multiply_chains(const idelta_context& context, const ChainKernel& kernel, const Panels& panels,
                     Multiplication& call) {
  const int64_t k = panels.k(), cols = panels.cols();
  const CallRows rows(context, call, k, cols, kernel.nr, {.colliding = true, .overwritten = true});
  const RowsPlan plan = plan_for(context, kernel, {call.m, k, cols}, rows.prepares(), call.strips);
  const ChainTiles tiles{context, kernel, panels, plan.kc};
  multiply_rows(context, ChainProduct{tiles, call}, plan, rows, call, k);
}

}  // namespace idelta::core
