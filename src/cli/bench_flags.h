// Options of `idelta bench`: the same whether or not the comparison was built.
#ifndef IDELTA_CLI_BENCH_FLAGS_H
#define IDELTA_CLI_BENCH_FLAGS_H

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/number_list.h"
#include "names.h"

namespace idelta::cli {

// Of compare(); copies of a layer still fit a small machine's memory.
inline constexpr int64_t kMostSize = 1 << 15, kMostThreads = 1024;
inline constexpr double kMostSeconds = 86400;

struct BenchFlags {
  std::vector<int64_t> n = {794}, m = {1, 16, 128, 512};
  std::vector<int64_t> threads;  // empty: 1 and what info says
  std::string isa = "auto";
  double seconds = 30;
  bool json = false, quiet = false;
};

inline CLI::App* add_bench_parser(CLI::App& app, BenchFlags& flags) {
  CLI::App* verb = app.add_subcommand("bench", "forward and backward against OpenBLAS on this machine");
  const auto list = [&](const char* name, std::vector<int64_t>& values, int64_t most, const char* text,
                        const char* what) {
    bench::add_number_list(*verb, name, values, {whole_number_from(1, most)}, what)->option_text(text);
  };
  list("--n", flags.n, kMostSize, "N,... [794]", "widths");
  list("--m", flags.m, kMostSize, "M,... [1,16,128,512]", "rows a call");
  list("--threads", flags.threads, kMostThreads, "T,...",
       "numbers of threads; unless said 1 and what idelta info gives");
  verb->add_option("--isa", flags.isa, idelta_isa_names() + std::string("; avx2 holds OpenBLAS to it, too"))
      ->option_text("NAME [auto]");
  verb->add_option("--seconds", flags.seconds, "about how long in all; each point takes 5 rounds at least")
      ->option_text("X [30]")
      ->check(real_number_from(0, kMostSeconds));
  verb->add_flag("--json", flags.json, "one JSON object on stdout");
  verb->add_flag("--quiet", flags.quiet, "no progress on stderr");
  verb->footer(
      "Example:\n"
      "  idelta bench\n"
      "  idelta bench --n 256,1024 --m 64,512 --threads 1 --json");
  return verb;
}

}  // namespace idelta::cli

#endif  // IDELTA_CLI_BENCH_FLAGS_H
