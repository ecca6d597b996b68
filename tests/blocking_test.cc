// The pure functions of src/core/plan/blocking.h, with caches and thread counts that no machine here has.
#include "src/core/plan/blocking.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/kernels.h"

namespace idelta::core {
namespace {

constexpr int64_t kFloat = sizeof(float);
const CacheSizes kCaches[] = {{1, 1, 0},
                              {1 << 10, 4 << 10, 0},
                              {32 << 10, 256 << 10, 1 << 20},
                              {48 << 10, 2 << 20, 4 << 20},
                              {64 << 10, int64_t{1} << 40, 0}};
const TileShape kTiles[] = {{4, 16}, {6, 16}, {14, 32}, {8, 48}};
const int64_t kSizes[] = {1, 2, 15, 16, 17, 64, 255, 794, 1025, 4096, 100000, int64_t{1} << 24};

int64_t blocks(int64_t total, int64_t size) { return (total + size - 1) / size; }

TEST(Blocking, PartsCoverEverythingOnceAndDifferByAtMostOne) {
  for (const int64_t total : {0, 1, 2, 7, 64, 65, 1000}) {
    for (const int64_t parts : {1, 2, 3, 7, 64, 127}) {
      int64_t next = 0;
      for (int64_t index = 0; index < parts; ++index) {
        const Range part = part_of(total, parts, index);
        ASSERT_EQ(next, part.begin);
        ASSERT_GE(part.size(), total / parts);
        ASSERT_LE(part.size(), total / parts + 1);
        next = part.end;
      }
      ASSERT_EQ(total, next);
    }
  }
}

TEST(Blocking, EvenTileNeedsNoMoreTilesAndLeavesNoThinOne) {
  EXPECT_EQ(0, even_tile(0, 14));
  for (const int64_t mr : {1, 4, 6, 14}) {
    for (int64_t rows = 1; rows < 100; ++rows) {
      const int64_t tile = even_tile(rows, mr);
      ASSERT_GE(tile, 1);
      ASSERT_LE(tile, mr);
      ASSERT_EQ(blocks(rows, mr), blocks(rows, tile));
      // Evened: one row less a tile would need one tile more.
      ASSERT_TRUE(tile == 1 || blocks(rows, tile - 1) > blocks(rows, mr));
    }
  }
}

TEST(Blocking, ForwardBlocksFitTheirCacheOrAreTheLeastPossible) {
  for (const CacheSizes& caches : kCaches) {
    for (const TileShape& tile : kTiles) {
      for (const int64_t m : kSizes) {
        for (const int64_t n : kSizes) {
          const ForwardBlocks b = forward_blocks(caches, tile, m, n);
          ASSERT_GE(b.mc, 1);
          ASSERT_LE(b.mc, m);
          ASSERT_TRUE(b.kc == n || (b.kc < n && b.kc >= kLine && b.kc % kLine == 0)) << "kc must end a chunk";
          ASSERT_TRUE(b.kc <= kLine || b.kc * tile.nr * kFloat <= caches.l2)
              << "panel slice, n " << n << " kc " << b.kc;
          ASSERT_TRUE(b.mc <= tile.mr || b.mc * b.kc * kFloat <= caches.l2) << "x slice, m " << m << " mc " << b.mc;
        }
      }
    }
  }
}

// Sums must not depend on the batch: the cut of k is the same for every m.
TEST(Blocking, CutOfTheReductionDependsOnTheWidthOnly) {
  for (const CacheSizes& caches : kCaches) {
    for (const TileShape& tile : kTiles) {
      for (const int64_t n : kSizes) {
        for (const int64_t m : kSizes) {
          ASSERT_EQ(forward_blocks(caches, tile, 1, n).kc, forward_blocks(caches, tile, m, n).kc);
        }
      }
    }
  }
}

TEST(Blocking, WeightsBlocksFitTheirCacheOrAreTheLeastPossible) {
  constexpr int64_t kPackedBytes = int64_t{8} << 20;
  for (const CacheSizes& caches : kCaches) {
    for (const TileShape& tile : kTiles) {
      for (const int64_t m : kSizes) {
        for (const int64_t n : kSizes) {
          const WeightsBlocks b = weights_blocks(caches, tile, m, n, {1, 2 * n});
          ASSERT_GE(b.mb, 1);
          ASSERT_LE(b.mb, m);
          ASSERT_TRUE(b.mb == m || b.mb % kLine == 0) << "m " << m << " mb " << b.mb;
          ASSERT_TRUE(b.kb == m || (b.kb < m && b.kb >= kLine && b.kb % kLine == 0)) << "m " << m << " kb " << b.kb;
          ASSERT_TRUE(b.kb <= kLine || 4 * b.kb * tile.nr * kFloat <= caches.l2) << "panels of dz and x, m " << m;
          ASSERT_TRUE(b.mb <= kLine || 2 * b.mb * n * kFloat <= std::max(kPackedBytes, caches.l2))
              << "m " << m << " n " << n;
          ASSERT_TRUE(b.mb <= kLine || n * n * kFloat > caches.l2 || b.mb * n * kFloat <= caches.l2)
              << "m " << m << " n " << n;
          ASSERT_TRUE(b.pack || 2 * b.mb * n * kFloat <= caches.l2) << "m " << m << " n " << n;
          ASSERT_TRUE(!b.low_tiles || b.rows_first) << "m " << m << " n " << n;
          ASSERT_TRUE(!b.rows_first || m * n * kFloat <= caches.l2) << "m " << m << " n " << n;
          const int64_t less = weights_blocks(caches, tile, m, n, {2, 3 * n}).mb;
          ASSERT_TRUE(less <= kLine || 3 * less * n * kFloat <= std::max(kPackedBytes, caches.l2))
              << "m " << m << " n " << n;
        }
      }
    }
  }
}

TEST(Blocking, ColumnsCollideWhereRowsShareSetsOfL1) {
  const CacheSizes caches{.l1 = 48 << 10, .l2 = 1 << 20};
  for (const TileShape& tile : {TileShape{14, 32}, TileShape{6, 16}}) {
    EXPECT_FALSE(columns_collide(caches, tile, 64, 794, 794));
    EXPECT_FALSE(columns_collide(caches, tile, 4096, 1026, 1026));
    EXPECT_FALSE(columns_collide(caches, tile, 64, 128, 128)) << "an eighth of a page";
    EXPECT_FALSE(columns_collide(caches, tile, 4, 1024, 1024)) << "twelve ways hold four rows of two lines";
    EXPECT_TRUE(columns_collide(caches, tile, 16, 1024, 1024));
    EXPECT_TRUE(columns_collide(caches, tile, 4096, 1024, 2048));
    EXPECT_TRUE(columns_collide(caches, tile, 16, 512, 512));
    EXPECT_TRUE(columns_collide(caches, tile, 64, 768, 768));
  }
  EXPECT_FALSE(columns_collide(caches, {14, 32}, 512, 512, 512)) << "L2's lot, packed or not";
  EXPECT_TRUE(columns_collide(caches, {6, 16}, 512, 512, 512));
  EXPECT_FALSE(columns_collide(caches, {14, 32}, 64, 256, 256)) << "too few panels to repay packing";
  EXPECT_TRUE(columns_collide(caches, {6, 16}, 64, 256, 256));
  EXPECT_FALSE(columns_collide(caches, {16, 32}, 64, 512, 512)) << "whole lines, each read once";
  EXPECT_TRUE(columns_collide(caches, {16, 32}, 64, 1024, 1024));
}

TEST(Blocking, RowsThatShareSetsOfL2AreFew) {
  const CacheSizes caches{.l1 = 48 << 10, .l2 = 1 << 20};
  EXPECT_EQ(4096, uncrowded_rows(caches, 4096, 794));
  EXPECT_EQ(688, uncrowded_rows(caches, 4096, 768)) << "1024 would fill the sets that x is in";
  EXPECT_EQ(600, uncrowded_rows(caches, 600, 768));
  EXPECT_EQ(4096, uncrowded_rows(caches, 4096, 512));
  EXPECT_EQ(kLine, uncrowded_rows({.l1 = 512, .l2 = 4096}, 100, 768)) << "the least there is";
}

TEST(Blocking, OperandsFarLargerThanL2ArePackedPastItIfDDStaysThere) {
  const CacheSizes caches{.l1 = 48 << 10, .l2 = 1 << 20};
  EXPECT_TRUE(pack_past_l2(caches, 4096, 256, {1, 512}));
  EXPECT_TRUE(pack_past_l2(caches, 512, 512, {1, 1024}));
  EXPECT_FALSE(pack_past_l2(caches, 512, 256, {1, 512}));
  EXPECT_FALSE(pack_past_l2(caches, 1024, 256, {2, 768})) << "a task's share alone counts";
  EXPECT_FALSE(pack_past_l2(caches, 4096, 794, {1, 1588})) << "dD goes beyond L2";
}

TEST(Blocking, SmallProblemsStayOnOneThread) {
  EXPECT_EQ(1, useful_threads(64, 0));
  EXPECT_EQ(1, useful_threads(64, 16.0 * 64 * 64));
  EXPECT_EQ(64, useful_threads(64, 1e18));
  EXPECT_EQ(1, useful_threads(1, 1e18));
  EXPECT_EQ(1, useful_threads(2, training_work(512.0 * 512, 512 * 512)));
  EXPECT_EQ(2, useful_threads(2, training_work(2 * 512.0 * 512, 512 * 512)));
}

}  // namespace
}  // namespace idelta::core
