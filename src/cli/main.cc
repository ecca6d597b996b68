// The `idelta` program: finds the verb, runs it, turns what it throws into one line and an exit code.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "help.h"
#include "idelta/idelta.h"
#include "output.h"
#include "verbs.h"

namespace idelta::cli {
namespace {

constexpr const char* kDescription =
    "idelta: networks whose square weights stay near the identity (W = a I + D), on fast CPU kernels.";

constexpr const char* kFooter =
    "Example:\n"
    "  idelta train --data fashion-mnist --out model.safetensors\n"
    "  idelta explain model.safetensors --data fashion-mnist --out report\n"
    "  idelta compress model.safetensors --data fashion-mnist --out compressed.safetensors\n"
    "  idelta predict compressed.safetensors --data fashion-mnist --guarantee label\n"
    "\n"
    "Exit codes: 0 done; 1 run-time error; 2 wrong usage; 3 a data set or model file is missing, damaged\n"
    "or does not fit; 130 interrupted (train first saves its model); 143 terminated (likewise).\n"
    "Environment: IDELTA_ISA and IDELTA_THREADS lower what is chosen; IDELTA_SPIN_US and IDELTA_BIND say how\n"
    "threads wait and where they run (idelta.h); IDELTA_DATA is a folder of data sets.";

int fail(int code, std::string sentence) {
  // One line, whatever the library said.
  for (char& c : sentence) {
    if (c == '\n') c = ' ';
  }
  std::fflush(stdout);
  std::fprintf(stderr, "idelta: error: %s\n", sentence.c_str());
  return code;
}

int fail_without_verb(int argc, char** argv) {
  const std::string verbs = "; use info, train, eval, explain, compress, predict or bench (see idelta --help)";
  if (argc < 2) return fail(kExitUsage, "no verb given" + verbs);
  return fail(kExitUsage, std::string("'") + argv[1] + "' is not a verb" + verbs);
}

// CLI11 throws its help and its errors alike.
int on_parse_error(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  const CLI::App* verb = app.get_subcommands().empty() ? &app : app.get_subcommands().front();
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
    const bool version = dynamic_cast<const CLI::CallForVersion*>(&error) != nullptr;
    print(version ? std::string(error.what()) + "\n" : verb->help());
    finish_output();
    return kExitOk;
  }
  if (verb == &app) return fail_without_verb(argc, argv);
  return fail(kExitUsage, std::string(error.what()) + " (see idelta " + verb->get_name() + " --help)");
}

CLI::Validator not_empty() {
  return CLI::Validator(
      [](std::string& value) {
        return value.empty() ? std::string("is empty; give a value, or leave the option out") : std::string();
      },
      "");
}

int run(int argc, char** argv) {
  CLI::App app(kDescription, "idelta");
  app.formatter(std::make_shared<HelpFormatter>());
  app.footer(kFooter);
  app.set_version_flag("--version", std::string("idelta ") + idelta_version(), "the version of the library");
  app.set_help_flag("-h,--help", "this text");
  app.require_subcommand(1);
  const std::vector<Verb> verbs = {add_info(app),    add_train(app),    add_eval(app),       add_explain(app),
                                   add_predict(app), add_compress(app), add_bench(app, argv)};
  for (const Verb& verb : verbs) {
    verb.parser->group("Verbs");
    // CLI11 would speak of a missing TEXT or INT.
    for (CLI::Option* option : verb.parser->get_options()) {
      option->type_name("value");
      // A script whose variable is not set should not get the default in silence.
      if (option->get_items_expected_max() > 0) option->check(not_empty(), "");
    }
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return on_parse_error(app, error, argc, argv);
  }
  for (const Verb& verb : verbs) {
    if (!verb.parser->parsed()) continue;
    const int code = verb.run();
    finish_output();
    return code;
  }
  return kExitUsage;
}

}  // namespace
}  // namespace idelta::cli

int main(int argc, char** argv) {
  using namespace idelta::cli;
  std::signal(SIGXFSZ, SIG_IGN);  // a write beyond the limit on file sizes then fails like any other
  try {
    return run(argc, argv);
  } catch (const UsageError& error) {
    return fail(kExitUsage, error.what());
  } catch (const FileError& error) {
    return fail(kExitBadFile, error.what());
  } catch (const std::bad_alloc&) {
    return fail(kExitFailure, "not enough memory; try fewer layers, a smaller --batch, or --limit");
  } catch (const std::exception& error) {
    return fail(kExitFailure, error.what());
  }
}
