// idelta_bench: layers over a grid of sizes (layer_run.h), and with a trained model predict, the labels of its whole
// test set (network_run.h), or the certificates of its layers (certificates.h).
#include <benchmark/benchmark.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "bench/auto_regret.h"
#include "bench/certificates.h"
#include "bench/compare.h"
#include "bench/cost_model.h"
#include "bench/frontier.h"
#include "bench/implementations/idelta.h"
#include "bench/layer_run.h"
#include "bench/network_run.h"
#include "bench/report.h"
#include "bench/settings.h"
#include "bench/traffic.h"
#include "bench/verdict.h"
#include "files/rescue.h"
#include "src/core/machine/environment.h"

namespace idelta::bench {

namespace {

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

// Cold copies of all sides lie in pages of the same size. Not only for fairness: with 500 MiB of idelta's packed deltas
// in huge pages, a Firecracker machine (Zen 5, Linux 6.18) read everybody's 4 KiB pages at 0.6 GB/s, each as slow as a
// page that the host must first provide, and without them at 35; idelta itself was as fast either way.
void use_small_pages() {
  if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0) std::perror("idelta_bench: huge pages stay on");
}

// Whether stdout understands escape sequences and is to be sent some (no-color.org).
bool colours() {
  const char* const terminal = environment("TERM");
  return isatty(STDOUT_FILENO) && terminal && std::string_view(terminal) != "dumb" && !environment("NO_COLOR");
}

void initialize_google_benchmark(const Settings& settings, char* program) {
  std::vector<std::string> texts = settings.for_google;
  std::vector<char*> arguments = {program};
  for (std::string& text : texts) arguments.push_back(text.data());
  int count = int(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) std::exit(kExitUsage);
  benchmark::AddCustomContext("openblas", openblas_description());
  benchmark::AddCustomContext("idelta", idelta_version());
  benchmark::AddCustomContext("mode", settings.cold ? "cold" : "warm");
  benchmark::AddCustomContext("unfairness", unfairness());
}

// One run, told to two reporters.
class Both : public benchmark::BenchmarkReporter {
 public:
  Both(benchmark::BenchmarkReporter& first, benchmark::BenchmarkReporter& second) : first_(first), second_(second) {}
  bool ReportContext(const Context& context) override {
    const bool goes_on = first_.ReportContext(context);
    return second_.ReportContext(context) && goes_on;
  }
  void ReportRuns(const std::vector<Run>& runs) override {
    first_.ReportRuns(runs);
    second_.ReportRuns(runs);
  }
  void Finalize() override {
    first_.Finalize();
    second_.Finalize();
  }

 private:
  benchmark::BenchmarkReporter &first_, &second_;
};

// The JSON of the run.
std::string run_benchmarks() {
  using Console = benchmark::ConsoleReporter;
  PlainNames<Console> console(colours() ? Console::OO_Color : Console::OO_None);
  PlainNames<benchmark::JSONReporter> json;
  std::ostringstream json_text;
  json.SetOutputStream(&json_text);
  Both both(console, json);
  benchmark::RunSpecifiedBenchmarks(&both, nullptr, ".");  // what is registered is filtered already
  return json_text.str();
}

void write_result(const std::string& path, const std::string& text) {
  files::save_or_rescue(path, [&](const std::string& place) { files::write_text(place, text); });
}

std::string report_of(const Settings& settings, const LayerRun& layers, const NetworkRun& networks) {
  ReportOptions options{.cold = settings.cold, .warning = unfairness(), .bandwidth = ""};
  const std::string labels = networks.report();
  if (layers.points().empty()) return options.warning + labels;
  for (const int threads : settings.threads) options.bandwidth += describe_bandwidth(threads) + "\n";
  return to_report(layers.points(), options) + (labels.empty() ? "" : "\n" + labels);
}

RoundRobinOptions timing_of(const Settings& settings) {
  RoundRobinOptions timing;
  if (settings.quick) {
    timing.sample_seconds = 2e-3;
    timing.participant_seconds = 20e-3;
  }
  return timing;
}

int measure(const Settings& settings, char* program) {
  initialize_google_benchmark(settings, program);
  if (settings.cold) use_small_pages();
  const RoundRobinOptions timing = timing_of(settings);
  const Filter filter(benchmark::GetBenchmarkFilter());
  LayerRun layers(settings, filter, timing);
  NetworkRun networks(settings, timing, [&](const std::string& name) { return filter.takes(name); });
  if (!layers.why_none().empty()) {
    std::fprintf(stderr, "idelta_bench: %s; only predict remains\n", layers.why_none().c_str());
  }
  if (layers.empty() && networks.empty()) {
    std::fprintf(stderr, "idelta_bench: no benchmark's name matches --benchmark_filter; see --help\n");
    return kExitUsage;
  }
  for (const std::vector<Benchmark>& benchmarks : {layers.benchmarks(), networks.benchmarks()}) {
    for (const auto& [name, unit, report] : benchmarks) {
      if (settings.list) std::printf("%s\n", name.c_str());
      benchmark::RegisterBenchmark(name.c_str(), report)->Iterations(1)->UseManualTime()->Unit(unit);
    }
  }
  if (settings.list) return 0;
  std::fputs(context_for(IDELTA_ISA_AUTO, 0).describe().c_str(), stderr);
  const std::string json = run_benchmarks();
  const std::string report = report_of(settings, layers, networks);
  std::printf("\n%s", report.c_str());
  if (!settings.out.empty()) {
    write_result(settings.out_path("points", ".csv"), to_csv(verdict_rows(layers.points(), settings.cold)));
    write_result(settings.out_path("table", ".txt"), report);
  }
  if (!settings.json.empty()) write_result(settings.json, json);
  const bool failed = layers.failed() || networks.failed();
  if (failed) std::fprintf(stderr, "idelta_bench: a result was wrong, see above\n");
  return failed ? 1 : 0;
}

// 0 if all certificates and row bounds hold.
int report_certificates(const Settings& settings) {
  const TrainedModel model(settings.model, settings.data, 0);
  constexpr int64_t kRank = 64;
  std::vector<CertificateRow> rows;
  std::vector<RowBoundRow> bounds;
  for (const int layer : layers_of(settings, model)) {
    const Problem problem{
        .pass = "forward", .n = model.n(), .m = settings.certificate_rows, .threads = 1, .layer = layer};
    const Inputs inputs = model.inputs(problem);
    const std::vector<CertificateRow> more = measure_certificates(problem, inputs);
    rows.insert(rows.end(), more.begin(), more.end());
    bounds.push_back(measure_row_bounds(problem, inputs, std::min(kRank, model.n())));
  }
  std::fputs((to_table(rows) + to_table(bounds)).c_str(), stdout);
  const auto holds = [](const auto& row) { return row.holds(); };
  return std::all_of(rows.begin(), rows.end(), holds) && std::all_of(bounds.begin(), bounds.end(), holds) ? 0 : 1;
}

int report_regret(const Settings& settings) {
  std::fputs(context_for(IDELTA_ISA_AUTO, 0).describe().c_str(), stderr);
  const std::vector<RegretRow> rows =
      measure_regret({.shapes = settings.shapes, .threads = settings.threads, .timing = timing_of(settings)});
  std::fputs(to_summary(rows).c_str(), stdout);
  return mean_regret(rows) <= kMostMeanRegret ? 0 : 1;
}

// Of the model if there is one, else of layers.
int report_frontier(const Settings& settings) {
  Frontier frontier{context_for(IDELTA_ISA_AUTO, 0).describe(), {}, {}};
  const RoundRobinOptions timing = timing_of(settings);
  for (const int threads : settings.threads) {
    if (!settings.model.empty()) {
      const TrainedModel model(settings.model, settings.data, threads);
      std::vector<NetworkEntry> entries = model.entries();
      for (std::vector<NetworkEntry> more : {model.form_entries(), network_peers()}) {
        std::move(more.begin(), more.end(), std::back_inserter(entries));
      }
      frontier.networks.push_back(network_frontier(measure_network(model.network_problem(), entries, timing)));
      continue;
    }
    for (const auto& [n, m] : settings.shapes) frontier.layers.push_back(measure_frontier(n, m, threads, timing));
  }
  std::fputs(to_text(frontier).c_str(), stdout);
  if (settings.out.empty()) return 0;
  write_result(settings.out_path("frontier", ".json"), to_json(frontier));
  write_result(settings.out_path("frontier", ".csv"), to_csv(frontier));
  write_result(settings.out_path("frontier", ".html"), to_page(frontier));
  return 0;
}

int run(int argc, char** argv) {
  const Settings settings = settings_from(argc, argv);
  if (settings.auto_regret) return report_regret(settings);
  if (settings.frontier) return report_frontier(settings);
  if (settings.certificates) return report_certificates(settings);
  if (settings.cost_model) {
    std::fputs(describe_cost_model().c_str(), stdout);
    return 0;
  }
  if (!settings.verdict.empty()) {
    std::fputs(to_verdict(read_rows(settings.verdict)).c_str(), stdout);
    return 0;
  }
  return measure(settings, argv[0]);
}

}  // namespace

}  // namespace idelta::bench

int main(int argc, char** argv) {
  try {
    idelta::bench::ensure_fair_peers(argv);
    return idelta::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "idelta_bench: %s\n", error.what());
    const auto* ours = dynamic_cast<const idelta::Error*>(&error);  // of an environment variable
    return ours && ours->status() == IDELTA_INVALID_ARGUMENT ? idelta::bench::kExitUsage : 1;
  }
}
