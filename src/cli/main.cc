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
#include "interrupt.h"
#include "output.h"
#include "src/core/machine/environment.h"
#include "table.h"
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
    "Exit codes:\n"
    "  0    done\n"
    "  1    a failure while running: no memory, a full disk, numbers that overflow\n"
    "  2    wrong usage: an option or an environment variable that cannot be\n"
    "  3    a data set or model file is missing, damaged or does not fit\n"
    "  128 + a signal's number: 129 the terminal went away, 130 Ctrl-C, 143 killed, 141 nobody reads on.\n"
    "       On the first three train and study save their work first; a second signal ends it at once.\n"
    "\n"
    "Environment (empty means unset):\n";

std::string footer() {
  Listing listing;
  for (const Variable& variable : kVariables) {
    listing.add(variable.name, variable.meaning);
    listing.add("", variable.values);
  }
  listing.add("NO_COLOR, TERM", "a value of NO_COLOR, or TERM=dumb: progress in plain lines");
  return kFooter + listing.text();
}

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
  const std::string verbs = "; use info, train, eval, explain, compress, predict, study or bench (see idelta --help)";
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
  app.footer(footer());
  app.set_version_flag("--version", std::string("idelta ") + idelta_version(), "the version of the library");
  app.set_help_flag("-h,--help", "this text");
  app.require_subcommand(1);
  const std::vector<Verb> verbs = {add_info(app),    add_train(app),    add_eval(app),        add_explain(app),
                                   add_predict(app), add_compress(app), add_study(app, argv), add_bench(app, argv)};
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
    if (code < kSignalled) finish_output();  // the terminal may be what went away
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
  } catch (const NobodyReads&) {
    return kSignalled + SIGPIPE;  // as where the signal is not ignored
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
