// What tiles are given to fetch: all of it, whatever their number.
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "src/core/formats/chain_product.h"

namespace idelta::core {
namespace {

constexpr int64_t kN = 300, kLd = 320, kRows = 40;

// That the shares of `tiles` tiles follow each other without a gap from `first` on, for so many words.
void expect_covered(FetchAhead ahead, int64_t tiles, int64_t words, const float* first, int64_t count) {
  const Word* covered = words_of(first);
  for (int64_t t = 0; t < tiles; ++t) {
    const Fetch fetch = ahead.share(words);
    ASSERT_TRUE(fetch.dense);
    ASSERT_LE(fetch.at, covered) << tiles << " tiles of " << words << " words";
    covered = fetch.at + fetch.step * words;
  }
  EXPECT_GE(covered, words_of(first) + count) << tiles << " tiles of " << words << " words";
}

TEST(FetchAhead, TilesShareAllOfIt) {
  const std::vector<float> x(kRows * kLd);
  for (const int64_t tiles : {1, 2, 3, 7, 100, 5000}) {
    for (const int64_t words : {1, 3, 4, 64, 397, 1024}) {
      expect_covered({words_of(x.data()), kRows * kLd, tiles}, tiles, words, x.data(), kRows * kLd);
      expect_covered({x.data(), kLd, kRows, kN, tiles}, tiles, words, x.data(), kRows * kLd);
    }
  }
}

TEST(FetchAhead, NothingIsFetchedOfRowsThatAreNotThereOrFarApart) {
  const std::vector<float> x(kRows * kLd);
  EXPECT_EQ(nullptr, FetchAhead().share(10).at);
  EXPECT_EQ(nullptr, FetchAhead(x.data(), kLd, 0, kN, 3).share(10).at);
  EXPECT_EQ(nullptr, FetchAhead(nullptr, kLd, kRows, kN, 3).share(10).at);
  EXPECT_EQ(nullptr, FetchAhead(x.data(), 2 * kN, kRows, kN, 3).share(10).at);
}

}  // namespace
}  // namespace idelta::core
