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
