// The benchmark harness is honest: what is wrong gets no figure, and figures are what the times say. Nothing is timed.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/certificates.h"
#include "bench/compare.h"
#include "bench/implementation.h"
#include "bench/implementations/idelta.h"
#include "bench/implementations/openblas.h"
#include "bench/point.h"
#include "bench/report.h"
#include "bench/round_robin.h"
#include "bench/verify.h"

namespace idelta::bench {
namespace {

// ---- Arithmetic ----------------------------------------------------------------------------------------------------

// A round a number.
ImplementationResult timed(const char* name, bool rival, const std::vector<double>& seconds,
                           const char* format = "f32") {
  ImplementationResult result{.name = name, .format = format, .rival = rival, .seconds = seconds};
  result.peak_fraction.assign(seconds.size(), 0.25);
  result.bandwidth_fraction.assign(seconds.size(), 0.5);
  return result;
}

std::string line_with(const std::string& text, const std::string& start) {
  const size_t at = text.find("\n" + start);
  return at == std::string::npos ? "" : text.substr(at + 1, text.find('\n', at + 1) - at - 1);
}

TEST(Report, FiguresAreWhatTheTimesSay) {
  // 2 m n^2 = 2e6 flops in 10 us: 200 GFLOP/s. n^2 + 2 m n floats, 120 kB: 12 GB/s.
  PointResult point{.problem = {.pass = "forward", .n = 100, .m = 100, .threads = 1}};
  point.fma_gflops = 800;
  point.implementations = {timed("idelta", false, {10e-6, 10e-6, 10e-6}), timed("slow", true, {30e-6, 20e-6, 40e-6}),
                           timed("fast", true, {12e-6, 12e-6, 12e-6}), timed("plain", false, {5e-6, 5e-6, 5e-6}),
                           timed("wrong", true, {1e-6, 1e-6, 1e-6})};
  point.implementations.back().failure = "y[0, 0] is 1, not 2";
  const std::string report = to_report({point}, {.cold = true, .warning = "UNFAIR\n", .bandwidth = "bandwidth\n"});
  EXPECT_EQ(report.rfind("UNFAIR\n", 0), 0u);
  EXPECT_NE(report.find("forward, f32, cold, 1 thread, FMA peak 800 GFLOP/s"), std::string::npos) << report;
  EXPECT_EQ(line_with(report, "   100    100"),
            "   100    100    200.0    25   12.0    50   0.0  0.0e+00   1.20 (1.20-1.20)   3.00 (2.50-3.50)   1.20 "
            "(1.20-1.20)   "
            "0.50 (0.50-0.50)              WRONG")
      << report;
  EXPECT_EQ(line_with(report, "  / best "), "  / best            geometric mean  1.20, least  1.20 at n 100, m 100");
}

// A busy machine while the peak was measured makes it too low. Tiles exceed the peak of FMA rightly.
TEST(Report, PeaksThatCannotBeAreSaidToBe) {
  PointResult point{.problem = {.pass = "forward", .n = 100, .m = 100, .threads = 1}};
  point.implementations = {timed("idelta", false, {10e-6}), timed("slow", true, {20e-6}),
                           timed("idelta", false, {5e-6}, "bf16")};
  point.implementations[2].peak_fraction = {3.0};
  EXPECT_EQ(to_report({point}, {}).find("cannot be"), std::string::npos);
  point.implementations[0].peak_fraction = {1.2};
  EXPECT_NE(to_report({point}, {}).find("A peak above 100 % in f32 cannot be"), std::string::npos);

  std::vector<CompareRow> rows = {{.pass = "forward", .n = 8, .m = 1, .threads = 1, .ratio = 1, .peak_percent = 99}};
  EXPECT_EQ(impossible_peaks(rows), "");
  rows.push_back(rows[0]);
  rows[1].peak_percent = 130;
  EXPECT_NE(to_table(rows).find(impossible_peaks(rows)), std::string::npos);
  EXPECT_NE(impossible_peaks(rows).find("A peak above 100 % cannot be"), std::string::npos);
}

// Preparing and checking a point are part of the time that was given; five rounds of each are the least.
TEST(Compare, TakesAboutTheTimeThatItWasGiven) {
  CompareOptions options;
  options.points = {{256, 16, 1}, {256, 64, 1}, {256, 128, 1}};
  options.budget_seconds = 1.5;
  const auto began = std::chrono::steady_clock::now();
  EXPECT_EQ(compare(options).size(), 12u);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  EXPECT_LT(seconds, 2 * options.budget_seconds);
  EXPECT_GT(seconds, options.budget_seconds / 2);
}

// What is less accurate is no rival: fp32 is judged among fp32, bf16 by both.
TEST(Report, EachFormatHasItsTableAndItsRivals) {
  PointResult point{.problem = {.pass = "forward", .n = 100, .m = 100, .threads = 1}};
  point.fma_gflops = 800;
  point.implementations = {timed("idelta", false, {10e-6}), timed("idelta", false, {5e-6}, "bf16"),
                           timed("plain", false, {6e-6}, "bf16"), timed("slow", true, {20e-6}),
                           timed("fast", true, {8e-6}, "bf16")};
  const std::string report = to_report({point}, {});
  const size_t second = report.find("\nforward, bf16, warm");
  ASSERT_NE(second, std::string::npos) << report;
  const std::string f32 = report.substr(0, second), bf16 = report.substr(second);
  EXPECT_NE(f32.find("/ best      / idelta_bf16             / slow\n"), std::string::npos) << report;
  EXPECT_EQ(line_with(f32, "   100    100"),
            "   100    100    200.0    25   12.0    50   0.0  0.0e+00   2.00 (2.00-2.00)   0.50 (0.50-0.50)   2.00 "
            "(2.00-2.00)");
  EXPECT_NE(bf16.find("/ best           / idelta       / plain_bf16             / slow        / fast_bf16\n"),
            std::string::npos)
      << report;
  EXPECT_EQ(line_with(bf16, "   100    100"),
            "   100    100    400.0    25   20.0    50   0.0  0.0e+00   1.60 (1.60-1.60)   2.00 (2.00-2.00)   1.20 "
            "(1.20-1.20)   "
            "4.00 (4.00-4.00)   1.60 (1.60-1.60)");
}

// D is another one: no ratio to what dense D takes elsewhere, and none of theirs to it.
TEST(Report, LowRankIsComparedWithItsRankAndWithDense) {
  PointResult point{.problem = {.pass = "forward", .n = 100, .m = 100, .threads = 1}};
  point.fma_gflops = 800;
  point.implementations = {timed("idelta", false, {10e-6}),        timed("idelta", false, {5e-6}, "bf16"),
                           timed("plain", false, {9e-6}),          timed("slow", true, {20e-6}),
                           timed("idelta", false, {4e-6}, "lr8"),  timed("slow", true, {6e-6}, "lr8"),
                           timed("idelta", false, {8e-6}, "lr16"), timed("slow", true, {7e-6}, "lr16")};
  const std::string report = to_report({point}, {});
  const size_t begin = report.find("\nforward, lr8, warm"), end = report.find("\nforward, lr16, warm");
  ASSERT_NE(begin, std::string::npos) << report;
  ASSERT_NE(end, std::string::npos) << report;
  const size_t dense = report.find("\nforward, f32, warm");
  EXPECT_EQ(report.substr(dense, begin - dense).find("lr"), std::string::npos) << report;
  const std::string low_rank = report.substr(begin, end - begin);
  EXPECT_NE(low_rank.find("/ best           / idelta         / slow_lr8\n"), std::string::npos) << report;
  // 4 m n r = 320e3 flops in 4 us; 2 n r + 2 m n floats, 86.4 kB.
  EXPECT_EQ(line_with(low_rank, "   100    100"),
            "   100    100     80.0    25   21.6    50   0.0  0.0e+00   1.50 (1.50-1.50)   2.50 (2.50-2.50)   1.50 "
            "(1.50-1.50)")
      << report;
}

TEST(Report, OurOwnWrongResultIsSaidAndNotCounted) {
  PointResult point{.problem = {.pass = "update", .n = 8, .m = 2, .threads = 2}};
  point.implementations = {timed("idelta", false, {1.0}), timed("openblas", true, {2.0})};
  point.implementations[0].failure = "weights[0, 0] is nan";
  const std::string report = to_report({point}, {});
  EXPECT_EQ(line_with(report, "     8      2"), "     8      2  WRONG: weights[0, 0] is nan");
  EXPECT_EQ(report.find("\n  / "), std::string::npos) << report;
  EXPECT_NE(report.find("0/1     no point that counts"), std::string::npos) << report;
}

TEST(Problem, CountsWhatAPassMustMoveAndMultiply) {
  const auto of = [](const char* pass) { return Problem{.pass = pass, .n = 10, .m = 3, .threads = 1}; };
  EXPECT_EQ(of("forward").flops(), 600.0);
  EXPECT_EQ(of("update").flops(), 600.0);
  EXPECT_EQ(of("train_step").flops(), 1800.0);
  EXPECT_EQ(of("forward").traffic_bytes("f32"), 4 * (100.0 + 2 * 30));
  EXPECT_EQ(of("forward").traffic_bytes("bf16"), 2 * 100.0 + 4 * 2 * 30);
  EXPECT_EQ(of("forward").traffic_bytes("bf16x3"), 4 * (100.0 + 2 * 30));
  EXPECT_EQ(of("forward").flops("lr2"), 240.0);
  EXPECT_EQ(of("forward").flops("bf16"), 600.0);
  EXPECT_EQ(of("forward").traffic_bytes("lr2"), 4 * (40.0 + 2 * 30));
  EXPECT_EQ(of("backward_data").traffic_bytes("lr2"), 4 * (40.0 + 4 * 30));
  EXPECT_EQ(of("backward_weights").traffic_bytes("bf16"), 4 * (100.0 + 2 * 30));
  EXPECT_EQ(of("update").traffic_bytes("f32"), 4 * (400.0 + 2 * 30));
  for (const char* format : {"f32", "bf16"}) {
    EXPECT_EQ(of("train_step").traffic_bytes(format), of("forward").traffic_bytes(format) +
                                                          of("backward_data").traffic_bytes(format) +
                                                          of("update").traffic_bytes(format));
  }
}

TEST(RoundRobin, AnnouncesAsManyCallsAsItMakesAndRatiosStayInTheirRound) {
  int64_t announced = 0, made = 0;
  const Participant participant{.run = [&] { ++made; }, .prepare = [&](int64_t calls) { announced += calls; }};
  const RoundRobin measured = round_robin({participant, participant}, {.sample_seconds = 1e-5, .least_rounds = 7});
  EXPECT_EQ(announced, made);
  EXPECT_EQ(measured.seconds.size(), 2u);
  EXPECT_GE(measured.seconds[0].size(), 7u);
  EXPECT_EQ(ratios({6.0, 1.0}, {2.0, 4.0}), (std::vector<double>{3.0, 0.25}));
  EXPECT_DOUBLE_EQ(geometric_mean({2.0, 8.0}), 4.0);
  const Quartiles q = quartiles({5.0, 1.0, 2.0, 4.0, 3.0});
  EXPECT_EQ((std::vector<double>{q.least, q.low, q.median, q.high}), (std::vector<double>{1.0, 2.0, 3.0, 4.0}));
}

// ---- The table -----------------------------------------------------------------------------------------------------

TEST(Formats, AreThereOnlyWhereTheyAreWhatTheyAreCalled) {
  EXPECT_EQ(formats_on(IDELTA_ISA_SCALAR), (std::vector<idelta_format>{IDELTA_FORMAT_F32, IDELTA_FORMAT_BF16}));
  const std::vector<idelta_format> formats = formats_on(IDELTA_ISA_AUTO);
  const bool tiles = context_for(IDELTA_ISA_AUTO, 1).isa() == IDELTA_ISA_AMX;
  EXPECT_EQ(std::count(formats.begin(), formats.end(), IDELTA_FORMAT_BF16X3), tiles ? 1 : 0);
  for (const Pass pass : all_passes()) {
    std::set<std::string> titles;
    for (const ImplementationEntry& entry : all_implementations()) {
      if (!entry.has({.pass = pass, .n = 1024, .m = 16, .threads = 1})) continue;
      EXPECT_TRUE(titles.insert(entry.title()).second) << pass.name() << " " << entry.title();
    }
    EXPECT_EQ(titles.count("idelta_bf16x3"), tiles ? 1u : 0u);
  }
}

// One row of gradients is fp32 in every format, and not shown as another.
TEST(Formats, GradientsThatAreFp32AreCalledSo) {
  for (const ImplementationEntry& entry : {idelta_entry(IDELTA_FORMAT_BF16), plain_entry(IDELTA_FORMAT_BF16)}) {
    EXPECT_FALSE(entry.has({.pass = "backward_weights", .n = 17, .m = 1, .threads = 1}));
    EXPECT_TRUE(entry.has({.pass = "update", .n = 17, .m = 1, .threads = 1}));
  }
  EXPECT_TRUE(idelta_entry().has({.pass = "backward_weights", .n = 17, .m = 1, .threads = 1}));
}

// ---- Certificates --------------------------------------------------------------------------------------------------

void expect_tight(idelta_isa isa) {
  const Problem problem{.pass = "forward", .n = 96, .m = 20, .threads = 1, .isa = isa, .layer = 3};
  const std::vector<CertificateRow> rows = measure_certificates(problem, random_inputs(problem));
  ASSERT_EQ(rows.size(), 2 * formats_on(isa).size());
  for (const CertificateRow& row : rows) {
    const std::string name = std::string(idelta_format_name(row.format)) + " " + row.pass.name();
    EXPECT_LE(row.tightness(), 1.0) << name;
    for (const WorstErrors& errors : {row.attack, row.activations}) {
      EXPECT_GT(errors.ours, 1e-9) << name;
      EXPECT_GT(errors.sgemm, 1e-9) << name;
      EXPECT_LT(errors.sgemm, 1e-6) << name;
    }
    if (row.format != IDELTA_FORMAT_BF16) continue;
    EXPECT_GT(row.attack.ours, 0.1 * row.certificate) << name;
    EXPECT_GT(row.attack.ours, 1.5 * row.activations.ours) << name;
  }
}

// On the scalar ISA too, which does not round x: there the attack along D - D~ is all there is.
TEST(Certificates, AttacksComeNearAndNeverBeyond) {
  expect_tight(IDELTA_ISA_AUTO);
  expect_tight(IDELTA_ISA_SCALAR);
}

TEST(Certificates, WhatIsBrokenAndWhatIsBetterIsSaid) {
  const auto row = [](const char* pass, double attack, double activations) {
    return CertificateRow{.layer = 3,
                          .pass = pass,
                          .format = IDELTA_FORMAT_BF16,
                          .certificate = 8e-3,
                          .attack = {attack, 1e-7},
                          .activations = {activations, 2e-7}};
  };
  const std::string table = to_table({row("forward", 6e-3, 1e-7), row("backward_data", 8.8e-3, 3e-7)});
  EXPECT_NE(table.find("\n    3  forward        bf16       8.00e-03  6.00e-03  1.00e-07     1.00e-07  2.00e-07     "
                       "0.7500\n"),
            std::string::npos)
      << table;
  EXPECT_NE(table.find("1.1000  BROKEN\n"), std::string::npos) << table;
  EXPECT_NE(table.find("\nbf16: tightness at least 0.7500; more accurate than SGEMM on 1 of 2 activations\n"),
            std::string::npos)
      << table;
}

// ---- Names ---------------------------------------------------------------------------------------------------------

TEST(Names, SayEverythingThatWasChosen) {
  ImplementationEntry entry = openblas_entry();
  entry.isa = [](idelta_isa) { return std::string("somewhere"); };
  Problem problem{.pass = "update", .n = 794, .m = 16, .threads = 2};
  EXPECT_EQ(benchmark_name(problem, entry), "update/openblas/f32/somewhere/n:794/m:16/threads:2");
  problem.layer = 5;
  EXPECT_EQ(benchmark_name(problem, entry), "update/openblas/f32/somewhere/n:794/m:16/layer:5/threads:2");
  entry = idelta_low_rank_entry(32);
  entry.isa = [](idelta_isa) { return std::string("avx512"); };
  EXPECT_EQ(benchmark_name({.pass = "forward", .n = 794, .m = 128, .threads = 1}, entry),
            "forward/idelta/lr32/avx512/n:794/m:128/threads:1");
}

TEST(Names, OfPassesReadBackAndNoOthersDo) {
  for (const Pass pass : all_passes()) EXPECT_TRUE(Pass(pass.name()) == pass);
  EXPECT_THROW(Pass("sideways"), std::invalid_argument);
}

}  // namespace
}  // namespace idelta::bench
