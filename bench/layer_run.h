// The benchmarks of single layers, as Google Benchmark lists and reports them.
//
// Google Benchmark gives names, filter, console and JSON; the measuring is ours, because it runs a benchmark to its end
// before the next one begins (its random interleaving shuffles whole repetitions, seconds apart), and what is wanted is
// the ratio of implementations that alternate within milliseconds. So the first benchmark of a grid point measures all
// selected implementations of that point in turns (point.h), and each reports its own median as manual time.
#pragma once

#include <benchmark/benchmark.h>

#include <functional>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "bench/point.h"
#include "bench/settings.h"
#include "bench/trained.h"

namespace idelta::bench {

// As Google Benchmark lists it. The first of a point measures the whole point.
struct Benchmark {
  std::string name;
  benchmark::TimeUnit unit;
  std::function<void(benchmark::State&)> report;
};

// Google Benchmark's own rule: a regular expression found anywhere in the name; "-" before it turns it round.
class Filter {
 public:
  explicit Filter(std::string text);
  bool takes(const std::string& name) const { return std::regex_search(name, pattern_) != negative_; }
  // Low rank is in question only warm: a copy takes up to a second to pack, and cold ones are thousands. Two ranks say
  // what the format gives; the others run for a filter that says lr.
  bool considers(const ImplementationEntry& entry, bool cold) const;

 private:
  bool negative_ = false, names_low_rank_ = false;
  std::regex pattern_;
};

// Those that were asked for, or else all for certificates and three for times.
std::vector<int> layers_of(const Settings& settings, const TrainedModel& model);

class LayerRun {
 public:
  LayerRun(const Settings& settings, const Filter& filter, const RoundRobinOptions& timing);

  bool empty() const { return selections_.empty(); }
  // Empty, or why layers of the model are not measured though the filter takes some.
  const std::string& why_none() const { return why_none_; }
  std::vector<Benchmark> benchmarks();  // this must outlive them
  const std::vector<PointResult>& points() const { return points_; }
  bool failed() const { return failed_; }

 private:
  // A grid point and the implementations of it that the filter leaves.
  struct Selection {
    Problem problem;
    std::vector<ImplementationEntry> entries;
  };

  void select(Settings settings, const Filter& filter);
  const PointResult& point_of(const Selection& selection);
  void report(benchmark::State& state, const Selection& selection, size_t index);

  std::optional<TrainedModel> model_;
  std::string why_none_;
  PointOptions options_;
  std::vector<Selection> selections_;
  std::vector<PointResult> points_;
  const Selection* measured_ = nullptr;  // what points_.back() is of
  bool failed_ = false;
};

}  // namespace idelta::bench
