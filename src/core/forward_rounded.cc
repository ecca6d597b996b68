#include "src/core/forward_rounded.h"

#include <algorithm>

#include "src/core/partition.h"

namespace idelta::core {
namespace {

// How m rows are cut. Cut by rows alone, a task rounds `rows` of them at a time and multiplies them; cut by columns
// too, all rows are rounded first, by everybody, and a task takes some of them times some panels.
struct Plan {
  Partition partition;
  double multiply_adds;   // of fp32, that take as long
  bool shared;            // cut by columns too
  int64_t rows;           // rounded at once
  int64_t stride;         // bf16 numbers from one rounded row to the next
  int64_t planes;         // hi, or hi and lo
  int64_t plane;          // bf16 numbers of one
  int64_t copy_stride;    // floats from row to row of dz where nobody wants dz
  int64_t partial;        // floats a task
  int64_t block, blocks;  // floats of a block of rows, rounded and copied; how many there are

  int64_t total() const { return block * blocks + partial * partition.tasks(); }
};

Plan plan_for(const idelta_context& context, idelta_format format, int64_t m, int64_t n) {
  const int64_t panels = ceil_div(n, context.kernels.nr);
  const double multiply_adds = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(n) / 2;
  const int64_t threads = useful_threads(context.parallel.threads(), multiply_adds);
  Plan plan{.partition = Partition(context.placement, threads, {m, panels, forward_cost}),
            .multiply_adds = multiply_adds};
  plan.shared = plan.partition.cuts_panels();
  plan.planes = planes_of(format);
  // An odd number of lines, so that the rows of a tile spread over all sets of L1.
  plan.stride = (ceil_div(n, kPairLine) | 1) * kPairLine;
  plan.copy_stride = round_up(n, kLine);
  plan.rows = plan.shared ? m
                          : rounded_rows(context.caches, context.kernels.bf16_mr, plan.partition.most_rows(),
                                         plan.planes * plan.stride * static_cast<int64_t>(sizeof(uint16_t)));
  plan.plane = (plan.rows + kRowsPastLast) * plan.stride;
  plan.block = plan.planes * plan.plane / 2 + plan.rows * plan.copy_stride;
  plan.blocks = plan.shared ? 1 : plan.partition.tasks();
  plan.partial = round_up(plan.shared ? plan.partition.most_rows() : plan.rows, kPairLine) * context.kernels.nr;
  return plan;
}

// A block of rows where it is multiplied: rounded, and in fp32 for the identity path.
struct RoundedRows {
  uint16_t *hi, *lo;
  int64_t stride;
  const float* residual;
  int64_t ld_residual;
  int64_t first;  // among all m

  RoundedRows from(int64_t row) const {
    return {hi + row * stride, lo ? lo + row * stride : nullptr, stride, residual + row * ld_residual, ld_residual,
            first + row};
  }
};

class Source {
 public:
  Source(const KernelTable& kernels, const Plan& plan, int64_t n, const Rows& rows)
      : kernels_(kernels), plan_(plan), n_(n), rows_(rows) {}

  // Rows [first, ...) of a block whose memory is given; nothing is in it before prepare().
  RoundedRows block(int64_t first, float* memory) const {
    const auto hi = reinterpret_cast<uint16_t*>(memory);
    const float* const copy = memory + plan_.planes * plan_.plane / 2;
    RoundedRows block{hi, plan_.planes == 2 ? hi + plan_.plane : nullptr, plan_.stride, copy, plan_.copy_stride, first};
    if (!rows_.y) block.residual = rows_.src + first * rows_.ld, block.ld_residual = rows_.ld;
    if (rows_.y && rows_.dz) block.residual = rows_.dz + first * rows_.lddz, block.ld_residual = rows_.lddz;
    return block;
  }

  // Makes rows [range) of a block.
  void prepare(const RoundedRows& block, Range range) const {
    const RoundedRows to = block.from(range.begin);
    if (rows_.y) {
      kernels_.f32_copy_rows({.rows = range.size(),
                              .cols = n_,
                              .src = rows_.src + to.first * rows_.ld,
                              .ld = rows_.ld,
                              .dst = const_cast<float*>(to.residual),
                              .ldd = to.ld_residual,
                              .y = rows_.y + to.first * rows_.ldy,
                              .ldy = rows_.ldy,
                              .gradient = rows_.gradient});
    }
    kernels_.bf16_round_rows({.rows = range.size(),
                              .cols = n_,
                              .src = to.residual,
                              .ld = to.ld_residual,
                              .hi = to.hi,
                              .lo = to.lo,
                              .ldr = to.stride});
  }

 private:
  const KernelTable& kernels_;
  const Plan& plan_;
  int64_t n_;
  const Rows& rows_;
};

struct Multiply {
  const KernelTable& kernels;
  const Panels& panels;
  float identity_scale;
  bool fetch_y;
  const Output& out;

  // `rows` rows of a block against panels [columns).
  void operator()(const RoundedRows& block, int64_t rows, Range columns, float* partial) const {
    for (int64_t p = columns.begin; p < columns.end;) {
      int64_t end = p + 1;
      while (end < columns.end && panels.used(end) == panels.used(p)) ++end;
      multiply(block, rows, {p, end}, partial);
      p = end;
    }
  }

  // A run of panels whose used steps are the same, in whole lines of bf16.
  void multiply(const RoundedRows& block, int64_t rows, Range run, float* partial) const {
    const Range used = panels.used(run.begin);
    const int64_t k = used.begin / kPairLine * kPairLine, end = round_up(used.end, kPairLine);
    const int64_t column = run.begin * panels.nr(), row = block.first;
    const auto words = [](const float* p) { return reinterpret_cast<const uint32_t*>(p); };
    const auto kernel = block.lo ? kernels.bf16x3_dot : kernels.bf16_dot;
    kernel({.rows = rows,
            .cols = std::min(run.size() * panels.nr(), panels.n() - column),
            .k = end - k,
            .x_hi = block.hi + k,
            .x_lo = block.lo ? block.lo + k : nullptr,
            .ldx = block.stride,
            .panels_hi = words(panels.words(run.begin, k)),
            .panels_lo = block.lo ? words(panels.low_words(run.begin, k)) : nullptr,
            .panel_stride = panels.stride(),
            .partial = partial,
            .residual = block.residual + column,
            .ld_residual = block.ld_residual,
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

size_t forward_rounded_workspace_bytes(const idelta_context& context, idelta_format format, int64_t m, int64_t n) {
  return static_cast<size_t>(plan_for(context, format, m, n).total()) * sizeof(float);
}

void forward_rounded(const idelta_context& context, const Panels& panels, float identity_scale, int64_t m, int64_t n,
                     const Rows& rows, const Output& output, const OfferedWorkspace& offered) {
  const Plan plan = plan_for(context, panels.format(), m, n);
  float* const workspace = offered.take(plan.total());
  float* const partials = workspace + plan.block * plan.blocks;
  const Source source(context.kernels, plan, n, rows);
  const Multiply multiply{context.kernels, panels, identity_scale, far_outputs(context.caches, m, n), output};

  const int64_t tasks = plan.partition.tasks();
  if (plan.shared) {
    const RoundedRows block = source.block(0, workspace);
    const int64_t preparers = std::min(m, tasks);
    context.parallel.run(preparers, packing_work(m * n),
                         [&](int64_t task) { source.prepare(block, part_of(m, preparers, task)); });
    context.parallel.run(tasks, plan.multiply_adds, [&](int64_t task) {
      const Cell cell = plan.partition.cell(task);
      multiply(block.from(cell.rows.begin), cell.rows.size(), cell.panels, partials + task * plan.partial);
    });
    return;
  }
  context.parallel.run(tasks, plan.multiply_adds, [&](int64_t task) {
    const Range mine = plan.partition.cell(task).rows;
    for (int64_t row = mine.begin; row < mine.end; row += plan.rows) {
      const int64_t height = std::min(plan.rows, mine.end - row);
      const RoundedRows block = source.block(row, workspace + task * plan.block);
      source.prepare(block, {0, height});
      multiply(block, height, {0, panels.count()}, partials + task * plan.partial);
    }
  });
}

}  // namespace idelta::core
