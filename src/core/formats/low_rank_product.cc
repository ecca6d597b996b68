#include "src/core/formats/low_rank_product.h"

#include <algorithm>
#include <numeric>

#include "src/core/formats/chain_product.h"
#include "src/core/formats/int8_product.h"

namespace idelta::core {
namespace {

// A task takes a block of rows at a time: t = rows U (block x r) stays in its cache for y = act(a x + t V + b). Work is
// cut by rows only: few rows take only microseconds.
struct Plan : RowsPlan {
  int64_t second_kc;
  int64_t waiting;  // floats of the chains' own sums, the first of `partial`
  int64_t ldt;
  IntegerRows integers;
  int64_t columns = 0;  // of head and tail that are multiplied together

  int64_t t_floats() const { return rows * ldt; }
  int64_t zeros() const { return waiting + t_floats(); }
};

// A block's rows are used twice, and with a tail as integers as well.
int64_t row_bytes(const LowRankShape& shape) {
  const int64_t of_floats = 2 * shape.n * static_cast<int64_t>(sizeof(float));
  return shape.tail ? of_floats + odd_lines(shape.n, kQuadLine) : of_floats;
}

Plan plan_for(const idelta_context& context, const LowRankShape& shape, int64_t m) {
  const ChainKernel& kernel = context.kernels.f32_forward;
  const TileShape tile{kernel.mr, kernel.nr};
  const int64_t n = shape.n, rank = shape.rank;
  const double of_head = 2 * ProductSize{m, n, rank}.multiply_adds();
  const double of_tail = shape.tail ? ProductSize{m, n, n}.multiply_adds() / kIntegersFaster : 0;
  Plan plan{cut_rows(context, kernel, {m, n, /*one panel*/ 1}, {.multiply_adds = of_head + of_tail, .rows = m})};
  plan.rows = even_block(plan.partition.most_rows(), row_bytes(shape), context.caches.l2 / 2, tile.mr);
  plan.kc = std::max<int64_t>(forward_blocks(context.caches, tile, 1, n).kc, 1);
  plan.prepared = plan.rows * copy_stride(n);
  plan.second_kc = std::max<int64_t>(forward_blocks(context.caches, tile, 1, rank).kc, 1);
  plan.ldt = copy_stride(rank);
  if (plan.kc < n) plan.waiting = plan.rows * round_up(rank, tile.nr);
  if (plan.second_kc < rank) plan.waiting = std::max(plan.waiting, plan.rows * round_up(n, tile.nr));
  plan.waiting = round_up(plan.waiting, kLine);
  plan.partial = plan.zeros() + round_up(rank, kLine);
  if (!shape.tail) return plan;
  plan.integers = IntegerRows(context.kernels.int8_dot, plan.rows, n);
  plan.prepared = plan.integers.floats();
  plan.columns = std::lcm(tile.nr, context.kernels.int8_dot.nr);
  plan.partial += plan.rows * plan.columns + integers_partial(context, plan.rows, n);
  return plan;
}

// See multiply_rows().
struct LowRankProduct {
  const idelta_context& context;
  const LowRankPanels& B;
  const Plan& plan;
  const Multiplication& call;

  // The first half prefetches the rows that the second will write, and the second the next rows of x: forward of m =
  // 4096, n = 794, rank 32 is 1.28 times as fast (Zen 4, 2026-11). Row errors are computed between the halves: they
  // need t, and x, which y may overwrite.
  void multiply(const RowBlock& block, Range /*all of second*/, float* partial) const {
    const int64_t m = block.rows.size(), n = B.first.k(), rank = B.first.cols();
    float* const t = partial + plan.waiting;
    // Of rank 0 there are no tiles that could fetch.
    const bool far = rank > 0 && call.m * n * static_cast<int64_t>(sizeof(float)) > context.caches.l2;
    multiply_first(block, t, partial, far);

    const RowParts parts{
        .rows = block.rows, .x = block.at, .ldx = block.ld, .n = n, .t = t, .ldt = plan.ldt, .rank = rank};
    RowBlock from_t = block;
    from_t.at = t, from_t.ld = plan.ldt;
    if (B.tail) return multiply_with_tail(block, from_t, parts, partial);
    if (call.errors.wanted()) call.errors.write(context.kernels, parts);
    const ChainTiles to_y{context, context.kernels.f32_forward, B.second, plan.second_kc};
    to_y.multiply(from_t, {0, B.second.count()}, partial,
                  far ? FetchAhead(call.rows.src + block.next.begin * call.rows.ld, call.rows.ld, block.next.size(), n,
                                   to_y.tiles(m, B.second.count()))
                      : FetchAhead());
  }

 private:
  void multiply_first(const RowBlock& block, float* t, float* partial, bool far) const {
    const int64_t m = block.rows.size(), n = B.first.k(), rank = B.first.cols();
    float* const zeros = partial + plan.zeros();
    std::fill_n(zeros, rank, 0.0f);
    RowBlock into_t = block;
    into_t.epilogue = sums_alone(zeros, t, plan.ldt);
    into_t.start = {};
    const ChainTiles to_t{context, context.kernels.f32_forward, B.first, plan.kc};
    to_t.multiply(
        into_t, {0, B.first.count()}, partial,
        far ? FetchAhead(block.epilogue.y, block.epilogue.ldy, m, n, to_t.tiles(m, B.first.count())) : FetchAhead());
  }

  // The head's sums of a few columns at a time wait in the first cache for the tail, which finishes them.
  void multiply_with_tail(const RowBlock& block, RowBlock from_t, const RowParts& parts, float* partial) const {
    float* const sums = partial + plan.zeros() + round_up(B.first.cols(), kLine);
    float* const of_tail = sums + plan.rows * plan.columns;
    const ChainTiles head{context, context.kernels.f32_forward, B.second, plan.second_kc};
    const Int8Product tail{context, *B.tail, plan.integers, call.errors};
    tail.round(block, parts);
    const int64_t heads = plan.columns / B.second.nr(), tails = plan.columns / B.tail->nr();
    from_t.suspend = {sums, plan.columns, B.second.nr()};
    for (int64_t group = 0; group * tails < B.tail->count(); ++group) {
      head.multiply(from_t, {group * heads, std::min((group + 1) * heads, B.second.count())}, partial);
      tail.multiply(block, {group * tails, std::min((group + 1) * tails, B.tail->count())},
                    {sums, plan.columns, B.tail->nr()}, of_tail);
    }
  }
};

}  // namespace

size_t low_rank_workspace_bytes(const idelta_context& context, const LowRankShape& shape, int64_t m) {
  return static_cast<size_t>(plan_for(context, shape, m).floats()) * sizeof(float);
}

// t = x U has no epilogue. Tiles of up to half a panel's columns take less time. A tail has its own epilogue.
double low_rank_steps(const idelta_context& context, const LowRankShape& shape, int64_t m) {
  const ChainKernel& kernel = context.kernels.f32_forward;
  const Plan plan = plan_for(context, shape, m);
  const int64_t n = shape.n, rank = shape.rank;
  const auto halves = static_cast<double>(ceil_div(2 * rank, kernel.nr));
  const auto panels = static_cast<double>(std::max<int64_t>(ceil_div(rank, kernel.nr), 1));
  const double used = halves / (2 * panels), half = kCostModel.half_panel;
  const TaskShape to_t =
      largest_task(context, kernel, {m, n, rank}, plan, {.word_steps = 2 * half - 1 + 2 * (1 - half) * used});
  const TaskShape to_y = largest_task(context, kernel, {m, rank, n}, plan, {.row_steps = kCostModel.epilogue_steps});
  double steps = task_steps(kCostModel, to_t) + task_steps(kCostModel, to_y) + kCostModel.second_product_steps;
  if (shape.tail) {
    steps += task_steps(kCostModel, largest_integer_task(context, {m, n, n}, plan)) + kCostModel.tail_steps;
  }
  return call_steps(plan, steps);
}

void multiply_low_rank(const idelta_context& context, const LowRankPanels& B, Multiplication& call) {
  const int64_t n = B.first.k();
  const Plan plan = plan_for(context, LowRankShape::of(B), call.m);
  const CallRows rows(context, call, n, n, context.kernels.f32_forward.nr, {.colliding = true, .own_errors = false});
  multiply_rows(context, LowRankProduct{context, B, plan, call}, plan, rows, call, n);
}

}  // namespace idelta::core
