#include "src/core/forward.h"

#include <algorithm>
#include <limits>

namespace idelta::core {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

// How m rows are cut. Cut by rows alone, a task packs mc rows at a time into lines of its own and multiplies them;
// cut by columns too, all rows are packed first, by everybody, and a task takes tiles x panels of them.
struct Plan {
  Grid grid;
  ForwardBlocks blocks;
  bool shared;             // all rows are packed first
  int64_t lines, partial;  // floats of lines a packed block, and of partial sums a task

  int64_t lines_total() const { return shared ? lines : lines * grid.rows; }
  int64_t total() const { return lines_total() + partial * grid.rows * grid.cols; }
};

Plan plan_for(const idelta_context& context, int64_t m, int64_t n) {
  const TileShape tile = context.tile();
  const int64_t panels = ceil_div(n, tile.nr);
  const int64_t threads = useful_threads(context.parallel.threads(),
                                         static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(n));
  Plan plan{};
  plan.grid = forward_grid(threads, m, panels);
  plan.shared = plan.grid.cols > 1;
  plan.blocks = forward_blocks(context.caches, tile, plan.shared ? m : ceil_div(m, plan.grid.rows), n);
  const int64_t rows_packed = plan.shared ? m : plan.blocks.mc;  // at once
  plan.lines = rows_packed * round_up(n, kLine);
  const int64_t tile_rows = even_tile(m, tile.mr);
  const int64_t rows_a_task = plan.shared ? ceil_div(ceil_div(m, tile_rows), plan.grid.rows) * tile_rows : rows_packed;
  if (plan.blocks.kc < n) plan.partial = rows_a_task * ceil_div(panels, plan.grid.cols) * tile.nr;
  return plan;
}

// Rows in tiles of one height (the last may be lower), packed one after the other.
struct PackedRows {
  float* lines;
  int64_t first, rows, tile_rows, n;

  int64_t tiles() const { return rows == 0 ? 0 : ceil_div(rows, tile_rows); }
  int64_t height(int64_t tile) const { return std::min(tile_rows, rows - tile * tile_rows); }
  int64_t row(int64_t tile) const { return first + tile * tile_rows; }
  float* tile(int64_t tile) const { return lines + tile * tile_rows * round_up(n, kLine); }
};

void pack_tile(const idelta_context& context, const PackedRows& packed, int64_t tile, const Rows& rows) {
  const int64_t row = packed.row(tile);
  context.kernels.f32_pack_lines({.rows = packed.height(tile),
                                  .k = packed.n,
                                  .src = rows.src + row * rows.ld,
                                  .ld = rows.ld,
                                  .lines = packed.tile(tile),
                                  .y = rows.y ? rows.y + row * rows.ldy : nullptr,
                                  .ldy = rows.ldy,
                                  .gradient = rows.gradient,
                                  .dz = rows.dz ? rows.dz + row * rows.lddz : nullptr,
                                  .lddz = rows.lddz});
}

struct Multiply {
  const idelta_context& context;
  const Panels& panels;
  float identity_scale;
  int64_t kc;
  const Output& out;

  // Tiles [tiles) of packed against panels [columns).
  void operator()(const PackedRows& packed, Range tiles, Range columns, float* partial) const {
    // One tile streams D; as many panels at once as the kernel likes. Several share each panel while it is in L2.
    const int64_t together = tiles.size() == 1 ? context.kernels.wide_panels : 1;
    for (int64_t k = 0; k < packed.n; k += kc) {
      for (Range group = first_group(columns, together); group.size() > 0;
           group = first_group({group.end, columns.end}, together)) {
        for (int64_t t = tiles.begin; t < tiles.end; ++t) {
          float* sums = partial ? partial + ((t - tiles.begin) * packed.tile_rows * columns.size() +
                                             (group.begin - columns.begin) * packed.height(t)) *
                                                panels.nr()
                                : nullptr;
          multiply(packed, t, group, {k, std::min(k + kc, packed.n)}, sums);
        }
      }
    }
  }

  // The first panels of `columns`, at most `together`, whose used rows are the same: what is skipped then depends on D
  // alone, not on how the work was cut.
  Range first_group(Range columns, int64_t together) const {
    int64_t end = std::min(columns.begin + 1, columns.end);
    while (end < std::min(columns.begin + together, columns.end) && panels.used(end) == panels.used(columns.begin))
      ++end;
    return {columns.begin, end};
  }

  void multiply(const PackedRows& packed, int64_t tile, Range group, Range block, float* sums) const {
    Range used = panels.used(group.begin);
    used = {std::max(used.begin, block.begin), std::min(used.end, block.end)};
    if (used.size() <= 0) used = {block.begin, block.begin};

    const int64_t height = packed.height(tile), row = packed.row(tile), column = group.begin * panels.nr();
    context.kernels.f32_forward({.rows = height,
                                 .cols = std::min(group.size() * panels.nr(), packed.n - column),
                                 .k = used.size(),
                                 .lines = packed.tile(tile) + used.begin * height,
                                 .panels = panels.panel(group.begin) + used.begin * panels.nr(),
                                 .panel_stride = panels.stride(),
                                 .partial = sums,
                                 .resume = block.begin > 0,
                                 .suspend = block.end < packed.n,
                                 .residual = packed.tile(tile) + column * height,
                                 .identity_scale = identity_scale,
                                 .bias = out.bias ? out.bias + column : nullptr,
                                 .activation = out.activation,
                                 .y = out.y + row * out.ldy + column,
                                 .ldy = out.ldy,
                                 .contribution = out.contribution ? out.contribution + row * out.ldc + column : nullptr,
                                 .ldc = out.ldc});
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

size_t forward_workspace_bytes(const idelta_context& context, int64_t m, int64_t n) {
  return m == 0 ? 0 : static_cast<size_t>(plan_for(context, m, n).total()) * sizeof(float);
}

void forward(const idelta_context& context, const Panels& panels, float identity_scale, int64_t m, int64_t n,
             const Rows& rows, const Output& output, const OfferedWorkspace& offered) {
  const Plan plan = plan_for(context, m, n);
  float* const workspace = offered.take(plan.total());
  const int64_t mr = context.kernels.mr;
  const Multiply multiply{context, panels, identity_scale, plan.blocks.kc, output};
  float* const partials = workspace + plan.lines_total();
  const auto partial_of = [&](int64_t task) { return plan.partial ? partials + task * plan.partial : nullptr; };

  if (plan.shared) {
    const PackedRows packed{workspace, 0, m, even_tile(m, mr), n};
    const int64_t packers = std::min(packed.tiles(), plan.grid.rows * plan.grid.cols);
    context.parallel.run(packers, [&](int64_t task) {
      const Range tiles = part_of(packed.tiles(), packers, task);
      for (int64_t t = tiles.begin; t < tiles.end; ++t) pack_tile(context, packed, t, rows);
    });
    context.parallel.run(plan.grid.rows * plan.grid.cols, [&](int64_t task) {
      const Range tiles = part_of(packed.tiles(), plan.grid.rows, task / plan.grid.cols);
      multiply(packed, tiles, part_of(panels.count(), plan.grid.cols, task % plan.grid.cols), partial_of(task));
    });
    return;
  }
  context.parallel.run(plan.grid.rows, [&](int64_t task) {
    const Range mine = part_of(m, plan.grid.rows, task);
    for (int64_t row = mine.begin; row < mine.end; row += plan.blocks.mc) {
      const int64_t height = std::min(plan.blocks.mc, mine.end - row);
      const PackedRows packed{workspace + task * plan.lines, row, height, even_tile(height, mr), n};
      for (int64_t t = 0; t < packed.tiles(); ++t) pack_tile(context, packed, t, rows);
      multiply(packed, {0, packed.tiles()}, {0, panels.count()}, partial_of(task));
    }
  });
}

void activation_backward(const idelta_context& context, int64_t m, int64_t n, const Rows& rows,
                         const OfferedWorkspace& offered) {
  const Plan plan = plan_for(context, m, n);
  float* const workspace = offered.take(plan.total());
  const int64_t tasks = std::min(m, plan.grid.rows * plan.grid.cols);
  context.parallel.run(tasks, [&](int64_t task) {
    const Range mine = part_of(m, tasks, task);
    for (int64_t row = mine.begin; row < mine.end; ++row) {  // each over the last: only dz is wanted
      pack_tile(context, {workspace + task * round_up(n, kLine), row, 1, 1, n}, 0, rows);
    }
  });
}

}  // namespace idelta::core
