// What tiles are given to fetch: all of it, whatever their number.
#include "src/core/formats/fetch_ahead.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace idelta::core {
namespace {

constexpr int64_t kTiles[] = {1, 2, 3, 7, 100, 5000};
constexpr int64_t kWords[] = {1, 3, 4, 64, 397, 1024};

// Shares of `tiles` tiles, in the order in which they are given.
std::vector<Fetch> shares(FetchAhead& ahead, int64_t tiles, int64_t words) {
  std::vector<Fetch> all;
  for (int64_t t = 0; t < tiles; ++t) all.push_back(ahead.share(words));
  return all;
}

// That those of the shares that begin within [begin, begin + floats) follow each other without a gap.
void expect_covered(const std::vector<Fetch>& all, const float* first, int64_t floats, int64_t words, int64_t every) {
  const Word* const begin = words_of(first);
  const Word* covered = begin;
  for (const Fetch& fetch : all) {
    if (fetch.at < begin || fetch.at >= begin + floats) continue;
    ASSERT_LE(fetch.at, covered) << all.size() << " tiles of " << words << " words";
    covered = fetch.at + fetch.step * ((words + every - 1) / every);
  }
  EXPECT_GE(covered, begin + floats) << all.size() << " tiles of " << words << " words";
}

class FetchAheadTest : public ::testing::Test {
 protected:
  static constexpr int64_t kN = 300, kLd = 320, kRows = 40;
  std::vector<float> x_ = std::vector<float>(kRows * kLd), y_ = x_, dz_ = x_;
};

TEST_F(FetchAheadTest, NothingIsFetchedOfRowsThatAreNotThere) {
  FetchAhead ahead(3);
  ahead.rows({.src = x_.data(), .ld = kLd}, {kRows, kRows}, kN);
  EXPECT_EQ(nullptr, ahead.share(10).at);
}

TEST_F(FetchAheadTest, NorOfShortRowsOrThoseFarApart) {
  FetchAhead shorter(3), apart(3);
  shorter.rows({.src = x_.data(), .ld = kShortRows - 1}, {0, 10}, kShortRows - 1);
  EXPECT_EQ(nullptr, shorter.share(10).at);
  apart.rows({.src = x_.data(), .ld = 2 * kShortRows}, {0, 10}, kShortRows);
  EXPECT_EQ(nullptr, apart.share(10).at);
}

TEST_F(FetchAheadTest, TilesShareTheRowsOfEveryOperand) {
  const Range next{10, kRows};
  for (const int64_t tiles : kTiles) {
    for (const int64_t words : kWords) {
      FetchAhead ahead(tiles);
      ahead.rows({.src = x_.data(), .ld = kLd, .y = y_.data(), .ldy = kLd, .dz = dz_.data(), .lddz = kLd}, next, kN);
      const std::vector<Fetch> all = shares(ahead, tiles, words);
      for (const Fetch& fetch : all) ASSERT_FALSE(fetch.dense);
      if (tiles < 3) continue;  // each operand has its turn
      for (const auto* operand : {&x_, &y_, &dz_}) {
        expect_covered(all, operand->data() + next.begin * kLd, next.size() * kLd, words, kFetchEvery);
      }
    }
  }
}

TEST_F(FetchAheadTest, RowsMayGoFromTheLastToTheFirst) {
  FetchAhead ahead(7);
  ahead.rows({.src = x_.data() + (kRows - 1) * kLd, .ld = -kLd}, {10, 25}, kN);  // those from 15 to 30 of x
  expect_covered(shares(ahead, 7, 64), x_.data() + 15 * kLd, 15 * kLd, 64, kFetchEvery);
}

TEST_F(FetchAheadTest, PanelsAreFetchedDensely) {
  for (const int64_t tiles : kTiles) {
    for (const int64_t words : kWords) {
      FetchAhead ahead(tiles);
      ahead.panels(words_of(x_.data()), kRows * kLd);
      const std::vector<Fetch> all = shares(ahead, tiles, words);
      for (const Fetch& fetch : all) ASSERT_TRUE(fetch.dense);
      expect_covered(all, x_.data(), kRows * kLd, words, 1);
    }
  }
}

TEST_F(FetchAheadTest, OutputsAreFetchedDenselyInEitherDirection) {
  for (const int64_t tiles : kTiles) {
    for (const int64_t words : kWords) {
      Epilogue forwards{}, backwards{};
      forwards.y = y_.data(), forwards.ldy = kLd;
      backwards.y = y_.data() + (kRows - 1) * kLd, backwards.ldy = -kLd;
      for (const Epilogue& epilogue : {forwards, backwards}) {
        FetchAhead ahead(tiles);
        ahead.outputs_densely(epilogue, {0, kRows}, kN);
        const std::vector<Fetch> all = shares(ahead, tiles, words);
        for (const Fetch& fetch : all) ASSERT_TRUE(fetch.dense);
        expect_covered(all, y_.data(), kRows * kLd, words, 1);
      }
    }
  }
}

}  // namespace
}  // namespace idelta::core
