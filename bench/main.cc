// idelta_bench: pass/impl/format/isa/n:N/m:M[/layer:L]/threads:T over a grid of sizes, and with a trained model
// predict, the labels of its whole test set (network_run.h).
//
// Google Benchmark gives names, filter, console and JSON; the measuring is ours, because it runs a benchmark to its end
// before the next one begins (its random interleaving shuffles whole repetitions, seconds apart), and what is wanted is
// the ratio of implementations that alternate within milliseconds. So the first benchmark of a grid point measures all
// selected implementations of that point in turns (point.h), and each reports its own median as manual time.
#include <benchmark/benchmark.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>
#include <numeric>
#include <optional>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/certificates.h"
#include "bench/compare.h"
#include "bench/implementations/idelta.h"
#include "bench/names.h"
#include "bench/network_run.h"
#include "bench/report.h"
#include "bench/settings.h"
#include "bench/traffic.h"
#include "bench/trained.h"

namespace idelta::bench {

namespace {

// A grid point and the implementations of it that the filter leaves.
struct Selection {
  Problem problem;
  std::vector<ImplementationEntry> entries;
};

// Google Benchmark's own rule: a regular expression found anywhere in the name; "-" before it turns it round.
class Filter {
 public:
  explicit Filter(std::string text) {
    if (text.empty() || text == "all") text = ".";
    negative_ = text[0] == '-';
    names_low_rank_ = !negative_ && text.find("lr") != std::string::npos;
    pattern_.assign(negative_ ? text.substr(1) : text, std::regex::extended);
  }
  bool takes(const std::string& name) const { return std::regex_search(name, pattern_) != negative_; }
  // Low rank is in question only warm: a copy takes up to a second to pack, and cold ones are thousands. Two ranks say
  // what the format gives; the others are for those who ask.
  bool considers(const ImplementationEntry& entry, bool cold) const {
    const int64_t rank = rank_of(entry.format);
    return rank == 0 || (!cold && (names_low_rank_ || is_usual_rank(rank)));
  }

 private:
  bool negative_ = false, names_low_rank_ = false;
  std::regex pattern_;
};

// Google Benchmark adds how it ran a benchmark to its name; here that is always the same and only in the way.
template <class Reporter>
class PlainNames : public Reporter {
 public:
  using Reporter::Reporter;
  void ReportRuns(const std::vector<benchmark::BenchmarkReporter::Run>& runs) override {
    std::vector<benchmark::BenchmarkReporter::Run> plain = runs;
    for (auto& run : plain) {
      run.run_name.iterations.clear();
      run.run_name.time_type.clear();
    }
    Reporter::ReportRuns(plain);
  }
};

// Those that were asked for, or else all for certificates and three for times.
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

// Cold copies of all sides lie in pages of the same size. Not only for fairness: with 500 MiB of idelta's packed deltas
// in huge pages, a Firecracker machine (Zen 5, Linux 6.18) read everybody's 4 KiB pages at 0.6 GB/s, each as slow as a
// page that the host must first provide, and without them at 35; idelta itself was as fast either way.
void use_small_pages() {
  if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0) std::perror("idelta_bench: huge pages stay on");
}

class Run {
 public:
  explicit Run(const Settings& settings) : settings_(settings) {
    options_.cold = settings.cold;
    if (settings.cold) use_small_pages();
    if (settings.quick) {
      options_.timing.sample_seconds = 2e-3;
      options_.timing.participant_seconds = 20e-3;
    }
    if (!settings.model.empty()) use_model();
    const Filter filter(benchmark::GetBenchmarkFilter());
    select_layers(filter);
    if (!unfit_.empty() && !selections_.empty()) {
      std::fprintf(stderr, "idelta_bench: %s; only predict remains\n", unfit_.c_str());
      selections_.clear();
    }
    networks_.emplace(settings_, options_.timing, [&](const std::string& name) { return filter.takes(name); });
  }

  bool empty() const { return selections_.empty() && networks_->empty(); }

  void print_names() const {
    for (const Selection& selection : selections_) {
      for (const ImplementationEntry& entry : selection.entries) {
        std::printf("%s\n", benchmark_name(selection.problem, entry).c_str());
      }
    }
    networks_->print_names();
  }

  void register_benchmarks() {
    for (const Selection& selection : selections_) {
      for (size_t e = 0; e < selection.entries.size(); ++e) {
        benchmark::RegisterBenchmark(benchmark_name(selection.problem, selection.entries[e]).c_str(),
                                     [this, &selection, e](benchmark::State& state) { report(state, selection, e); })
            ->Iterations(1)
            ->UseManualTime()
            ->Unit(benchmark::kMicrosecond);
      }
    }
    networks_->register_benchmarks();
  }

  std::string report() const {
    ReportOptions options{.cold = settings_.cold, .warning = unfairness(), .bandwidth = ""};
    const std::string networks = networks_->report();
    if (points_.empty()) return options.warning + networks;
    for (const int threads : settings_.threads) options.bandwidth += describe_bandwidth(threads) + "\n";
    return to_report(points_, options) + (networks.empty() ? "" : "\n" + networks);
  }
  bool failed() const { return failed_ || networks_->failed(); }

 private:
  void select_layers(const Filter& filter) {
    std::vector<ImplementationEntry> all = all_implementations();
    if (model_) all.push_back(idelta_random_entry());
    for (const Problem& problem : problems_of(settings_)) {
      Selection selection{problem, {}};
      for (const ImplementationEntry& entry : all) {
        if (!entry.has(problem) || !filter.considers(entry, settings_.cold)) continue;
        if (filter.takes(benchmark_name(problem, entry))) selection.entries.push_back(entry);
      }
      if (!selection.entries.empty()) selections_.push_back(std::move(selection));
    }
  }

  void use_model() {
    model_.emplace(settings_.model, settings_.data);
    unfit_ = model_->unfit();
    settings_.n = {model_->n()};
    settings_.layers = layers_of(settings_, *model_);
  }

  const PointResult& point_of(const Selection& selection) {
    if (measured_ != &selection) {
      const Problem& problem = selection.problem;
      const Inputs inputs = model_ ? model_->inputs(problem) : random_inputs(problem);
      points_.push_back(measure_point(problem, inputs, selection.entries, options_));
      measured_ = &selection;
    }
    return points_.back();
  }

  void report(benchmark::State& state, const Selection& selection, size_t index) {
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

  Settings settings_;
  std::optional<TrainedModel> model_;
  std::string unfit_;  // why its layers are not measured
  PointOptions options_;
  std::vector<Selection> selections_;
  std::optional<NetworkRun> networks_;
  std::vector<PointResult> points_;
  const Selection* measured_ = nullptr;  // what points_.back() is of
  bool failed_ = false;
};

void initialize_google_benchmark(const Settings& settings, char* program) {
  std::vector<std::string> texts = settings.for_google;
  std::vector<char*> arguments = {program};
  for (std::string& text : texts) arguments.push_back(text.data());
  int count = int(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) std::exit(1);
  benchmark::AddCustomContext("openblas", openblas_description());
  benchmark::AddCustomContext("idelta", idelta_version());
  benchmark::AddCustomContext("mode", settings.cold ? "cold" : "warm");
  benchmark::AddCustomContext("unfairness", unfairness());
}

// 0 if all certificates and row bounds hold.
int report_certificates(const Settings& settings) {
  const TrainedModel model(settings.model, settings.data);
  const int64_t m = *std::max_element(settings.m.begin(), settings.m.end());
  constexpr int64_t kRank = 64;
  std::vector<CertificateRow> rows;
  std::vector<RowBoundRow> bounds;
  for (const int layer : layers_of(settings, model)) {
    const Problem problem{.pass = Pass::kForward, .n = model.n(), .m = m, .threads = 1, .layer = layer};
    const Inputs inputs = model.inputs(problem);
    const std::vector<CertificateRow> more = measure_certificates(problem, inputs);
    rows.insert(rows.end(), more.begin(), more.end());
    bounds.push_back(measure_row_bounds(problem, inputs, std::min(kRank, model.n())));
  }
  std::fputs((to_table(rows) + to_table(bounds)).c_str(), stdout);
  const bool hold =
      std::all_of(rows.begin(), rows.end(), [](const CertificateRow& row) { return row.tightness() <= 1.0; }) &&
      std::all_of(bounds.begin(), bounds.end(),
                  [](const RowBoundRow& row) { return std::min(row.attack, row.activations) >= 1.0; });
  return hold ? 0 : 1;
}

int run(int argc, char** argv) {
  const Settings settings = settings_from(argc, argv);
  if (settings.certificates) return report_certificates(settings);
  initialize_google_benchmark(settings, argv[0]);
  Run run(settings);
  if (run.empty()) throw std::runtime_error("no benchmark's name matches --benchmark_filter; see --help");
  if (settings.list) {
    run.print_names();
    return 0;
  }
  std::fputs(context_for(IDELTA_ISA_AUTO, 0).describe().c_str(), stderr);
  run.register_benchmarks();
  using Console = benchmark::ConsoleReporter;
  PlainNames<Console> console(isatty(STDOUT_FILENO) ? Console::OO_Color : Console::OO_None);
  PlainNames<benchmark::JSONReporter> json;
  // Google Benchmark takes a file reporter only together with --benchmark_out. What is registered is filtered already.
  benchmark::RunSpecifiedBenchmarks(&console, settings.writes_json() ? &json : nullptr, ".");
  const std::string report = run.report();
  std::printf("\n%s", report.c_str());
  if (!settings.out.empty()) {
    std::ofstream file(settings.out + "/table.txt");
    if (!(file << report).flush()) {
      std::fprintf(stderr, "idelta_bench: cannot write %s/table.txt\n", settings.out.c_str());
      return 1;
    }
  }
  if (run.failed()) std::fprintf(stderr, "idelta_bench: a result was wrong, see above\n");
  return run.failed() ? 1 : 0;
}

}  // namespace

}  // namespace idelta::bench

int main(int argc, char** argv) {
  try {
    idelta::bench::ensure_fair_peers(argv);
    return idelta::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "idelta_bench: %s\n", error.what());
    return 1;
  }
}
