#include "src/core/plan/weights_plan.h"

#include "src/core/plan/blocking.h"

namespace idelta::core {
namespace {

constexpr int64_t kFloat = sizeof(float), kHalf = kFloat / 2;
constexpr int64_t kPage = 4096;  // bytes; a way of L1, too

struct Cut {
  const CacheSizes& caches;
  const WeightsProblem& problem;
  WeightsPlan& plan;

  int64_t n() const { return problem.n; }
  int64_t dD_bytes() const { return n() * n() * kFloat; }
  // dD does not stay in L2 beside the operands.
  bool far() const { return dD_bytes() > caches.l2 / 2; }

  // Rows of the batch that are packed at a time. If dD is in L2, more passes over it cost little: the operands stay in
  // L2 beside it, or at least dz does. Else dz stays in L3 until it has served all blocks of dD.
  int64_t batch_rows(int64_t bytes, int64_t unit) const {
    const int64_t dz = plan.most_panels() * plan.nr * bytes;
    const int64_t in_l3 = std::max(kCostModel.dz_bytes / plan.tasks(), kCostModel.least_dz_bytes);
    const int64_t rows = !far()                    ? even_block(problem.m, 2 * n() * bytes, caches.l2 / 2, unit)
                         : dD_bytes() <= caches.l2 ? even_block(problem.m, dz, caches.l2, unit)
                                                   : even_block(problem.m, dz, in_l3, unit);
    return std::min(rows, even_block(problem.m, kCostModel.row_numbers_in_l2 * bytes, caches.l2, unit));
  }

  // If all of dz stays in cache, the order of tiles is free for it: dD is written by rows.
  bool along_rows() const { return problem.m * n() * kFloat <= (far() ? caches.l2 / 2 : caches.l1 / 2); }

  // A tile reads two lines of each row. Rows whose stride is a multiple of several lines use only some sets of L1,
  // which may be too few.
  bool crowd(int64_t ld) const {
    const int64_t apart = std::min(ld * kFloat & -(ld * kFloat), kPage);
    return apart >= kPage / 16 && 2 * problem.m * apart > caches.l1;
  }
  // Each row is in other pages, too many for the first level of the TLB.
  bool many_pages(int64_t ld) const { return ld * kFloat >= 2 * kPage && problem.m > kLine / 2; }

  void rounded(const Kernel<Bf16Block>& kernel) const {
    plan.mb = batch_rows(plan.planes * kHalf, kPairLine);
    plan.along_rows = along_rows();
    plan.tile_rows = kernel.mr;
    plan.packs_x = plan.packs_dz = true;
  }

  void floats(const KernelTable& kernels) const {
    plan.mb = batch_rows(kFloat, kLine);
    plan.along_rows = along_rows();
    // If dD does not stay in L2, small batches use low and wide tiles: 1.2 times as fast at n = 1024, m = 8 (AVX-512,
    // Zen 4, 2026-11).
    const bool low = plan.along_rows && far() && problem.sink == Sink::kMemory;
    plan.tile_rows = low ? kernels.f32_weights.few_rows : kernels.f32_weights.mr;
    // A small batch is multiplied while packs and state come from memory: half the time at m = 1, a tenth less at m =
    // 32 (Zen 5, 2026-11).
    plan.kernel_steps =
        problem.sink != Sink::kMemory && plan.batch_blocks() == 1 && problem.m <= kernels.f32_optimizer_step.few_rows;
    if (plan.kernel_steps) {  // a cell may begin and end within a block
      constexpr int64_t kPanels = WeightsPlan::kBlockPanels;
      plan.packed_blocks =
          std::min(ceil_div(plan.panels, kPanels), ceil_div(plan.most_row_panels() + kPanels - 1, kPanels));
    }
    const int64_t tile = plan.kernel_steps ? kernels.f32_optimizer_step.mr : kernels.f32_weights.mr;
    const bool narrow = tile < kCostModel.narrow_tile_rows;
    plan.packs_x = many_pages(problem.ldx) || (narrow && crowd(problem.ldx));
    // Packing dz makes its panels aligned and contiguous, and each is used for n rows of dD.
    plan.packs_dz = far() || 2 * plan.mb * n() * kFloat > caches.l2 || (narrow && crowd(problem.lddz));
  }
};

}  // namespace

Cell WeightsPlan::cell(int64_t task) const {
  // Parameters in panels are contiguous by columns, so that each thread's are. Cut by rows n = 256, m = 16 takes 1.9
  // times as long on two threads (Zen 5, 2026-11).
  const Cell cell = partition.cell(task);
  return cuts_columns ? Cell{cell.panels, cell.rows} : cell;
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
                   .panels = panels,
                   .whole_panels = panels * nr == problem.n ? panels : panels - 1,
                   .planes = planes,
                   .work = work,
                   .cuts_columns = problem.sink == Sink::kStepPanels,
                   .partition{placement, tasks, {panels, panels, weights_cost}},
                   .streams_packs = problem.n * problem.n * kFloat > kCostModel.kept_pack_bytes};
  const Cut cut{caches, problem, plan};
  planes == 0 ? cut.floats(kernels) : cut.rounded(planes == 2 ? kernels.bf16x3_dot : kernels.bf16_dot);
  return plan;
}

double weights_cost(const Partition::Work& all, int64_t rows, int64_t panels) {
  return static_cast<double>(rows) * static_cast<double>(panels) * (panels < all.panels ? kCostModel.shared_rows : 1.0);
}

}  // namespace idelta::core
