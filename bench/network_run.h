// The benchmarks of the pass predict, as Google Benchmark lists and reports them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/layer_run.h"
#include "bench/settings.h"
#include "bench/trained.h"

namespace idelta::bench {

class NetworkRun {
 public:
  // One selection a number of threads; takes(name) is the filter. Settings without a model, and cold ones, select none.
  NetworkRun(const Settings& settings, const RoundRobinOptions& timing,
             const std::function<bool(const std::string&)>& takes);

  bool empty() const { return selections_.empty(); }
  std::vector<Benchmark> benchmarks();  // this must outlive them
  std::string report() const { return to_report(results_); }
  bool failed() const { return failed_; }

 private:
  struct Selection {
    int threads;
    TrainedModel model;
    std::vector<NetworkEntry> entries;
  };

  // Measures all of a selection when its first benchmark asks.
  const NetworkResult& result_of(const Selection& selection);
  void report(benchmark::State& state, const Selection& selection, size_t index);

  RoundRobinOptions timing_;
  std::vector<Selection> selections_;
  std::vector<NetworkResult> results_;
  const Selection* measured_ = nullptr;  // what results_.back() is of
  bool failed_ = false;
};

}  // namespace idelta::bench
