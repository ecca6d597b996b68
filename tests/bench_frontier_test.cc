// The frontier has every form and peer, each with an error that was measured; AUTO's regret is what the times say.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/auto_regret.h"
#include "bench/decaying.h"
#include "bench/forms.h"
#include "bench/frontier.h"
#include "bench/implementations/idelta.h"
#include "bench/sampled_rows.h"

namespace idelta::bench {
namespace {

const RoundRobinOptions kShort = {.sample_seconds = 1e-5, .participant_seconds = 1e-4};

TEST(Frontier, HasEveryFormAndPeerFastestFirst) {
  const LayerFrontier layer = measure_frontier(48, 6, 1, kShort);
  std::set<std::string> names;
  for (const FrontierPoint& point : layer.points) {
    EXPECT_TRUE(names.insert(point.name + " " + point.format).second) << point.name << " " << point.format;
    EXPECT_GT(point.seconds, 0.0);
    EXPECT_GT(point.error, 0.0) << point.name << " " << point.format;
    EXPECT_EQ(std::isfinite(point.certificate), point.name == "idelta" || point.name == "plain");
    EXPECT_EQ(point.ours, point.name == "idelta");
  }
  for (const char* name : {"idelta f32", "idelta bf16", "idelta int8", "idelta lr8", "idelta lr16+int8", "plain int8",
                           "plain lr8", "openblas f32", "openblas_beta1 f32", "openblas lr8"}) {
    EXPECT_EQ(names.count(name), 1u) << name;
  }
  EXPECT_TRUE(std::is_sorted(layer.points.begin(), layer.points.end(),
                             [](const FrontierPoint& a, const FrontierPoint& b) { return a.seconds < b.seconds; }));
}

// The identity lost to truncation is an error of about 1, whatever D is.
TEST(Frontier, LowRankOfWIsWorthNothing) {
  const LayerFrontier layer = measure_frontier(48, 6, 1, kShort);
  for (const FrontierPoint& point : layer.points) {
    if (point.name == "plain" && point.format == "lr8") {
      EXPECT_GT(point.error, 0.3);
    }
    if (point.name == "idelta" && point.format == "lr8") {
      EXPECT_LT(point.error, 0.2);
    }
  }
}

// What is fast and wrong gets no figure.
TEST(SampledRows, AnErrorBeyondItsProofIsFound) {
  const int64_t m = 70, n = 3;
  Buffer x(m * n), D(n * n), y(m * n);
  for (int64_t i = 0; i < D.size(); ++i) D[i] = 0.0f;
  for (int64_t i = 0; i < x.size(); ++i) x[i] = y[i] = 0.25f;
  const SampledRows rows(m, n, x, D, [](double z, int64_t) { return z; });
  EXPECT_EQ(rows.largest_error("exact", y, 0.0), 0.0);
  y[68 * n] += 0.1f;
  const double error = 0.1 / (0.25 * std::sqrt(3.0));
  EXPECT_NEAR(rows.largest_error("within", y, 0.25), error, 1e-6);
  EXPECT_THROW(rows.largest_error("beyond", y, 0.2), std::runtime_error);
  y[0] = NAN;
  EXPECT_THROW(rows.largest_error("nothing", y, FrontierPoint::kNone), std::runtime_error);
}

TEST(Frontier, IsWhatNoOtherBeats) {
  LayerFrontier layer{1, 1, 1, {}};
  for (const double error : {0.5, 0.6, 0.1, 0.1, 0.05}) layer.points.push_back({"", "", "", 1, 1, 1, error});
  EXPECT_EQ(on_frontier(layer), (std::vector<bool>{true, false, true, false, true}));
}

TEST(Frontier, OfANetworkSaysWhatIsCertified) {
  NetworkResult result{.layers = 2, .n = 8, .images = 100};
  result.implementations.resize(3);
  result.implementations[0] = {.title = "idelta", .seconds = {2.0}};
  result.implementations[1] = {
      .title = "idelta_rank 4", .seconds = {0.5}, .differ = 1, .settled = {{"rank 4", 100, 70}}};
  result.implementations[2] = {.title = "openblas", .seconds = {4.0}};
  const NetworkFrontier frontier = network_frontier(result);
  EXPECT_EQ(frontier.points[0].certified, 1.0);
  EXPECT_EQ(frontier.points[1].certified, 0.7);
  EXPECT_EQ(frontier.points[1].rows_a_second, 200.0);
  EXPECT_EQ(frontier.points[2].certified, 0.0);
}

TEST(Decaying, SingularValuesFallAsOfATrainedLayer) {
  const int64_t n = 200;
  const Buffer D = decaying_delta(n);
  for (const auto& [rank, left] : {std::pair<int64_t, double>{0, 0.3}, {32, 0.0166}, {64, 0.0057}}) {
    const PackedForm form = packed_form(context_for(IDELTA_ISA_AUTO, 1), n, D.data(),
                                        {.format = IDELTA_FORMAT_LOW_RANK, .rank = std::max<int64_t>(rank, 1)});
    const double dropped = form.delta->info().certificate;
    EXPECT_GT(dropped, 0.4 * left) << rank;
    EXPECT_LT(dropped, 2.5 * left) << rank;
  }
}

TEST(AutoRegret, IsTheChosenTimeOverTheFastest) {
  const std::vector<RegretRow> rows = measure_regret({.shapes = {{48, 4}}, .threads = {1}, .timing = kShort});
  std::set<std::string> tolerances;
  for (const RegretRow& row : rows) {
    EXPECT_TRUE(tolerances.insert(row.tolerance).second);
    EXPECT_GE(row.seconds, row.fastest_seconds);
    EXPECT_GT(row.predicted, 0.0);
    if (row.chosen == row.fastest) {
      EXPECT_EQ(row.regret(), 0.0);
    }
  }
  EXPECT_TRUE(tolerances.count("0.1") && tolerances.count("f32") && tolerances.count("sgemm"));
  const std::vector<RegretRow> made = {{8, 1, 1, "0.1", "a", "b", 1, 3.0, 2.0},
                                       {9, 1, 1, "0.1", "b", "b", 1, 2.0, 2.0}};
  EXPECT_EQ(mean_regret(made), 0.25);
  EXPECT_NE(to_summary(made).find("in 1 of 2 cases; mean regret 25.0 %, largest 50.0 % at n 8"), std::string::npos)
      << to_summary(made);
}

}  // namespace
}  // namespace idelta::bench
