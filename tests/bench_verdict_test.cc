// The verdict of a benchmark counts every point that can be trusted and hides none; random shapes can be drawn again.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/shapes.h"
#include "bench/verdict.h"

namespace idelta::bench {
namespace {

ImplementationResult timed(const char* name, bool rival, const std::vector<double>& seconds) {
  return {.name = name, .format = "f32", .rival = rival, .seconds = seconds};
}

PointResult point_of(int64_t n, const std::vector<double>& ours, const std::vector<double>& theirs) {
  PointResult point{.problem = {.pass = "update", .n = n, .m = 16, .threads = 2}};
  point.implementations = {timed("idelta", false, ours), timed("openblas", true, theirs),
                           timed("onednn", true, {100.0, 100.0, 100.0})};
  return point;
}

std::vector<PointResult> three_points() {
  return {point_of(100, {1.0, 1.0, 1.0}, {2.0, 2.0, 2.0}), point_of(200, {2.0, 2.0, 2.0}, {1.0, 1.01, 1.02}),
          point_of(300, {1.0, 1.0, 1.0}, {0.1, 0.2, 0.3})};
}

TEST(Verdict, CountsPointsThatSpreadLittleAndListsTheOthers) {
  const std::string verdict = to_verdict(verdict_rows(three_points(), true));
  EXPECT_NE(verdict.find("\nupdate            f32     cold        2       2/3               1.00   0.51 at n 200, m 16 "
                         "(openblas)\n"),
            std::string::npos)
      << verdict;
  EXPECT_NE(verdict.find("\n  update, f32, cold, 2 threads, n 300, m 16: 0.20 (0.15-0.25) of openblas\n"),
            std::string::npos)
      << verdict;
}

TEST(Verdict, OurWrongResultIsSaidAndARivalsIsNotTheBest) {
  std::vector<PointResult> points = three_points();
  points[0].implementations[0].failure = "weights[0, 0] is nan";
  points[1].implementations[1].failure = "weights[0, 0] is nan";
  const std::string verdict = to_verdict(verdict_rows(points, false));
  EXPECT_NE(verdict.find("1/3              50.00  50.00 at n 200, m 16 (onednn)\n"), std::string::npos) << verdict;
  EXPECT_NE(verdict.find("n 100, m 16: WRONG"), std::string::npos) << verdict;
}

TEST(Verdict, OfPartsIsThatOfTheWhole) {
  const std::vector<VerdictRow> rows = verdict_rows(three_points(), true);
  const std::string folder = ::testing::TempDir() + "idelta_verdict";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directory(folder);
  std::ofstream(folder + "/points-1-of-2.csv") << to_csv({rows[0], rows[2]});
  std::ofstream(folder + "/points-2-of-2.csv") << to_csv({rows[1]});
  EXPECT_EQ(to_verdict(read_rows(folder)).substr(0, to_verdict(rows).size()), to_verdict(rows));
  std::ofstream(folder + "/points-3-of-2.csv") << "n,m\n";
  EXPECT_THROW(read_rows(folder), std::runtime_error);
  std::filesystem::remove_all(folder);
  EXPECT_THROW(read_rows(folder), std::runtime_error);
}

TEST(RandomShapes, AreTheSameForASeedAndFillTheirRangesEvenlyInTheLogarithm) {
  const std::vector<Shape> shapes = random_shapes(2000, 17, {64, 5000}, {4, 1024});
  const std::vector<Shape> again = random_shapes(2000, 17, {64, 5000}, {4, 1024});
  const std::vector<Shape> others = random_shapes(2000, 18, {64, 5000}, {4, 1024});
  int small = 0, same = 0;
  std::set<int64_t> widths;
  for (size_t s = 0; s < shapes.size(); ++s) {
    EXPECT_TRUE(shapes[s].n >= 64 && shapes[s].n <= 5000 && shapes[s].m >= 4 && shapes[s].m <= 1024);
    EXPECT_TRUE(shapes[s].n == again[s].n && shapes[s].m == again[s].m);
    small += double(shapes[s].n) < std::sqrt(64.0 * 5000.0) ? 1 : 0;
    same += shapes[s].n == others[s].n && shapes[s].m == others[s].m ? 1 : 0;
    widths.insert(shapes[s].n);
  }
  EXPECT_NEAR(small, 1000, 100);
  EXPECT_LT(same, 10);
  EXPECT_GT(widths.size(), 700u);
}

TEST(RandomShapes, OfOneSizeAreThatSize) {
  for (const Shape& shape : random_shapes(10, 1, {794, 794}, {1, 1})) {
    EXPECT_EQ(shape.n, 794);
    EXPECT_EQ(shape.m, 1);
  }
}

}  // namespace
}  // namespace idelta::bench
