#include "src/core/forward.h"

#include <algorithm>
#include <limits>

#include "src/core/forward_rounded.h"

namespace idelta::core {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

// Row stride of a copy of rows: an odd number of lines, so that the rows of a tile spread over all sets of L1.
int64_t copy_stride(int64_t n) { return (ceil_div(n, kLine) | 1) * kLine; }

// How m rows are cut. Cut by rows alone, a task goes through its rows mc at a time; cut by columns too, a task takes
// tiles x panels of all rows. Rows that must be copied first (see Source) are copied just before they are multiplied,
// or, when cut by columns, all of them before any, by everybody.
struct Plan {
  Partition partition;
  ForwardBlocks blocks;
  bool shared;              // cut by columns too
  int64_t copied, partial;  // floats of a copied block, and of partial sums a task
  double multiply_adds;

  int64_t copied_total() const { return shared ? copied : copied * partition.tasks(); }
  int64_t total() const { return copied_total() + partial * partition.tasks(); }
};

Plan plan_for(const idelta_context& context, int64_t m, int64_t n) {
  const TileShape tile = context.tile();
  const int64_t panels = ceil_div(n, tile.nr);
  const double multiply_adds = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(n);
  const int64_t threads = useful_threads(context.parallel.threads(), multiply_adds);
  const Partition by_rows(context.placement, threads, {m, panels, forward_cost});
  const bool shared = by_rows.cuts_panels();
  const int64_t tile_rows = even_tile(m, tile.mr);
  Plan plan{.partition = shared ? Partition(context.placement, threads,
                                            {ceil_div(m, tile_rows), panels, forward_cost, tile_rows})
                                : by_rows,
            .blocks = forward_blocks(context.caches, tile, shared ? m : by_rows.most_rows(), n),
            .shared = shared,
            .multiply_adds = multiply_adds};
  const int64_t rows_at_once = shared ? m : plan.blocks.mc;
  plan.copied = rows_at_once * copy_stride(n);
  const int64_t rows_a_task = shared ? plan.partition.most_rows() * tile_rows : rows_at_once;
  if (plan.blocks.kc < n) plan.partial = rows_a_task * plan.partition.most_panels() * tile.nr;
  return plan;
}

// Rows as the kernels read them, in tiles of one height (the last may be lower).
struct RowBlock {
  const float* data;
  int64_t ld;
  int64_t first, rows, tile_rows;  // first: among all m

  int64_t tiles() const { return rows == 0 ? 0 : ceil_div(rows, tile_rows); }
  int64_t height(int64_t tile) const { return std::min(tile_rows, rows - tile * tile_rows); }
  int64_t row(int64_t tile) const { return first + tile * tile_rows; }
  const float* tile(int64_t tile) const { return data + tile * tile_rows * ld; }
};

// dst = dy act'(y) for rows [range).
CopyRows gradient_step(const Rows& rows, Range range, int64_t n, float* dst, int64_t ldd) {
  return {.rows = range.size(),
          .cols = n,
          .src = rows.src + range.begin * rows.ld,
          .ld = rows.ld,
          .dst = dst,
          .ldd = ldd,
          .y = rows.y + range.begin * rows.ldy,
          .ldy = rows.ldy,
          .gradient = rows.gradient};
}

// Where the rows are when they are multiplied: as given, in dz = dy act'(y) if that is wanted, or in a copy, if there
// is no such dz, y overwrites them or their stride crowds L1. As they lie is worth 2 % at n = 512 and 10 % at n = 64
// (Zen 5, 2026-11).
class Source {
 public:
  Source(const idelta_context& context, int64_t m, int64_t n, const Rows& rows, const float* overwritten)
      : kernels_(context.kernels),
        n_(n),
        rows_(rows),
        lies_(!rows.y   ? kGiven
              : rows.dz ? kInDz
                        : kCopied) {
    if (lies_ == kGiven && (rows.src == overwritten || rows_collide(m, rows.ld))) lies_ = kCopied;
    if (lies_ == kInDz && rows_collide(m, rows.lddz)) lies_ = kCopied;
  }

  bool needs_preparation() const { return rows_.y || lies_ == kCopied; }

  // Makes rows [range); a copy goes to `memory`, rows copy_stride(n) apart.
  void prepare(Range range, float* memory) const {
    if (rows_.y && !rows_.dz) {
      return kernels_.f32_copy_rows(gradient_step(rows_, range, n_, memory, copy_stride(n_)));
    }
    CopyRows copy{.rows = range.size(),
                  .cols = n_,
                  .src = rows_.src + range.begin * rows_.ld,
                  .ld = rows_.ld,
                  .dst = memory,
                  .ldd = copy_stride(n_)};
    if (rows_.y) {
      float* const dz = rows_.dz + range.begin * rows_.lddz;
      kernels_.f32_copy_rows(gradient_step(rows_, range, n_, dz, rows_.lddz));
      copy.src = dz;
      copy.ld = rows_.lddz;
    }
    if (lies_ == kCopied) kernels_.f32_copy_rows(copy);
  }

  // The prepared rows [range).
  RowBlock block(Range range, int64_t tile_rows, const float* memory) const {
    RowBlock block{rows_.src + range.begin * rows_.ld, rows_.ld, range.begin, range.size(), tile_rows};
    if (lies_ == kInDz) block.data = rows_.dz + range.begin * rows_.lddz, block.ld = rows_.lddz;
    if (lies_ == kCopied) block.data = memory, block.ld = copy_stride(n_);
    return block;
  }

 private:
  enum Lies { kGiven, kInDz, kCopied };

  const KernelTable& kernels_;
  int64_t n_;
  const Rows& rows_;
  Lies lies_;
};

// Rows of the next block, brought to L2 some lines at a time while this one is multiplied: 3 % at n = 1024, m = 4096
// (Zen 5, 2026-11).
class FetchAhead {
 public:
  // `count` rows of n, ld apart, in `steps` steps.
  FetchAhead(const float* rows, int64_t ld, int64_t count, int64_t n, int64_t steps)
      : at_(rows), skip_(ld - n), n_(n), left_(rows ? count * n : 0), share_(ceil_div(ceil_div(left_, kLine), steps)) {}

  void step() {
    for (int64_t i = 0; i < share_ && left_ > 0; ++i) {
      __builtin_prefetch(at_, 0, 2);
      const int64_t advance = std::min(kLine, n_ - column_);
      at_ += advance, left_ -= advance, column_ += advance;
      if (column_ == n_) at_ += skip_, column_ = 0;
    }
  }

 private:
  const float* at_;
  int64_t skip_, n_, left_, share_, column_ = 0;
};

struct Multiply {
  const idelta_context& context;
  const Panels& panels;
  float identity_scale;
  int64_t n, kc;
  bool fetch_y;
  const Output& out;

  // Tiles [tiles) of a block against panels [columns); meanwhile() after each.
  template <class Meanwhile>
  void operator()(const RowBlock& rows, Range tiles, Range columns, float* partial, const Meanwhile& meanwhile) const {
    // One tile streams D; as many panels at once as the kernel likes. Several share each panel while it is in L2.
    const int64_t together = tiles.size() == 1 ? context.kernels.wide_panels : 1;
    for (int64_t k = 0; k < n; k += kc) {
      for (Range group = first_group(columns, together); group.size() > 0;
           group = first_group({group.end, columns.end}, together)) {
        for (int64_t t = tiles.begin; t < tiles.end; ++t) {
          float* sums = partial ? partial + ((t - tiles.begin) * rows.tile_rows * columns.size() +
                                             (group.begin - columns.begin) * rows.height(t)) *
                                                panels.nr()
                                : nullptr;
          multiply(rows, t, group, {k, std::min(k + kc, n)}, sums);
          meanwhile();
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

  void multiply(const RowBlock& rows, int64_t tile, Range group, Range reduction, float* sums) const {
    Range used = panels.used(group.begin);
    used = {std::max(used.begin, reduction.begin), std::min(used.end, reduction.end)};
    if (used.size() <= 0) used = {reduction.begin, reduction.begin};

    const int64_t height = rows.height(tile), row = rows.row(tile), column = group.begin * panels.nr();
    const auto kernel =
        panels.format() == IDELTA_FORMAT_F32 ? context.kernels.f32_forward : context.kernels.bf16_forward;
    kernel({.rows = height,
            .cols = std::min(group.size() * panels.nr(), n - column),
            .k = used.size(),
            .x = rows.tile(tile) + used.begin,
            .ldx = rows.ld,
            .panels = panels.words(group.begin, used.begin),
            .panel_stride = panels.stride(),
            .partial = sums,
            .resume = reduction.begin > 0,
            .suspend = reduction.end < n,
            .residual = rows.tile(tile) + column,
            .ld_residual = rows.ld,
            .identity_scale = identity_scale,
            .bias = out.bias ? out.bias + column : nullptr,
            .activation = out.activation,
            .y = out.y + row * out.ldy + column,
            .ldy = out.ldy,
            .contribution = out.contribution ? out.contribution + row * out.ldc + column : nullptr,
            .ldc = out.ldc,
            .fetch_y = fetch_y});
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
  return m == 0 ? 0 : static_cast<size_t>(plan_for(context, m, n).total()) * sizeof(float);
}

void forward(const idelta_context& context, const Panels& panels, float identity_scale, int64_t m, int64_t n,
             const Rows& rows, const Output& output, const OfferedWorkspace& offered) {
  if (rounds_rows(context, panels.format())) {
    return forward_rounded(context, panels, identity_scale, m, n, rows, output, offered);
  }
  const Plan plan = plan_for(context, m, n);
  float* const workspace = offered.take(plan.total());
  const int64_t mr = context.kernels.mr;
  const Source source(context, m, n, rows, output.y);
  const Multiply multiply{context, panels, identity_scale, n, plan.blocks.kc, far_outputs(context.caches, m, n),
                          output};
  float* const partials = workspace + plan.copied_total();
  const auto partial_of = [&](int64_t task) { return plan.partial ? partials + task * plan.partial : nullptr; };

  if (plan.shared) {
    const int64_t preparers = std::min(m, plan.partition.tasks());
    if (source.needs_preparation()) {
      context.parallel.run(preparers, packing_work(m * n), [&](int64_t task) {
        const Range mine = part_of(m, preparers, task);
        source.prepare(mine, workspace + mine.begin * copy_stride(n));
      });
    }
    const RowBlock block = source.block({0, m}, even_tile(m, mr), workspace);
    context.parallel.run(plan.partition.tasks(), plan.multiply_adds, [&](int64_t task) {
      const Cell cell = plan.partition.cell(task);
      multiply(block, cell.rows, cell.panels, partial_of(task), [] {});
    });
    return;
  }
  context.parallel.run(plan.partition.tasks(), plan.multiply_adds, [&](int64_t task) {
    const Range mine = plan.partition.cell(task).rows;
    float* const memory = workspace + task * plan.copied;
    for (int64_t row = mine.begin; row < mine.end; row += plan.blocks.mc) {
      const Range range{row, std::min(row + plan.blocks.mc, mine.end)};
      if (source.needs_preparation()) source.prepare(range, memory);
      const RowBlock block = source.block(range, even_tile(range.size(), mr), memory);
      const int64_t next = n < kShortRows ? 0 : std::min(plan.blocks.mc, mine.end - range.end);
      const int64_t steps = block.tiles() * panels.count() * ceil_div(n, plan.blocks.kc);
      FetchAhead next_src(rows.src + range.end * rows.ld, rows.ld, next, n, steps);
      FetchAhead next_y(rows.y ? rows.y + range.end * rows.ldy : nullptr, rows.ldy, next, n, steps);
      FetchAhead next_dz(rows.dz ? rows.dz + range.end * rows.lddz : nullptr, rows.lddz, next, n, steps);
      multiply(block, {0, block.tiles()}, {0, panels.count()}, partial_of(task), [&] {
        next_src.step();
        next_y.step();
        next_dz.step();
      });
    }
  });
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
