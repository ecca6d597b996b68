// What every verb of the `idelta` program has: a subcommand, a function that does the work, exit codes and errors.
#ifndef IDELTA_CLI_VERBS_H
#define IDELTA_CLI_VERBS_H

#include <CLI/CLI.hpp>
#include <functional>
#include <stdexcept>

namespace idelta::cli {

// Listed in `idelta --help`; scripts may rely on them. A verb ended by a signal returns 128 + its number.
enum ExitCode : int { kExitOk = 0, kExitFailure = 1, kExitUsage = 2, kExitBadFile = 3, kSignalled = 128 };

// An option that the program cannot take: exit code 2. The sentence names the option, its value and the mend.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A data set or model that is missing, damaged, or of another shape: exit code 3.
struct FileError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Verb {
  CLI::App* parser;          // owned by the app it was added to
  std::function<int()> run;  // after parsing; returns the exit code, throws on errors
};

// One a file: info.cc, train.cc, ...
Verb add_info(CLI::App& app);
Verb add_train(CLI::App& app);
Verb add_compress(CLI::App& app);
Verb add_eval(CLI::App& app);
Verb add_explain(CLI::App& app);
Verb add_predict(CLI::App& app);
Verb add_study(CLI::App& app, char** argv);  // argv for the command that goes on after a break
// bench.cc, or bench_absent.cc where the comparison was not built; argv because it may start the program anew.
Verb add_bench(CLI::App& app, char** argv);

}  // namespace idelta::cli

#endif  // IDELTA_CLI_VERBS_H
