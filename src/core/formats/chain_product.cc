#include "src/core/formats/chain_product.h"

#include "src/core/formats/row_plan.h"

namespace idelta::core {
namespace {

struct Plan : RowPlan {
  int64_t kc;
};

Plan plan_for(const idelta_context& context, const ChainKernel& kernel, int64_t m, int64_t k, int64_t cols,
              const Traffic& traffic) {
  const TileShape tile{kernel.mr, kernel.nr};
  const int64_t panels = ceil_div(cols, tile.nr);
  const double multiply_adds = static_cast<double>(m) * static_cast<double>(k) * static_cast<double>(cols);
  const int64_t threads = threads_for_rows(context, multiply_adds, k, cols, traffic);
  Partition::Work work{m, panels, forward_cost, 1, tile, traffic};
  const Partition by_rows(context.placement, threads, work);
  const bool shared = by_rows.cuts_panels();
  const int64_t tile_rows = even_tile(m, tile.mr);
  if (shared) work.rows = ceil_div(m, tile_rows), work.unit = work.tile.mr = tile_rows;
  const ForwardBlocks blocks = forward_blocks(context.caches, tile, shared ? m : by_rows.most_rows(), k);
  Plan plan{{.partition = shared ? Partition(context.placement, threads, work) : by_rows,
             .multiply_adds = multiply_adds,
             .shared = shared,
             .rows = shared ? m : blocks.mc},
            std::max<int64_t>(blocks.kc, 1)};
  plan.block = plan.rows * Source::copy_stride(k);
  const int64_t rows_a_task = shared ? plan.partition.most_rows() * tile_rows : plan.rows;
  if (plan.kc < k) plan.partial = rows_a_task * plan.partition.most_panels() * tile.nr;
  return plan;
}

// See RowPlan::run().
struct Pass : ChainProduct<Source> {
  TiledBlock block(Range range, float* memory) const { return {range, memory, kernel.mr}; }
  bool needs_preparation() const { return from.needs_preparation() || from.call().errors.wanted(); }
  void prepare(const TiledBlock& block, Range range) const {
    from.write_row_errors(range);
    if (from.needs_preparation()) from.prepare(block, range);
  }
};

}  // namespace

size_t chains_workspace_bytes(const idelta_context& context, const ChainKernel& kernel, int64_t m, int64_t k,
                              int64_t cols) {
  const auto floats = [&](const Traffic& traffic) { return plan_for(context, kernel, m, k, cols, traffic).total(); };
  return static_cast<size_t>(most_of(floats)) * sizeof(float);
}

void multiply_chains(const idelta_context& context, const ChainKernel& kernel, const Panels& panels,
                     Multiplication& call) {
  const int64_t k = panels.k(), cols = panels.cols();
  Source source(context, call, k, cols);
  source.copy_where_overwritten();
  source.copy_where_rows_collide();
  const Plan plan = plan_for(context, kernel, call.m, k, cols, {source.needs_preparation(), panels.stepped()});
  plan.run(context, call.m, k, call.workspace.take(plan.total()), source, [&](const Source& way) {
    return Pass{{context, kernel, panels, plan.kc, way}};
  });
}

}  // namespace idelta::core
