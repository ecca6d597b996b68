// See settings.h.
#include "bench/settings.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <random>
#include <string_view>

#include "bench/implementations/idelta.h"
#include "bench/number_list.h"
#include "files/output_file.h"
#include "files/output_folder.h"
#include "files/path_error.h"

namespace idelta::bench {

namespace {

constexpr const char* kFooter =
    R"(Names are pass/impl/format/isa/n:N/m:M/threads:T, with /layer:L before /threads: where a model gives the inputs.
Google Benchmark's --benchmark_filter, --benchmark_list_tests and --benchmark_out work.
  idelta_bench --quick
  idelta_bench --n 794 --m 1,128,512 --threads 1 --benchmark_filter='^forward/(idelta|open|onednn).*/f32/'
  idelta_bench --mode cold --m 1,4,16 --out results
  idelta_bench --random-shapes 30,17 --threads 1 --benchmark_filter='/f32/'
  idelta_bench --beyond --random-shapes 30,17 --part 1/20 --out beyond    (and so on to 20/20), then
  idelta_bench --verdict beyond
  idelta_bench --model hard_tanh.safetensors --m 128,512                  (also with --certificates)
  idelta_bench --frontier --n 794 --m 16,512 --threads 1 --out frontier
  idelta_bench --auto-regret --random-shapes 20,17 --n-range 64,1200
  idelta_bench --model compressed.safetensors --benchmark_filter='^predict/'
Formats lr8 to lr256, D of that rank, and lr8+int8 to lr256+int8: ranks 32 and 64 run unless the filter says lr; then it
chooses among all.
IDELTA_ISA=avx2 holds every side to AVX2. Exit codes: 1 a wrong result or a failure, 2 wrong usage. bench/README.md says
how things are measured and what the columns are.)";

// The usual grid stops where a point begins to take seconds.
const std::vector<int64_t> kUsualN = {64, 256, 512, 794, 1024}, kUsualM = {1, 4, 16, 64, 128, 512, 4096};
const std::vector<int64_t> kFullN = {64, 256, 512, 794, 1024, 2048, 3082};
const std::vector<int64_t> kQuickN = {64, 794, 2048}, kQuickM = {1, 16, 128, 512};
const std::vector<int64_t> kBeyondN = {1536, 2048, 3082, 4096}, kBeyondM = {4, 15, 64, 512, 1024};
constexpr const char* kBeyondFilter =
    "--benchmark_filter=^(forward|backward_data|backward_weights|update)/(idelta|openblas|openblas_beta1|onednn)/f32/";

// A row more, and another, and the worst of them changes little.
constexpr int64_t kCertificateRows = 128;

// 2^15: the copies of a layer still fit a small machine's memory, and OpenBLAS' sizes are 32 bits.
const CLI::Range kSizes(1, 1 << 15);

// As they are given.
struct Flags {
  std::vector<int64_t> n, m, random_shapes;
  std::vector<int64_t> n_range = {64, 5000}, m_range = {4, 1024};
  std::vector<int> part;
  bool full = false, beyond = false;
  std::string mode = "warm";
};

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

// A script whose variable is not set should not measure for nothing.
CLI::Validator not_empty() {
  return CLI::Validator(
      [](const std::string& value) {
        return value.empty() ? std::string("is empty; give a value, or leave the option out") : std::string();
      },
      "");
}

bool has_argument(const std::vector<std::string>& arguments, const std::string& start) {
  return std::any_of(arguments.begin(), arguments.end(),
                     [&](const std::string& text) { return text.rfind(start, 0) == 0; });
}

template <class Number>
CLI::Option* add_numbers(CLI::App& app, const char* name, std::vector<Number>& values, const char* what) {
  return add_number_list(app, name, values, {kSizes}, what);
}

void add_size_flags(CLI::App& app, Settings& settings, Flags& flags) {
  auto* quick = app.add_flag("--quick", settings.quick, "a small grid and short samples, in about a minute");
  auto* full = app.add_flag("--full", flags.full, "the whole grid, n up to 3082; the usual one ends at n = 1024");
  auto* beyond = app.add_flag("--beyond", flags.beyond,
                              "F32 beyond the grid: n 1536 to 4096, and idelta, OpenBLAS and oneDNN unless a filter is "
                              "given");
  quick->excludes(full)->excludes(beyond);
  full->excludes(beyond);
  add_numbers(app, "--n", flags.n, "widths instead of the grid's: N,...");
  add_numbers(app, "--m", flags.m, "numbers of rows instead of the grid's: M,...");
  auto* random =
      add_number_list(app, "--random-shapes", flags.random_shapes, {.each = {}, .most = 2},
                      "COUNT[,SEED]: shapes drawn at random, log-uniform, instead of the grid, or beside --n, "
                      "--m, --full or --beyond; without a seed it is drawn too, and printed");
  const ListRule range = {.each = kSizes, .least = 2, .most = 2};
  add_number_list(app, "--n-range", flags.n_range, range, "LEAST,MOST n of random shapes")->needs(random);
  add_number_list(app, "--m-range", flags.m_range, range, "LEAST,MOST m of random shapes")->needs(random);
}

void add_model_flags(CLI::App& app, Settings& settings) {
  app.add_flag("--cost-model", settings.cost_model, "the members of the cost model: measured here, and built in");
  app.add_flag("--auto-regret", settings.auto_regret,
               "how far the form that AUTO takes is from the fastest that fits: all shapes, tolerances from 0.1 on");
  app.add_flag("--frontier", settings.frontier,
               "error against time for all forms and peers, forward of each --n and --m (794, 128 unless said); with "
               "--model labels certified against rows a second. --out: as JSON, CSV and a page");
  auto* model = app.add_option("--model", settings.model,
                               "D, activations and gradients of this model instead of random numbers, and the ratio to "
                               "those");
  model->excludes("--n")->excludes("--random-shapes")->excludes("--beyond")->excludes("--auto-regret");
  settings.data = "fashion-mnist";
  app.add_option("--data", settings.data, "what the model sees: a set's name or a folder of IDX files")
      ->needs(model)
      ->capture_default_str();
  add_numbers(app, "--layers", settings.layers, "of the model, from 1; unless said the first, a middle one, the last")
      ->needs(model);
  app.add_flag("--certificates", settings.certificates,
               "how tight the certificates of each layer are, on the largest --m of rows (128 unless said); no times")
      ->needs(model);
}

void add_run_flags(CLI::App& app, Settings& settings, Flags& flags) {
  add_numbers(app, "--threads", settings.threads, "numbers of threads; unless said 1 and all: T,...");
  app.add_option("--mode", flags.mode, "warm: the same layer again and again; cold: D, x and y from memory")
      ->check(CLI::IsMember({"warm", "cold"}))
      ->capture_default_str();
  app.add_option("--out", settings.out, "a folder for results.json, table.txt and points.csv; made if missing");
  add_number_list(app, "--part", flags.part, {.each = kSizes, .delimiter = '/', .least = 2, .most = 2},
                  "I/K: every K-th point, from the I-th on; needs a seed of random shapes");
  app.add_option("--verdict", settings.verdict, "a folder: the verdict of all runs with --out there; no times");
  app.add_flag("--benchmark_list_tests", settings.list, "print the names and do nothing else");
}

std::vector<Shape> shapes_of(const Settings& settings, const Flags& flags) {
  std::vector<Shape> shapes;
  const bool only_random = flags.n.empty() && flags.m.empty() && !flags.full && !flags.beyond;
  if (flags.random_shapes.empty() || !only_random) {
    std::vector<int64_t> n = settings.quick ? kQuickN : flags.beyond ? kBeyondN : flags.full ? kFullN : kUsualN;
    if (!flags.n.empty()) n = flags.n;
    if (!settings.model.empty()) n = {0};
    const std::vector<int64_t>& m = settings.quick ? kQuickM : flags.beyond ? kBeyondM : kUsualM;
    shapes = grid_of(n, flags.m.empty() ? m : flags.m);
  }
  if (flags.random_shapes.empty()) return shapes;
  const int64_t count = flags.random_shapes[0];
  const int64_t seed = flags.random_shapes.size() == 2 ? flags.random_shapes[1] : int64_t(std::random_device()());
  std::fprintf(stderr, "idelta_bench: --random-shapes %lld,%lld: n %lld to %lld, m %lld to %lld\n",
               static_cast<long long>(count), static_cast<long long>(seed), static_cast<long long>(flags.n_range[0]),
               static_cast<long long>(flags.n_range[1]), static_cast<long long>(flags.m_range[0]),
               static_cast<long long>(flags.m_range[1]));
  const std::vector<Shape> random =
      random_shapes(count, seed, {flags.n_range[0], flags.n_range[1]}, {flags.m_range[0], flags.m_range[1]});
  shapes.insert(shapes.end(), random.begin(), random.end());
  return shapes;
}

void check_flags(const Settings& settings, const Flags& flags) {
  for (const std::string& text : settings.for_google) refuse_if_void(text);
  for (const auto& [mode, name] : {std::pair{settings.certificates, "--certificates"},
                                   {settings.cost_model, "--cost-model"},
                                   {settings.auto_regret, "--auto-regret"},
                                   {settings.frontier, "--frontier"}}) {
    if (!mode || settings.for_google.empty()) continue;
    throw CLI::ValidationError(settings.for_google.front(), std::string("has no effect beside ") + name);
  }
  if (!flags.part.empty() && flags.part[0] > flags.part[1]) {
    throw CLI::ValidationError("--part", "I must be at most K");
  }
  if (!flags.part.empty() && flags.random_shapes.size() == 1) {
    throw CLI::ValidationError("--part", "needs --random-shapes COUNT,SEED: all parts must draw the same shapes");
  }
  if (!flags.random_shapes.empty() && flags.random_shapes[0] < 1) {
    throw CLI::ValidationError("--random-shapes", "needs at least one shape");
  }
  if (flags.n_range[0] > flags.n_range[1] || flags.m_range[0] > flags.m_range[1]) {
    throw CLI::ValidationError("--n-range, --m-range", "take the least first");
  }
}

// Google Benchmark itself would write its file bit by bit, into whatever is there. Throws PathError.
void take_outputs(Settings& settings) {
  constexpr std::string_view kFlag = "--benchmark_out=";
  std::erase_if(settings.for_google, [&](const std::string& text) {
    if (!text.starts_with(kFlag)) return false;
    settings.json = text.substr(kFlag.size());
    files::check_output(settings.json);
    return true;
  });
  if (settings.out.empty()) return;
  files::make_folder(settings.out);
  if (settings.frontier) {
    for (const char* ending : {".json", ".csv", ".html"}) files::check_output(settings.out_path("frontier", ending));
    return;
  }
  settings.json = settings.out_path("results", ".json");
  for (const std::string& path :
       {settings.json, settings.out_path("table", ".txt"), settings.out_path("points", ".csv")}) {
    files::check_output(path);
  }
}

void complete(Settings& settings, const Flags& flags) {
  settings.cold = flags.mode == "cold";
  if (!flags.part.empty()) {
    settings.part = flags.part[0] - 1;
    settings.parts = flags.part[1];
  }
  settings.shapes = shapes_of(settings, flags);
  const bool any_shape = flags.n.empty() && flags.m.empty() && flags.random_shapes.empty() && settings.model.empty();
  if (settings.frontier && any_shape) settings.shapes = {{794, 128}};
  settings.certificate_rows = flags.m.empty() ? kCertificateRows : *std::max_element(flags.m.begin(), flags.m.end());
  if (settings.model.empty()) settings.layers = {0};
  if (settings.threads.empty()) {
    settings.threads = {1};
    const int all = context_for(IDELTA_ISA_AUTO, 0).threads();
    if (all > 1) settings.threads.push_back(all);
  }
  if (flags.beyond && !has_argument(settings.for_google, "--benchmark_filter=")) {
    settings.for_google.push_back(kBeyondFilter);
  }
  take_outputs(settings);
}

}  // namespace

std::string Settings::out_path(const std::string& name, const char* ending) const {
  const std::string of = parts == 1 ? "" : "-" + std::to_string(part + 1) + "-of-" + std::to_string(parts);
  return out + "/" + name + of + ending;
}

Settings settings_from(int argc, char** argv) {
  CLI::App app("Benchmarks of idelta against OpenBLAS, oneDNN and its own kernels without the residual form.");
  app.footer(kFooter);
  app.allow_extras();
  Settings settings;
  Flags flags;
  add_size_flags(app, settings, flags);
  add_run_flags(app, settings, flags);
  add_model_flags(app, settings);
  for (CLI::Option* option : app.get_options()) {
    if (option->get_items_expected_max() > 0) option->check(not_empty());
  }
  try {
    app.parse(argc, argv);
    settings.for_google = app.remaining();
    check_flags(settings, flags);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : kExitUsage);
  }
  if (!settings.verdict.empty()) return settings;
  try {
    complete(settings, flags);
  } catch (const files::PathError& error) {
    std::fprintf(stderr, "idelta_bench: %s\n", error.what());
    std::exit(kExitUsage);
  }
  return settings;
}

std::vector<Problem> problems_of(const Settings& settings) {
  std::vector<Problem> problems;
  for (const Pass pass : all_passes()) {
    for (const int threads : settings.threads) {
      for (const int layer : settings.layers) {
        for (const Shape& shape : settings.shapes) {
          problems.push_back({.pass = pass, .n = shape.n, .m = shape.m, .threads = threads, .layer = layer});
        }
      }
    }
  }
  return problems;
}

}  // namespace idelta::bench
