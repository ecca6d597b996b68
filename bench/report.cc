// See report.h.
#include "bench/report.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace idelta::bench {

namespace {

__attribute__((format(printf, 2, 3))) void append(std::string& text, const char* format, ...) {
  char piece[256];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(piece, sizeof piece, format, arguments);
  va_end(arguments);
  text += piece;
}

const ImplementationResult* find(const PointResult& point, const std::string& name) {
  const auto found = std::find_if(point.implementations.begin(), point.implementations.end(),
                                  [&](const ImplementationResult& result) { return result.name == name; });
  return found == point.implementations.end() ? nullptr : &*found;
}

// One peer's column: its ratios so far.
struct Peer {
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

using Points = std::vector<const PointResult*>;

std::vector<Peer> peers_in(const Points& points) {
  std::vector<Peer> peers;
  for (const PointResult* point : points) {
    for (const ImplementationResult& result : point->implementations) {
      const bool known = std::any_of(peers.begin(), peers.end(), [&](const Peer& p) { return p.name == result.name; });
      if (result.name != "idelta" && !known) peers.push_back({.name = result.name, .ratios = {}});
    }
  }
  return peers;
}

void append_ratio(std::string& text, const ImplementationResult& ours, Peer& peer, const PointResult& point) {
  const ImplementationResult* theirs = find(point, peer.name);
  if (theirs == nullptr) {
    append(text, "  %17s", "-");
  } else if (!theirs->failure.empty()) {
    append(text, "  %17s", "WRONG");
  } else {
    const Quartiles ratio = quartiles(ratios(theirs->seconds, ours.seconds));
    append(text, "  %5.2f (%4.2f-%4.2f)", ratio.median, ratio.low, ratio.high);
    peer.add(ratio.median, point);
  }
}

void append_row(std::string& text, const PointResult& point, std::vector<Peer>& peers) {
  append(text, "%6lld %6lld", static_cast<long long>(point.problem.n), static_cast<long long>(point.problem.m));
  const ImplementationResult& ours = *find(point, "idelta");
  if (!ours.failure.empty()) {
    append(text, "  WRONG: %s\n", ours.failure.c_str());
    return;
  }
  const Quartiles seconds = quartiles(ours.seconds);
  append(text, " %8.1f %5.0f %5.1f  %7.1e", 1e-9 * point.problem.flops() / seconds.median,
         100.0 * quartiles(ours.peak_fraction).median, 100.0 * (seconds.high - seconds.low) / seconds.median,
         ours.relative_error);
  for (Peer& peer : peers) append_ratio(text, ours, peer, point);
  text += '\n';
}

std::string table_of(const Points& points) {
  std::string text;
  std::vector<Peer> peers = peers_in(points);
  append(text, "%6s %6s %8s %5s %5s  %7s", "n", "m", "idelta", "peak%", "iqr%", "error");
  for (const Peer& peer : peers) append(text, "  %17s", ("/ " + peer.name).c_str());
  text += '\n';
  for (const PointResult* point : points) append_row(text, *point, peers);
  for (const Peer& peer : peers) {
    if (peer.ratios.empty()) continue;
    append(text, "  / %-15s geometric mean %5.2f, least %5.2f at n %lld, m %lld\n", peer.name.c_str(),
           geometric_mean(peer.ratios), peer.least, static_cast<long long>(peer.least_at->problem.n),
           static_cast<long long>(peer.least_at->problem.m));
  }
  return text;
}

bool same_table(const PointResult& a, const PointResult& b) {
  return a.problem.pass == b.problem.pass && a.problem.threads == b.problem.threads;
}

double median_peak(const Points& points) {
  std::vector<double> peaks;
  for (const PointResult* point : points) peaks.push_back(point->fma_gflops);
  return quartiles(peaks).median;
}

// Says so if the machine had other things to do: with several threads, one that waits holds up all.
void append_disturbance(std::string& text, const std::vector<PointResult>& points) {
  constexpr double kWorthSaying = 0.02;
  double disturbed = 0.0;
  for (const PointResult& point : points) disturbed += point.disturbed / double(points.size());
  if (disturbed < kWorthSaying) return;
  append(text, "\nOther processes cut into %.0f %% of the samples: the machine was busy, trust no single figure.\n",
         100.0 * disturbed);
}

}  // namespace

std::string to_report(const std::vector<PointResult>& points, bool cold) {
  std::string text =
      "idelta: GFLOP/s, median of interleaved rounds. peak%: of an FMA loop of the same rounds. iqr%: quartile range "
      "of "
      "the time.\n/ peer: idelta's speed over the peer's, median (quartiles) of each round's own ratio; above 1 idelta "
      "is faster.\n";
  for (size_t begin = 0; begin < points.size();) {
    size_t end = begin;
    Points table;
    for (; end < points.size() && same_table(points[begin], points[end]); ++end) {
      if (find(points[end], "idelta") != nullptr) table.push_back(&points[end]);
    }
    if (!table.empty()) {
      const Problem& problem = points[begin].problem;
      append(text, "\n%s, f32, %s, %d thread%s, FMA peak %.0f GFLOP/s\n", pass_name(problem.pass),
             cold ? "cold" : "warm", problem.threads, problem.threads == 1 ? "" : "s", median_peak(table));
      text += table_of(table);
    }
    begin = end;
  }
  append_disturbance(text, points);
  return text;
}

}  // namespace idelta::bench
