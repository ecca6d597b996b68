// See compare.h: the grid point measurement of point.h for idelta and OpenBLAS alone, and its table.
#include "bench/compare.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "bench/point.h"
#include "bench/text.h"

namespace idelta::bench {

namespace {

CompareRow row_of(const PointResult& point) {
  for (const ImplementationResult& result : point.implementations) {
    if (!result.failure.empty()) {
      throw std::runtime_error(point.problem.pass.name() + " of " + result.name +
                               " at n = " + std::to_string(point.problem.n) +
                               ", m = " + std::to_string(point.problem.m) + ": " + result.failure);
    }
  }
  const ImplementationResult& ours = point.implementations[0];
  const ImplementationResult& peer = point.implementations[1];
  const Quartiles ratio = quartiles(ratios(peer.seconds, ours.seconds));
  const double giga_flops = point.problem.flops() * 1e-9;
  return {.pass = point.problem.pass.name(),
          .n = point.problem.n,
          .m = point.problem.m,
          .threads = point.problem.threads,
          .idelta_gflops = giga_flops / quartiles(ours.seconds).median,
          .openblas_gflops = giga_flops / quartiles(peer.seconds).median,
          .ratio = ratio.median,
          .ratio_low = ratio.low,
          .ratio_high = ratio.high,
          .peak_percent = 100.0 * quartiles(ours.peak_fraction).median};
}

using Clock = std::chrono::steady_clock;

// Cuts what is left of the time into equal parts for the points that are left. A point takes longer than its rounds:
// it is prepared, warmed up and checked. How much longer is known from those before.
class Budget {
 public:
  explicit Budget(double seconds) : seconds_(seconds), began_(Clock::now()) {}

  // Of one participant of the next point, where `points` are left.
  double participant_seconds(size_t points) {
    // The two libraries and the FMA loop (and, with few rows, a fourth).
    constexpr double kParticipants = 3;
    const double passed = std::chrono::duration<double>(Clock::now() - began_).count();
    const double longer = planned_ > 0 ? std::max(1.0, passed / planned_) : 1.0;
    const double planned = std::max(0.0, seconds_ - passed) / double(points) / longer;
    planned_ += planned;
    return planned / kParticipants;
  }

 private:
  const double seconds_;
  const Clock::time_point began_;
  double planned_ = 0.0;  // for the points so far
};

}  // namespace

std::vector<CompareRow> compare(const CompareOptions& options) {
  std::vector<Problem> problems;
  for (const ComparePoint& point : options.points) {
    // 2^15: the copies of a layer still fit a small machine's memory, and OpenBLAS' sizes are 32 bits.
    if (point.n < 1 || point.n > 32768 || point.m < 1 || point.m > 32768 || point.threads < 1) {
      throw std::invalid_argument(
          "n and m must be 1 to 32768 and threads at least 1, not n = " + std::to_string(point.n) +
          ", m = " + std::to_string(point.m) + ", threads = " + std::to_string(point.threads));
    }
    for (const std::string& pass : options.passes) {
      problems.push_back({Pass(pass), point.n, point.m, point.threads, options.isa});
    }
  }
  PointOptions point_options;
  Budget budget(options.budget_seconds);
  const std::vector<ImplementationEntry> both = {idelta_entry(), openblas_entry()};
  std::vector<CompareRow> rows;
  for (const Problem& problem : problems) {
    point_options.timing.participant_seconds = budget.participant_seconds(problems.size() - rows.size());
    point_options.timing.sample_seconds = std::clamp(point_options.timing.participant_seconds / 9, 1e-3, 20e-3);
    rows.push_back(row_of(measure_point(problem, random_inputs(problem), both, point_options)));
    if (options.progress) options.progress(rows.size(), problems.size());
  }
  return rows;
}

std::string to_table(const std::vector<CompareRow>& rows) {
  std::string text;
  constexpr const char* kHeading = "%-17s %6s %6s %8s %9s %9s %7s  %-13s %6s\n";
  append(text, kHeading, "pass", "n", "m", "threads", "idelta", "OpenBLAS", "ratio", "quartiles", "peak");
  append(text, kHeading, "", "", "", "", "GFLOP/s", "GFLOP/s", "", "", "%");
  std::vector<double> all_ratios;
  const CompareRow* least = nullptr;
  for (const CompareRow& row : rows) {
    append(text, "%-17s %6d %6d %8d %9.1f %9.1f %7.2f  %5.2f - %-5.2f %6.0f\n", row.pass.c_str(), int(row.n),
           int(row.m), row.threads, row.idelta_gflops, row.openblas_gflops, row.ratio, row.ratio_low, row.ratio_high,
           row.peak_percent);
    all_ratios.push_back(row.ratio);
    if (least == nullptr || row.ratio < least->ratio) least = &row;
  }
  if (least != nullptr) {
    append(text, "geometric mean of the ratios %.2f, least %.2f (%s, n %d, m %d, threads %d)\n",
           geometric_mean(all_ratios), least->ratio, least->pass.c_str(), int(least->n), int(least->m), least->threads);
  }
  return text + impossible_peaks(rows);
}

std::string impossible_peaks(const std::vector<CompareRow>& rows) {
  const bool possible =
      std::all_of(rows.begin(), rows.end(), [](const CompareRow& r) { return r.peak_percent <= 100; });
  if (possible) return "";
  return "A peak above 100 % cannot be: the machine was busy with something else while the peak was measured;\n"
         "run again on an idle one.\n";
}

}  // namespace idelta::bench
