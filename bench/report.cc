// See report.h.
#include "bench/report.h"

#include <algorithm>
#include <iterator>

#include "bench/text.h"
#include "bench/verdict.h"

namespace idelta::bench {

namespace {

const ImplementationResult* find(const PointResult& point, const std::string& title) {
  const auto found = std::find_if(point.implementations.begin(), point.implementations.end(),
                                  [&](const ImplementationResult& result) { return result.title() == title; });
  return found == point.implementations.end() ? nullptr : &*found;
}

// idelta's own.
const ImplementationResult* ours_of(const PointResult& point, const std::string& format) {
  return find(point, title_of("idelta", format));
}

// One column of ratios: those so far.
struct Column {
  std::string name;
  std::vector<double> ratios;
  const PointResult* least_at = nullptr;
  double least = 0.0;

  void add(double ratio, const PointResult& point) {
    if (ratios.empty() || ratio < least) {
      least = ratio;
      least_at = &point;
    }
    ratios.push_back(ratio);
  }
};

// What idelta must beat: at each point the fastest of the rivals.
constexpr const char* kBest = "best";

using Points = std::vector<const PointResult*>;

std::vector<Column> columns_of(const Points& points, const std::string& format) {
  std::vector<Column> columns = {{.name = kBest, .ratios = {}}};
  for (const PointResult* point : points) {
    const ImplementationResult& ours = *ours_of(*point, format);
    for (const ImplementationResult& result : point->implementations) {
      const bool known = std::any_of(columns.begin(), columns.end(),
                                     [&](const Column& column) { return column.name == result.title(); });
      const bool wanted =
          result.name == "idelta" ? &result != &ours && are_compared(ours, result) : is_match(ours, result);
      if (wanted && !known) columns.push_back({.name = result.title(), .ratios = {}});
    }
  }
  return columns;
}

// "-" where there is nobody to compare with.
void append_ratio(std::string& text, const ImplementationResult& ours, const ImplementationResult* theirs,
                  Column& column, const PointResult& point) {
  if (theirs == nullptr) {
    append(text, "  %17s", "-");
  } else if (!theirs->failure.empty()) {
    append(text, "  %17s", "WRONG");
  } else {
    const Quartiles ratio = quartiles(ratios(theirs->seconds, ours.seconds));
    append(text, "  %5.2f (%4.2f-%4.2f)", ratio.median, ratio.low, ratio.high);
    column.add(ratio.median, point);
  }
}

void append_row(std::string& text, const PointResult& point, const ImplementationResult& ours,
                std::vector<Column>& columns) {
  append(text, "%6d %6d", int(point.problem.n), int(point.problem.m));
  if (!ours.failure.empty()) {
    append(text, "  WRONG: %s\n", ours.failure.c_str());
    return;
  }
  const Quartiles seconds = quartiles(ours.seconds);
  append(text, " %8.1f %5.0f", ours.gigaflops(point.problem, seconds.median),
         100.0 * quartiles(ours.peak_fraction).median);
  if (ours.bandwidth_fraction.empty()) {
    append(text, " %6s %5s", "-", "-");
  } else {
    append(text, " %6.1f %5.0f", ours.gigabytes_a_second(point.problem, seconds.median),
           100.0 * quartiles(ours.bandwidth_fraction).median);
  }
  append(text, " %5.1f  %7.1e", 100.0 * (seconds.high - seconds.low) / seconds.median, ours.relative_error);
  for (Column& column : columns) {
    const ImplementationResult* theirs = column.name == kBest ? best_rival(point, ours) : find(point, column.name);
    append_ratio(text, ours, theirs, column, point);
  }
  text += '\n';
}

std::string table_of(const Points& points, const std::string& format) {
  std::string text;
  std::vector<Column> columns = columns_of(points, format);
  append(text, "%6s %6s %8s %5s %6s %5s %5s  %7s", "n", "m", "GFLOP/s", "peak%", "GB/s", "bw%", "iqr%", "error");
  for (const Column& column : columns) append(text, "  %17s", ("/ " + column.name).c_str());
  text += '\n';
  for (const PointResult* point : points) append_row(text, *point, *ours_of(*point, format), columns);
  for (const Column& column : columns) {
    if (column.ratios.empty()) continue;
    append(text, "  / %-15s geometric mean %5.2f, least %5.2f at n %d, m %d\n", column.name.c_str(),
           geometric_mean(column.ratios), column.least, int(column.least_at->problem.n),
           int(column.least_at->problem.m));
  }
  return text;
}

bool same_table(const PointResult& a, const PointResult& b) {
  return a.problem.pass == b.problem.pass && a.problem.threads == b.problem.threads &&
         a.problem.layer == b.problem.layer;
}

std::string heading_of(const Points& points, const std::string& format, bool cold) {
  const Problem& problem = points.front()->problem;
  std::vector<double> peaks;
  for (const PointResult* point : points) peaks.push_back(point->fma_gflops);
  std::string text;
  append(text, "\n%s, %s, %s, %s, ", problem.pass.name().c_str(), format.c_str(), cold ? "cold" : "warm",
         threads_text(problem.threads).c_str());
  if (problem.layer != 0) append(text, "layer %d of the trained model, ", problem.layer);
  append(text, "FMA peak %.0f GFLOP/s\n", quartiles(peaks).median);
  return text;
}

// Says so if the machine had other things to do: with several threads, one that waits holds up all.
void append_disturbance(std::string& text, const std::vector<PointResult>& points) {
  constexpr double kWorthSaying = 0.02;
  double disturbed = 0.0;
  for (const PointResult& point : points) disturbed += point.disturbed / double(points.size());
  if (disturbed < kWorthSaying) return;
  append(text,
         "\nOther processes, or idle threads that spin, cut into %.0f %% of the samples: trust no single figure.\n",
         100.0 * disturbed);
}

// The FMA loop bounds what fp32 can do; tiles and bf16 may exceed it.
void append_impossible_peaks(std::string& text, const std::vector<PointResult>& points) {
  const auto exceeds = [](const ImplementationResult& result) {
    return result.format == "f32" && result.failure.empty() && !result.peak_fraction.empty() &&
           quartiles(result.peak_fraction).median > 1.0;
  };
  for (const PointResult& point : points) {
    if (std::none_of(point.implementations.begin(), point.implementations.end(), exceeds)) continue;
    text += "\nA peak above 100 % in f32 cannot be: the machine was busy while the peak was measured; run again.\n";
    return;
  }
}

constexpr const char* kLegend =
    R"(GFLOP/s: idelta, median of interleaved rounds. peak%: of an FMA loop of the same rounds. iqr%: quartile range of the
time. error: relative, against fp64. GB/s: D (in updates D and v, read and written), x, y, dz, dx once each; bw%: of
a loop that moves fp32 D and v, or the factors of D, from the same place, in the same rounds.
/ name: idelta's speed over the other's, median (quartiles) of each round's own ratio; above 1 idelta is faster.
best: the fastest of openblas (SGEMM, then loops), openblas_beta1 (SGEMM accumulates) and onednn at that point, in fp32
or the table's format. plain: idelta's kernels on W. ..._bf16: in format BF16. idelta_random: idelta on random numbers
instead of the trained model's.
lrR: D is of rank R, 4 m n R flops; / idelta is by dense D in fp32, / openblas_lrR two products with the same factors.
)";

// Those of idelta, in the order of their first appearance.
std::vector<std::string> formats_of(const Points& points) {
  std::vector<std::string> formats;
  for (const PointResult* point : points) {
    for (const ImplementationResult& result : point->implementations) {
      const bool known = std::find(formats.begin(), formats.end(), result.format) != formats.end();
      if (result.name == "idelta" && !known) formats.push_back(result.format);
    }
  }
  return formats;
}

}  // namespace

std::string to_report(const std::vector<PointResult>& points, const ReportOptions& options) {
  std::string text = options.warning + kLegend + options.bandwidth;
  for (size_t begin = 0; begin < points.size();) {
    size_t end = begin;
    Points group;
    for (; end < points.size() && same_table(points[begin], points[end]); ++end) group.push_back(&points[end]);
    for (const std::string& format : formats_of(group)) {
      Points table;
      std::copy_if(group.begin(), group.end(), std::back_inserter(table),
                   [&](const PointResult* point) { return ours_of(*point, format) != nullptr; });
      text += heading_of(table, format, options.cold) + table_of(table, format);
    }
    begin = end;
  }
  text += to_verdict(verdict_rows(points, options.cold));
  append_disturbance(text, points);
  append_impossible_peaks(text, points);
  if (!options.warning.empty()) text += "\n" + options.warning;
  return text;
}

}  // namespace idelta::bench
