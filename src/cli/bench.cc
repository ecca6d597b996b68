// idelta bench: the small comparison of bench/compare.h, for this machine.
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/compare.h"
#include "bench_flags.h"
#include "inputs.h"
#include "output.h"
#include "progress.h"
#include "table.h"
#include "verbs.h"

namespace idelta::cli {
namespace {

using Json = nlohmann::ordered_json;

// 1, and all that a context would take.
std::vector<int64_t> default_threads(const Context& context) {
  if (context.threads() == 1) return {1};
  return {1, context.threads()};
}

Json as_json(const std::vector<bench::CompareRow>& rows, const Context& context) {
  Json list = Json::array();
  for (const bench::CompareRow& row : rows) {
    list.push_back({{"pass", row.pass},
                    {"n", row.n},
                    {"m", row.m},
                    {"threads", row.threads},
                    {"idelta_gflops", row.idelta_gflops},
                    {"openblas_gflops", row.openblas_gflops},
                    {"ratio", row.ratio},
                    {"ratio_low", row.ratio_low},
                    {"ratio_high", row.ratio_high},
                    {"peak_percent", row.peak_percent}});
  }
  return {{"verb", "bench"},
          {"isa", idelta_isa_name(context.isa())},
          {"openblas", bench::openblas_description()},
          {"unfairness", bench::unfairness()},
          {"impossible_peaks", bench::impossible_peaks(rows)},
          {"rows", list}};
}

int run(const BenchFlags& flags, char** argv) {
  const Context context = make_context({flags.isa, 0});
  // Read below and, should the program start anew, by its successor: held down to AVX2, both sides show AVX2.
  if (flags.isa != "auto") setenv("IDELTA_ISA", idelta_isa_name(context.isa()), 1);
  bench::ensure_fair_peers(argv);
  bench::CompareOptions options;
  options.isa = context.isa();
  options.budget_seconds = flags.seconds;
  const std::vector<int64_t> threads = flags.threads.empty() ? default_threads(context) : flags.threads;
  for (const int64_t n : flags.n) {
    for (const int64_t t : threads) {
      for (const int64_t m : flags.m) options.points.push_back({n, m, static_cast<int>(t)});
    }
  }
  const std::string title = format("idelta %s (%s) against OpenBLAS %s", idelta_version(),
                                   idelta_isa_name(context.isa()), bench::openblas_description().c_str());
  if (!flags.json) print(title + "\n\n");
  std::vector<bench::CompareRow> rows;
  {
    StepProgress progress("measuring", flags.quiet);
    options.progress = [&](size_t done, size_t total) { progress.show(done, total); };
    rows = bench::compare(options);
  }
  if (flags.json) {
    print_json(as_json(rows, context));
    return kExitOk;
  }
  print(bench::to_table(rows) +
        "\n"
        "  What is compared, in nominal GFLOP/s: a fused idelta pass on packed D against SGEMM with W = aI + D\n"
        "  followed by bias and activation (or their derivative) in one loop, all of it counted; an update is the "
        "weight\n"
        "  gradient, SGD with momentum and repacking against SGEMM and one loop over gradient, v and W. Both take\n"
        "  turns within milliseconds and every result is checked; a ratio above 1 means that idelta is faster.\n" +
        bench::unfairness());
  return kExitOk;
}

}  // namespace

Verb add_bench(CLI::App& app, char** argv) {
  auto flags = std::make_shared<BenchFlags>();
  CLI::App* verb = add_bench_parser(app, *flags);
  return {verb, [flags, argv] { return run(*flags, argv); }};
}

}  // namespace idelta::cli
