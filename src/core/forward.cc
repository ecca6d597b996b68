#include "src/core/forward.h"

#include <algorithm>
#include <limits>

#include "src/core/fetch_ahead.h"
#include "src/core/forward_plan.h"
#include "src/core/forward_rounded.h"
#include "src/core/source.h"

namespace idelta::core {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

// Panels that one tile is given at once when it streams D: kernels take as many of them together as registers hold.
constexpr int64_t kStreamedPanels = 4;

struct Plan : ForwardPlan {
  int64_t kc;
};

Plan plan_for(const idelta_context& context, const Kernel<ForwardTile>& kernel, int64_t m, int64_t n,
              const Traffic& traffic) {
  const TileShape tile{kernel.mr, kernel.nr};
  const int64_t panels = ceil_div(n, tile.nr);
  const double multiply_adds = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(n);
  const int64_t threads = forward_threads(context, multiply_adds, n, traffic);
  Partition::Work work{m, panels, forward_cost, 1, tile, traffic};
  const Partition by_rows(context.placement, threads, work);
  const bool shared = by_rows.cuts_panels();
  const int64_t tile_rows = even_tile(m, tile.mr);
  if (shared) work.rows = ceil_div(m, tile_rows), work.unit = work.tile.mr = tile_rows;
  const ForwardBlocks blocks = forward_blocks(context.caches, tile, shared ? m : by_rows.most_rows(), n);
  Plan plan{{.partition = shared ? Partition(context.placement, threads, work) : by_rows,
             .multiply_adds = multiply_adds,
             .shared = shared,
             .rows = shared ? m : blocks.mc},
            blocks.kc};
  plan.block = plan.rows * Source::copy_stride(n);
  const int64_t rows_a_task = shared ? plan.partition.most_rows() * tile_rows : plan.rows;
  if (plan.kc < n) plan.partial = rows_a_task * plan.partition.most_panels() * tile.nr;
  return plan;
}

// In tiles of one height (the last may be lower).
struct Block : Source::Block {
  int64_t tile_rows;

  Range all() const { return {0, ceil_div(rows.size(), tile_rows)}; }
  int64_t height(int64_t tile) const { return std::min(tile_rows, rows.size() - tile * tile_rows); }
};

// See ForwardPlan::run().
struct Pass {
  const idelta_context& context;
  const Kernel<ForwardTile>& kernel;
  const Panels& panels;
  int64_t n, kc;
  const Source& source;

  Block block(Range range, float* memory) const { return {{range, memory}, even_tile(range.size(), kernel.mr)}; }
  bool needs_preparation() const { return source.needs_preparation(); }
  void prepare(const Block& block, Range range) const { source.prepare(block, range); }

  // Tiles of a block against panels.
  void multiply(const Block& block, const Cell& cell, float* partial, Range next) const {
    // One tile streams D, several panels at once. Several share each panel while it is in L2.
    const Range tiles = cell.rows, columns = cell.panels;
    const int64_t together = tiles.size() == 1 ? kStreamedPanels : 1;
    FetchAhead ahead(tiles.size() * columns.size() * ceil_div(n, kc));
    ahead.rows(source.rows(), next, n);
    if (next.size() == 0 && kc >= n && wait_for_panels(context.caches, panels, tiles.size())) {
      ahead.panels(panels.words(columns.begin + 1, 0), columns.size() * panels.stride());
    }
    for (int64_t k = 0; k < n; k += kc) {
      for (Range group = panels.first_alike(columns, together); group.size() > 0;
           group = panels.first_alike({group.end, columns.end}, together)) {
        for (int64_t t = tiles.begin; t < tiles.end; ++t) {
          multiply_tile(block, t, group, {k, std::min(k + kc, n)}, waiting_sums(block, cell, t, group.begin, partial),
                        ahead);
        }
      }
    }
  }

  // Of a tile and its panels between blocks of k, if there are several.
  Sums waiting_sums(const Block& block, const Cell& cell, int64_t tile, int64_t panel, float* partial) const {
    if (kc >= n) return {};
    const int64_t height = block.height(tile), nr = panels.nr();
    const int64_t before =
        (tile - cell.rows.begin) * block.tile_rows * cell.panels.size() + (panel - cell.panels.begin) * height;
    return {partial + before * nr, nr, height * nr};
  }

  void multiply_tile(const Block& block, int64_t tile, Range group, Range reduction, const Sums& sums,
                     FetchAhead& ahead) const {
    Range used = panels.used(group.begin);
    used = {std::max(used.begin, reduction.begin), std::min(used.end, reduction.end)};
    if (used.size() <= 0) used = {reduction.begin, reduction.begin};

    const int64_t row = tile * block.tile_rows, column = group.begin * panels.nr();
    kernel({.rows = block.height(tile),
            .cols = std::min(group.size() * panels.nr(), n - column),
            .k = used.size(),
            .x = source.at(block, row) + used.begin,
            .ldx = source.ld(),
            .panels = panels.words(group.begin, used.begin),
            .panel_stride = panels.stride(),
            .start = reduction.begin > 0 ? sums : Sums{},
            .suspend = reduction.end < n ? sums : Sums{},
            .fetch = ahead.share(ceil_div(reduction.size(), panels.steps_a_word())),
            .epilogue = source.epilogue(block, row, column)});
  }
};

}  // namespace

Activation activation_of(const idelta_activation& activation) {
  switch (activation.kind) {
    case IDELTA_ACTIVATION_RELU:
      return {1, 0, kInfinity, false};
    case IDELTA_ACTIVATION_LEAKY_RELU:
      return {activation.slope, -kInfinity, kInfinity, false};
    case IDELTA_ACTIVATION_HARD_TANH:
      return {1, -1, 1, false};
    case IDELTA_ACTIVATION_TANH:
      return {1, -kInfinity, kInfinity, true};
    case IDELTA_ACTIVATION_IDENTITY:
      break;
  }
  return {1, -kInfinity, kInfinity, false};
}

ActivationGradient gradient_of(const idelta_activation& activation) {
  switch (activation.kind) {
    case IDELTA_ACTIVATION_RELU:
      return {1, 0, kNone, false};
    case IDELTA_ACTIVATION_LEAKY_RELU:
      return {activation.slope, kNone, kNone, false};
    case IDELTA_ACTIVATION_HARD_TANH:
      return {1, -1, 1, false};
    case IDELTA_ACTIVATION_TANH:
      return {1, kNone, kNone, true};
    case IDELTA_ACTIVATION_IDENTITY:
      break;
  }
  return {1, kNone, kNone, false};
}

size_t forward_workspace_bytes(const idelta_context& context, idelta_format format, int64_t m, int64_t n) {
  if (m > 0 && rounds_rows(context, format)) return forward_rounded_workspace_bytes(context, format, m, n);
  if (m == 0) return 0;
  const Kernel<ForwardTile>& kernel = chain_kernel(context, format);
  const int64_t floats =
      most_of([&](const Traffic& traffic) { return plan_for(context, kernel, m, n, traffic).total(); });
  return static_cast<size_t>(floats) * sizeof(float);
}

void forward(const idelta_context& context, const Panels& panels, int64_t m, int64_t n, const Rows& rows,
             Epilogue& epilogue, const OfferedWorkspace& offered) {
  if (rounds_rows(context, panels.format())) {
    return forward_rounded(context, panels, m, n, rows, epilogue, offered);
  }
  const Kernel<ForwardTile>& kernel = chain_kernel(context, panels.format());
  Source source(context, m, n, rows, epilogue);
  source.copy_for_multiplying();
  const Plan plan = plan_for(context, kernel, m, n, {source.needs_preparation(), panels.stepped()});
  plan.run(context, m, n, offered.take(plan.total()), source,
           [&](const Source& way) { return Pass{context, kernel, panels, n, plan.kc, way}; });
}

void activation_backward(const idelta_context& context, int64_t m, int64_t n, const Rows& rows) {
  const double work = packing_work(m * n);
  const int64_t tasks = std::min(m, useful_threads(context.parallel.threads(), work));
  context.parallel.run(tasks, work, [&](int64_t task) {
    const Range mine = part_of(m, tasks, task);
    context.kernels.f32_copy_rows(gradient_step(rows, mine, n, rows.dz + mine.begin * rows.lddz, rows.lddz));
  });
}

}  // namespace idelta::core
