// The cut of x^T dz (src/core/plan/weights_plan.h), with caches, kernels and thread counts that no machine here has.
#include "src/core/plan/weights_plan.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace idelta::core {
namespace {

constexpr int64_t kFloat = sizeof(float);
const CacheSizes kCaches[] = {{1, 1, 0},
                              {1 << 10, 4 << 10, 0},
                              {32 << 10, 256 << 10, 1 << 20},
                              {48 << 10, 2 << 20, 4 << 20},
                              {64 << 10, int64_t{1} << 40, 0}};
const CacheSizes kUsual{.l1 = 32 << 10, .l2 = 1 << 20};
const int64_t kSizes[] = {1, 2, 15, 16, 17, 64, 255, 794, 1025, 4096, 100000, int64_t{1} << 24};
const Placement kOneDomain{Topology{{0, 64}}};

KernelTable table(ptrdiff_t mr, ptrdiff_t nr) {
  return {.f32_weights = {.mr = mr, .nr = nr, .few_rows = 6},
          .f32_optimizer_step = {.mr = mr > 8 ? 16 : mr, .nr = nr, .few_rows = 128},
          .bf16_dot = {.mr = mr, .nr = nr, .kr = 2},
          .bf16x3_dot = {.mr = mr, .nr = nr, .kr = 2}};
}
const KernelTable kTables[] = {table(4, 16), table(6, 16), table(14, 32), table(8, 48)};
const KernelTable &kNarrow = kTables[1], &kWide = kTables[2];

WeightsPlan plan(const KernelTable& kernels, const CacheSizes& caches, int64_t m, int64_t n, Sink sink = Sink::kMemory,
                 int64_t threads = 1, int64_t planes = 0) {
  return plan_weights(kernels, caches, kOneDomain, threads,
                      {.m = m, .n = n, .ldx = n, .lddz = n, .planes = planes, .sink = sink});
}

TEST(WeightsPlan, BatchBlocksFitTheirCacheOrAreTheLeastPossible) {
  for (const CacheSizes& caches : kCaches) {
    for (const KernelTable& kernels : kTables) {
      for (const int64_t planes : {0, 1, 2}) {
        for (const int64_t m : kSizes) {
          for (const int64_t n : kSizes) {
            const WeightsPlan p = plan(kernels, caches, m, n, Sink::kMemory, 1, planes);
            SCOPED_TRACE("m " + std::to_string(m) + " n " + std::to_string(n) + " mb " + std::to_string(p.mb));
            const int64_t bytes = p.planes > 0 ? 2 * p.planes : kFloat, unit = p.planes > 0 ? kPairLine : kLine;
            ASSERT_GE(p.mb, 1);
            ASSERT_LE(p.mb, m);
            ASSERT_TRUE(p.mb == m || p.mb % unit == 0);
            ASSERT_TRUE(p.mb <= unit || 4 * p.mb * p.nr * bytes <= caches.l2) << "a panel of dz and a block's x";
            ASSERT_TRUE(p.mb <= unit || p.mb * n * bytes <= std::max(int64_t{8} << 20, caches.l2)) << "dz";
            ASSERT_TRUE(p.packs_dz || 2 * p.mb * n * kFloat <= caches.l2);
            ASSERT_TRUE(!p.along_rows || m * n * kFloat <= caches.l2);
          }
        }
      }
    }
  }
}

// Every element of dD, and every row of the batch, is somebody's and nobody else's.
TEST(WeightsPlan, CellsAndBlocksCoverEverythingOnce) {
  for (const Sink sink : {Sink::kMemory, Sink::kStepRows, Sink::kStepPanels}) {
    for (const int64_t threads : {1, 2, 3, 7, 13}) {
      for (const int64_t n : {1, 33, 300, 794, 2000}) {
        const WeightsPlan p = plan(kWide, kUsual, 5000, n, sink, threads);
        std::vector<int> seen(static_cast<size_t>(p.panels * p.panels));
        for (int64_t task = 0; task < p.tasks(); ++task) {
          const Cell cell = p.cell(task);
          ASSERT_LE(cell.rows.size(), p.most_row_panels());
          ASSERT_LE(cell.panels.size(), p.most_panels());
          for (Range rest = cell.rows; rest.size() > 0;) {
            const Range block = WeightsPlan::first_block(rest);
            ASSERT_TRUE(block.end == cell.rows.end || block.end % WeightsPlan::kBlockPanels == 0);
            for (int64_t q = block.begin; q < block.end; ++q) {
              for (int64_t j = cell.panels.begin; j < cell.panels.end; ++j) {
                ++seen[static_cast<size_t>(q * p.panels + j)];
              }
            }
            rest.begin = block.end;
          }
        }
        for (const int times : seen) ASSERT_EQ(1, times) << "n " << n << " threads " << threads;
        int64_t next = 0;
        for (int64_t block = 0; block < p.batch_blocks(); ++block) {
          ASSERT_EQ(next, p.batch_block(block).begin);
          next = p.batch_block(block).end;
        }
        ASSERT_EQ(5000, next);
      }
    }
  }
}

// Parameters in panels are cut by panels, dD in rows by rows.
TEST(WeightsPlan, ThreadsOwnWhatIsContiguous) {
  EXPECT_EQ(8, plan(kWide, kUsual, 64, 512, Sink::kStepPanels, 2).cell(0).panels.size());
  EXPECT_EQ(16, plan(kWide, kUsual, 64, 512, Sink::kStepPanels, 2).cell(0).rows.size());
  EXPECT_EQ(8, plan(kWide, kUsual, 64, 512, Sink::kStepRows, 2).cell(0).rows.size());
  EXPECT_EQ(16, plan(kWide, kUsual, 64, 512, Sink::kMemory, 2).cell(0).panels.size());
}

TEST(WeightsPlan, ColumnsThatRunOutOfSetsOrPagesArePacked) {
  const auto packs_x = [](const KernelTable& kernels, int64_t m, int64_t n) {
    return plan(kernels, kUsual, m, n).packs_x;
  };
  EXPECT_FALSE(packs_x(kNarrow, 64, 794));
  EXPECT_FALSE(packs_x(kNarrow, 4, 1024)) << "eight ways hold four rows of two lines";
  EXPECT_TRUE(packs_x(kNarrow, 16, 1024));
  EXPECT_TRUE(packs_x(kNarrow, 16, 512));
  EXPECT_TRUE(packs_x(kNarrow, 64, 768));
  EXPECT_TRUE(packs_x(kNarrow, 128, 320));
  EXPECT_FALSE(packs_x(kWide, 512, 512)) << "most of each line is used";
  EXPECT_TRUE(packs_x(kWide, 64, 3082)) << "a page a row";
  EXPECT_FALSE(packs_x(kWide, 4, 3082));
}

TEST(WeightsPlan, FewRowsAreLeftToTheOptimizersKernel) {
  EXPECT_TRUE(plan(kWide, kUsual, 100, 512, Sink::kStepPanels).kernel_steps);
  EXPECT_FALSE(plan(kWide, kUsual, 100, 512, Sink::kMemory).kernel_steps);
  EXPECT_FALSE(plan(kWide, kUsual, 129, 512, Sink::kStepPanels).kernel_steps);
  EXPECT_FALSE(plan(kWide, kUsual, 100, 512, Sink::kStepPanels, 1, 1).kernel_steps) << "rounded";
  EXPECT_FALSE(plan(kWide, kCaches[1], 100, 512, Sink::kStepPanels).kernel_steps) << "several batch blocks";
}

TEST(WeightsPlan, ShortBatchesAreNotRounded) {
  EXPECT_EQ(0, plan(kWide, kUsual, kPairLine - 1, 512, Sink::kMemory, 1, 2).planes);
  EXPECT_EQ(2, plan(kWide, kUsual, kPairLine, 512, Sink::kMemory, 1, 2).planes);
}

}  // namespace
}  // namespace idelta::core
