// See network_run.h.
#include "bench/network_run.h"

#include <utility>

namespace idelta::bench {

NetworkRun::NetworkRun(const Settings& settings, const RoundRobinOptions& timing,
                       const std::function<bool(const std::string&)>& takes)
    : timing_(timing) {
  if (settings.quick) timing_.least_rounds = 3;  // of a pass over a whole set
  if (settings.model.empty() || settings.cold) return;
  for (const int threads : settings.threads) {
    Selection selection{threads, TrainedModel(settings.model, settings.data, threads), {}};
    std::vector<NetworkEntry> all = selection.model.entries();
    for (NetworkEntry& peer : network_peers()) all.push_back(std::move(peer));
    for (NetworkEntry& entry : all) {
      if (takes(benchmark_name(entry, selection.model.n(), selection.model.images(), threads))) {
        selection.entries.push_back(std::move(entry));
      }
    }
    if (!selection.entries.empty()) selections_.push_back(std::move(selection));
  }
}

std::vector<Benchmark> NetworkRun::benchmarks() {
  std::vector<Benchmark> all;
  for (const Selection& selection : selections_) {
    const TrainedModel& model = selection.model;
    for (size_t e = 0; e < selection.entries.size(); ++e) {
      all.push_back({benchmark_name(selection.entries[e], model.n(), model.images(), selection.threads),
                     benchmark::kMillisecond,
                     [this, &selection, e](benchmark::State& state) { report(state, selection, e); }});
    }
  }
  return all;
}

const NetworkResult& NetworkRun::result_of(const Selection& selection) {
  if (measured_ != &selection) {
    results_.push_back(measure_network(selection.model.network_problem(), selection.entries, timing_));
    measured_ = &selection;
  }
  return results_.back();
}

void NetworkRun::report(benchmark::State& state, const Selection& selection, size_t index) {
  const NetworkResult& result = result_of(selection);
  const NetworkImplementation& own = result.implementations[index];
  if (!own.failure.empty()) {
    failed_ = true;
    state.SkipWithError(own.failure.c_str());
    return;
  }
  const Quartiles seconds = quartiles(own.seconds);
  while (state.KeepRunning()) state.SetIterationTime(seconds.median);
  state.counters["rows/s"] = double(result.images) / seconds.median;
  state.counters["iqr%"] = 100.0 * (seconds.high - seconds.low) / seconds.median;
  state.counters["batch"] = double(own.batch);
  state.counters["differ"] = double(own.differ);
  for (const SettledRows& rows : own.settled) {
    state.counters["settled%_" + rows.form] = 100.0 * double(rows.settled) / double(result.images);
  }
  const auto add_ratio = [&](const std::string& name, const NetworkImplementation* theirs) {
    if (theirs == nullptr || !theirs->failure.empty() || theirs == &own) return;
    state.counters[name] = quartiles(ratios(theirs->seconds, own.seconds)).median;
  };
  add_ratio("vs_best_f32", best_rival(result, true));
  add_ratio("vs_best", best_rival(result, false));
  for (const NetworkImplementation& theirs : result.implementations) add_ratio("vs_" + theirs.title, &theirs);
}

}  // namespace idelta::bench
