// idelta bench in a build without OpenBLAS: the same options, and how to get the verb.
#include <memory>
#include <stdexcept>

#include "bench_flags.h"
#include "verbs.h"

namespace idelta::cli {

Verb add_bench(CLI::App& app, char**) {
  auto flags = std::make_shared<BenchFlags>();
  CLI::App* verb = add_bench_parser(app, *flags);
  // `flags` lives as long as the parser that writes into it.
  return {verb, [flags]() -> int {
            throw std::runtime_error(
                "bench: this idelta was built without OpenBLAS, which it compares with; install libopenblas-openmp-dev "
                "and build again");
          }};
}

}  // namespace idelta::cli
