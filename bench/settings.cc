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
    "Names are pass/impl/format/isa/n:N/m:M/threads:T, with /layer:L before /threads: where a model gives the inputs.\n"
    "Google Benchmark's --benchmark_filter and --benchmark_out work:\n"
    "  idelta_bench --quick\n"
    "  idelta_bench --benchmark_filter='forward/(idelta|openblas)/.*/n:794/' --mode=cold --out=results\n"
    "  idelta_bench --n 100,333,777 --m 3,5,9,33 --threads 1 --benchmark_filter='^update/'\n"
    "  idelta_bench --n 794 --m 1,128 --benchmark_filter='/lr(8|32|128)/|idelta/f32/'\n"
    "  idelta_bench --model hard_tanh.safetensors --m 128,512\n"
    "  idelta_bench --model hard_tanh.safetensors --certificates\n"
    "  idelta_bench --model compressed.safetensors --benchmark_filter='^predict/'\n"
    "  idelta_bench --full --benchmark_list_tests\n"
    "Formats lr8, lr16, lr32, lr64, lr128 and lr256: D of that rank by its two factors, random ones beside a model "
    "too;\n"
    "forward and backward_data, warm, at n above twice the rank. lr32 and lr64 run unless the filter says lr; then it\n"
    "chooses among all.\n"
    "predict, beside a model: the labels of all its test images, by idelta's f32, bf16 and, of a compressed model,\n"
    "first_form and guarantee, and by the peers' dense networks; each at its best batch size.\n"
    "Repetitions are inside: each figure is the median of 5 to 15 interleaved rounds.\n"
    "IDELTA_ISA=avx2 holds every side to AVX2. The exit code is 1 if any result was wrong.";

// The usual grid stops where a point begins to take seconds.
const std::vector<int64_t> kUsualN = {64, 256, 512, 794, 1024}, kUsualM = {1, 4, 16, 64, 128, 512, 4096};
const std::vector<int64_t> kFullN = {64, 256, 512, 794, 1024, 2048, 3082};
const std::vector<int64_t> kQuickN = {64, 794, 2048}, kQuickM = {1, 16, 128, 512};

// A row more, and another, and the worst of them changes little.
constexpr int64_t kCertificateRows = 128;

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

namespace {

// 2^15: the copies of a layer still fit a small machine's memory, and OpenBLAS' sizes are 32 bits.
template <class Number>
CLI::Option* add_numbers(CLI::App& app, const char* name, std::vector<Number>& values, const char* what) {
  return app.add_option(name, values, what)->delimiter(',')->check(CLI::Range(1, 1 << 15));
}

void take_defaults(Settings& settings, bool full) {
  if (settings.n.empty()) settings.n = settings.quick ? kQuickN : full ? kFullN : kUsualN;
  if (settings.m.empty()) {
    settings.m = settings.certificates ? std::vector{kCertificateRows} : settings.quick ? kQuickM : kUsualM;
  }
  if (settings.model.empty()) settings.layers = {0};
  if (settings.threads.empty()) {
    settings.threads = {1};
    const int all = context_for(IDELTA_ISA_AUTO, 0).threads();
    if (all > 1) settings.threads.push_back(all);
  }
}

}  // namespace

Settings settings_from(int argc, char** argv) {
  CLI::App app("Benchmarks of idelta against OpenBLAS, oneDNN and its own kernels without the residual form.");
  app.footer(kFooter);
  app.allow_extras();
  Settings settings;
  bool full = false;
  auto* quick_flag = app.add_flag("--quick", settings.quick, "a small grid and short samples, in about a minute");
  app.add_flag("--full", full, "the whole grid, n up to 3082; the usual one ends at n = 1024")->excludes(quick_flag);
  auto* n_option = add_numbers(app, "--n", settings.n, "widths instead of the grid's: N,...");
  add_numbers(app, "--m", settings.m, "numbers of rows instead of the grid's: M,...");
  add_numbers(app, "--threads", settings.threads, "numbers of threads; unless said 1 and all: T,...");
  std::string mode = "warm";
  app.add_option("--mode", mode, "warm: the same layer again and again; cold: D, x and y from memory")
      ->check(CLI::IsMember({"warm", "cold"}))
      ->capture_default_str();
  auto* model_option = app.add_option("--model", settings.model,
                                      "D, activations and gradients of this model instead of "
                                      "random numbers, and the ratio to those");
  model_option->excludes(n_option);
  settings.data = "fashion-mnist";
  app.add_option("--data", settings.data, "what the model sees: a set's name or a folder of IDX files")
      ->needs(model_option)
      ->capture_default_str();
  add_numbers(app, "--layers", settings.layers, "of the model, from 1; unless said the first, a middle one, the last")
      ->needs(model_option);
  app.add_flag("--certificates", settings.certificates,
               "how tight the certificates of each layer are, on the largest --m of rows (128 unless said); no times")
      ->needs(model_option);
  app.add_flag("--benchmark_list_tests", settings.list, "print the names and do nothing else");
  app.add_option("--out", settings.out, "a folder for results.json and table.txt; made if missing");
  try {
    app.parse(argc, argv);
    settings.for_google = app.remaining();
    for (const std::string& text : settings.for_google) refuse_if_void(text);
    if (settings.certificates && !settings.for_google.empty()) {
      throw CLI::ValidationError(settings.for_google.front(), "has no effect beside --certificates");
    }
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  settings.cold = mode == "cold";
  take_defaults(settings, full);
  if (!settings.out.empty()) {
    std::filesystem::create_directories(settings.out);
    settings.for_google.push_back("--benchmark_out=" + settings.out + "/results.json");
    settings.for_google.push_back("--benchmark_out_format=json");
  }
  return settings;
}

std::vector<Problem> problems_of(const Settings& settings) {
  std::vector<Problem> problems;
  for (const Pass pass : kAllPasses) {
    for (const int threads : settings.threads) {
      for (const int layer : settings.layers) {
        for (const int64_t n : settings.n) {
          for (const int64_t m : settings.m) {
            problems.push_back({.pass = pass, .n = n, .m = m, .threads = threads, .layer = layer});
          }
        }
      }
    }
  }
  return problems;
}

}  // namespace idelta::bench
