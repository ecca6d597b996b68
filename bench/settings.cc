// See settings.h.
#include "bench/settings.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "bench/implementations/idelta.h"

namespace idelta::bench {

namespace {

constexpr const char* kFooter =
    "Names are pass/impl/format/isa/n:N/m:M/threads:T. Google Benchmark's --benchmark_filter and --benchmark_out "
    "work:\n"
    "  idelta_bench --quick\n"
    "  idelta_bench --benchmark_filter='forward/(idelta|openblas)/.*/n:794/' --mode=cold --out=results\n"
    "  idelta_bench --full --benchmark_list_tests\n"
    "Repetitions are inside: each figure is the median of 5 to 15 interleaved rounds.\n"
    "IDELTA_ISA=avx2 holds every side to AVX2. The exit code is 1 if any result was wrong.";

struct GridSizes {
  std::vector<int64_t> n, m;
};

// design.md 8. The usual grid stops where a point begins to take seconds.
GridSizes sizes_of(Grid grid) {
  switch (grid) {
    case Grid::kQuick:
      return {{64, 794, 2048}, {1, 16, 128, 512}};
    case Grid::kUsual:
      return {{64, 256, 512, 794, 1024}, {1, 4, 16, 64, 128, 512, 4096}};
    case Grid::kFull:
      return {{64, 256, 512, 794, 1024, 2048, 3082}, {1, 4, 16, 64, 128, 512, 4096}};
  }
  return {};
}

// Flags of Google Benchmark that concern its measuring or its display, neither of which is used: better an error than
// a flag without effect.
void refuse_if_void(const std::string& text) {
  for (const char* flag :
       {"repetitions", "min_time", "min_warmup_time", "enable_random_interleaving", "format=", "color",
        "counters_tabular", "report_aggregates_only", "display_aggregates_only", "out_format=c"}) {
    if (text.rfind(std::string("--benchmark_") + flag, 0) == 0) {
      throw CLI::ValidationError(text, "has no effect here: rounds are inside, the display is text, --out writes JSON");
    }
  }
}

}  // namespace

bool Settings::writes_json() const {
  return std::any_of(for_google.begin(), for_google.end(),
                     [](const std::string& text) { return text.rfind("--benchmark_out=", 0) == 0; });
}

Settings settings_from(int argc, char** argv) {
  CLI::App app("Benchmarks of idelta against OpenBLAS, oneDNN and its own kernels without the residual form.");
  app.footer(kFooter);
  app.allow_extras();
  Settings settings;
  bool quick = false, full = false;
  auto* quick_flag = app.add_flag("--quick", quick, "a small grid, in about half a minute");
  app.add_flag("--full", full, "the whole grid, n up to 3082; the usual one ends at n = 1024")->excludes(quick_flag);
  std::string mode = "warm";
  app.add_option("--mode", mode, "warm: the same layer again and again; cold: D, x and y from memory")
      ->check(CLI::IsMember({"warm", "cold"}))
      ->capture_default_str();
  app.add_flag("--benchmark_list_tests", settings.list, "print the names and do nothing else");
  app.add_option("--out", settings.out, "a folder for results.json and table.txt; made if missing");
  try {
    app.parse(argc, argv);
    settings.for_google = app.remaining();
    for (const std::string& text : settings.for_google) refuse_if_void(text);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  settings.grid = quick ? Grid::kQuick : full ? Grid::kFull : Grid::kUsual;
  settings.cold = mode == "cold";
  if (!settings.out.empty()) {
    std::filesystem::create_directories(settings.out);
    settings.for_google.push_back("--benchmark_out=" + settings.out + "/results.json");
    settings.for_google.push_back("--benchmark_out_format=json");
  }
  return settings;
}

std::vector<Problem> problems_of(Grid grid) {
  std::vector<int> thread_counts = {1};
  const int all = idelta_context_threads(context_for(IDELTA_ISA_AUTO, 0));
  if (all > 1) thread_counts.push_back(all);
  const GridSizes sizes = sizes_of(grid);
  std::vector<Problem> problems;
  for (const Pass pass : kAllPasses) {
    for (const int threads : thread_counts) {
      for (const int64_t n : sizes.n) {
        for (const int64_t m : sizes.m) problems.push_back({pass, n, m, threads});
      }
    }
  }
  return problems;
}

}  // namespace idelta::bench
