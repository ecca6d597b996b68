#include "src/core/plan/weights_plan.h"

#include <cassert>

#include "src/core/plan/blocking.h"

namespace idelta::core {
namespace {

constexpr int64_t kFloat = sizeof(float), kHalf = kFloat / 2;

// What steers the cut; bytes unless they say otherwise.
struct WeightsCost {
  int64_t page = 4096;                      // a way of L1
  int64_t l3 = int64_t{8} << 20;            // that one task may fill with packed dz, and many tasks together
  int64_t l3_of_task = int64_t{1} << 20;    // that each of many may fill
  int64_t packs_in_l3 = int64_t{16} << 20;  // packs of D beyond are not in L3 when the next pass reads them
  // Numbers that a row of the batch takes up in L2: a block's columns of x, in lines that are cut, a panel of dz, and
  // what passes through meanwhile. Half as many took n = 794, m = 4096 a tenth longer (AVX2, Zen 4, 2026-11).
  int64_t row_in_l2 = 256;
  int64_t narrow_rows = 8;  // of dD: tiles of fewer use less than half of a line of x
  // Cores that each write a part of every row of dD take lines from each other, and fetch beyond their part: n = 794, m
  // = 16 loses two thirds of its speed on two threads (Zen 5, 2026-11).
  double shared_rows = 1.5;
};
constexpr WeightsCost kCost;

struct Cut {
  const CacheSizes& caches;
  const WeightsProblem& problem;
  WeightsPlan& plan;

  int64_t n() const { return problem.n; }
  int64_t dD_bytes() const { return n() * n() * kFloat; }
  // dD does not stay in L2 beside the operands.
  bool far() const { return dD_bytes() > caches.l2 / 2; }

  // Rows of the batch that are packed at a time. A dD that is near costs little to read and write again for each of
  // them; operands then stay in L2, and if dD fills that, dz does not go far beyond. Else dz stays in L3 until it has
  // served all blocks of dD: 64 MiB, which spare dD some passes, took 6 % longer (n = 794, m = 4096, Zen 5, 2026-11).
  int64_t batch_rows(int64_t bytes, int64_t unit) const {
    const int64_t dz = plan.most_panels() * plan.nr * bytes;
    const int64_t in_l3 = std::max(kCost.l3 / plan.tasks(), kCost.l3_of_task);
    const int64_t rows = !far()                    ? even_block(problem.m, 2 * n() * bytes, caches.l2 / 2, unit)
                         : dD_bytes() <= caches.l2 ? even_block(problem.m, dz, caches.l2, unit)
                                                   : even_block(problem.m, dz, in_l3, unit);
    return std::min(rows, even_block(problem.m, kCost.row_in_l2 * bytes, caches.l2, unit));
  }

  // All of dz stays so near that the order of tiles need not care for it: dD is written along its rows.
  bool along_rows() const { return problem.m * n() * kFloat <= (far() ? caches.l2 / 2 : caches.l1 / 2); }

  // A tile's columns, rows ld apart, are in two lines of a row. Rows that lie a multiple of some lines apart use every
  // so-manieth set of L1 only, and run out of it.
  bool crowd(int64_t ld) const {
    const int64_t apart = std::min(ld * kFloat & -(ld * kFloat), kCost.page);
    return apart >= kCost.page / 16 && 2 * problem.m * apart > caches.l1;
  }
  // Each row is in pages of its own, more of them than the first level of the TLB holds.
  bool many_pages(int64_t ld) const { return ld * kFloat >= 2 * kCost.page && problem.m > kLine / 2; }

  void rounded(const Kernel<Bf16Block>& kernel) const {
    plan.mb = batch_rows(plan.planes * kHalf, kPairLine);
    plan.along_rows = along_rows();
    plan.tile_rows = kernel.mr;
    plan.packs_x = plan.packs_dz = true;
  }

  void floats(const KernelTable& kernels) const {
    plan.mb = batch_rows(kFloat, kLine);
    plan.along_rows = along_rows();
    // Where dD does not stay in L2, few rows are multiplied by low and wide tiles: 1.2 times the speed at n = 1024, m =
    // 8 (AVX-512, Zen 4, 2026-11).
    const bool low = plan.along_rows && far() && problem.sink == Sink::kMemory;
    plan.tile_rows = low ? kernels.f32_weights.few_rows : kernels.f32_weights.mr;
    // Their products are over before packs and state have come from memory: half the time at m = 1, a tenth less at 32
    // (Zen 5, 2026-11).
    plan.kernel_steps =
        problem.sink != Sink::kMemory && plan.batch_blocks() == 1 && problem.m <= kernels.f32_optimizer_step.few_rows;
    const int64_t tile = plan.kernel_steps ? kernels.f32_optimizer_step.mr : kernels.f32_weights.mr;
    plan.packs_x = many_pages(problem.ldx) || (tile < kCost.narrow_rows && crowd(problem.ldx));
    // Packing dz aligns and gathers lines, and is cheap against n columns each.
    plan.packs_dz = far() || 2 * plan.mb * n() * kFloat > caches.l2 || crowd(problem.lddz);
  }
};

}  // namespace

Cell WeightsPlan::cell(int64_t task) const {
  // As parameters in panels lie: those of two threads in one run of memory are fetched by one ahead of time and taken
  // from it by the other. Cut the other way n = 256, m = 16 took 1.9 times as long on two threads (Zen 5, 2026-11).
  const Cell cell = partition.cell(task);
  return cuts_columns ? Cell{cell.panels, cell.rows} : cell;
}

// A cell may begin and end within a block.
int64_t WeightsPlan::packed_blocks() const {
  if (!kernel_steps) return 1;
  return std::min(ceil_div(panels(), kBlockPanels), ceil_div(most_row_panels() + kBlockPanels - 1, kBlockPanels));
}

WeightsPlan plan_weights(const KernelTable& kernels, const CacheSizes& caches, const Placement& placement,
                         int64_t threads, const WeightsProblem& problem) {
  const auto m = static_cast<double>(problem.m), n = static_cast<double>(problem.n);
  // A batch shorter than a line of pairs is as fast in fp32, and more accurate.
  const int64_t planes = problem.m >= kPairLine ? problem.planes : 0;
  const int64_t nr = kernels.f32_weights.nr, panels = ceil_div(problem.n, nr);
  const double work = planes > 0 ? m * n * n / 2 : m * n * n;
  const bool steps = problem.sink != Sink::kMemory;
  const int64_t tasks = useful_threads(threads, steps ? training_work(work, problem.n * problem.n) : work);
  WeightsPlan plan{.m = problem.m,
                   .n = problem.n,
                   .nr = nr,
                   .planes = planes,
                   .work = work,
                   .cuts_columns = problem.sink == Sink::kStepPanels,
                   .partition{placement, tasks, {panels, panels, weights_cost}},
                   .streams_packs = problem.n * problem.n * kFloat > kCost.packs_in_l3};
  const Cut cut{caches, problem, plan};
  planes == 0 ? cut.floats(kernels) : cut.rounded(planes == 2 ? kernels.bf16x3_dot : kernels.bf16_dot);
  return plan;
}

double weights_cost(const Partition::Work& all, int64_t rows, int64_t panels) {
  return static_cast<double>(rows) * static_cast<double>(panels) * (panels < all.panels ? kCost.shared_rows : 1.0);
}

}  // namespace idelta::core
