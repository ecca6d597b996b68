// See layer_run.h.
#include "bench/layer_run.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <stdexcept>

#include "bench/text.h"

namespace idelta::bench {

Filter::Filter(std::string text) {
  if (text.empty() || text == "all") text = ".";
  negative_ = text[0] == '-';
  names_low_rank_ = !negative_ && text.find("lr") != std::string::npos;
  pattern_.assign(negative_ ? text.substr(1) : text, std::regex::extended);
}

bool Filter::considers(const ImplementationEntry& entry, bool cold) const {
  const int64_t rank = rank_of(entry.format);
  return rank == 0 || (!cold && (names_low_rank_ || is_usual_rank(rank)));
}

std::vector<int> layers_of(const Settings& settings, const TrainedModel& model) {
  const int count = model.layers();
  std::vector<int> layers = settings.layers;
  for (const int layer : layers) {
    if (layer <= count) continue;
    throw std::runtime_error("--layers " + std::to_string(layer) + ": the model has " + std::to_string(count));
  }
  if (layers.empty() && settings.certificates) {
    layers.resize(size_t(count));
    std::iota(layers.begin(), layers.end(), 1);
  }
  if (layers.empty()) layers = {1, (1 + count) / 2, count};
  layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
  return layers;
}

LayerRun::LayerRun(const Settings& settings, const Filter& filter, const RoundRobinOptions& timing) {
  options_ = {.timing = timing, .cold = settings.cold};
  if (!settings.model.empty()) model_.emplace(settings.model, settings.data, 0);
  select(settings, filter);
  if (!model_ || model_->unfit().empty() || selections_.empty()) return;
  why_none_ = model_->unfit();
  selections_.clear();
}

void LayerRun::select(Settings settings, const Filter& filter) {
  std::vector<ImplementationEntry> all = all_implementations();
  if (model_) {
    all.push_back(idelta_random_entry());
    for (Shape& shape : settings.shapes) shape.n = model_->n();
    settings.layers = layers_of(settings, *model_);
  }
  int place = 0;
  for (const Problem& problem : problems_of(settings)) {
    Selection selection{problem, {}};
    for (const ImplementationEntry& entry : all) {
      if (!entry.has(problem) || !filter.considers(entry, settings.cold)) continue;
      if (filter.takes(benchmark_name(problem, entry))) selection.entries.push_back(entry);
    }
    if (!selection.entries.empty() && place++ % settings.parts == settings.part) {
      selections_.push_back(std::move(selection));
    }
  }
}

std::vector<Benchmark> LayerRun::benchmarks() {
  std::vector<Benchmark> all;
  for (const Selection& selection : selections_) {
    for (size_t e = 0; e < selection.entries.size(); ++e) {
      all.push_back({benchmark_name(selection.problem, selection.entries[e]), benchmark::kMicrosecond,
                     [this, &selection, e](benchmark::State& state) { report(state, selection, e); }});
    }
  }
  return all;
}

const PointResult& LayerRun::point_of(const Selection& selection) {
  if (measured_ != &selection) {
    const Problem& problem = selection.problem;
    std::fprintf(stderr, "idelta_bench: point %zu of %zu: %s, n %d, m %d, %s\n", points_.size() + 1, selections_.size(),
                 problem.pass.name().c_str(), int(problem.n), int(problem.m), threads_text(problem.threads).c_str());
    const Inputs inputs = model_ ? model_->inputs(problem) : random_inputs(problem);
    points_.push_back(measure_point(problem, inputs, selection.entries, options_));
    measured_ = &selection;
  }
  return points_.back();
}

void LayerRun::report(benchmark::State& state, const Selection& selection, size_t index) {
  const PointResult& point = point_of(selection);
  const ImplementationResult& result = point.implementations[index];
  if (!result.failure.empty()) {
    failed_ = true;
    state.SkipWithError(result.failure.c_str());
    return;
  }
  const Quartiles seconds = quartiles(result.seconds);
  while (state.KeepRunning()) state.SetIterationTime(seconds.median);
  const Problem& problem = point.problem;
  state.counters["GFLOPS"] = result.gigaflops(problem, seconds.median);
  state.counters["peak%"] = 100.0 * quartiles(result.peak_fraction).median;
  state.counters["iqr%"] = 100.0 * (seconds.high - seconds.low) / seconds.median;
  state.counters["best_GFLOPS"] = result.gigaflops(problem, seconds.least);
  state.counters["error"] = result.relative_error;
  if (!result.bandwidth_fraction.empty()) {
    state.counters["GB/s"] = result.gigabytes_a_second(problem, seconds.median);
    state.counters["bandwidth%"] = 100.0 * quartiles(result.bandwidth_fraction).median;
  }
  // Beside idelta, in each format, the ratio to everyone else of the point with whom it is compared.
  for (const ImplementationResult& peer : point.implementations) {
    if (result.name != "idelta" || &peer == &result || !peer.failure.empty()) continue;
    if (!are_compared(result, peer)) continue;
    state.counters["vs_" + peer.title()] = quartiles(ratios(peer.seconds, result.seconds)).median;
  }
}

}  // namespace idelta::bench
