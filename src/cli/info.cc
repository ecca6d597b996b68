// idelta info: what this machine offers and what the library made of it.
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "inputs.h"
#include "output.h"
#include "table.h"
#include "verbs.h"

namespace idelta::cli {
namespace {

struct Flags {
  MachineFlags machine;
  bool json = false;
};

// Context::describe() gives lines of a name, blanks, and a sentence.
template <class Use>
void for_each_line(const std::string& description, const Use& use) {
  std::istringstream stream(description);
  for (std::string name, sentence; stream >> name && std::getline(stream >> std::ws, sentence);) use(name, sentence);
}

int run(const Flags& flags) {
  const Context context = make_context(flags.machine);
  const std::string description = context.describe();
  if (!flags.json) {
    Listing listing;
    for_each_line(description, [&](const auto& name, const auto& sentence) { listing.add(name, sentence); });
    print(std::string("idelta ") + idelta_version() + "\n" + listing.text());
    return kExitOk;
  }
  nlohmann::ordered_json sentences;
  for_each_line(description, [&](const auto& name, const auto& sentence) { sentences[name] = sentence; });
  print_json({{"verb", "info"},
              {"version", idelta_version()},
              {"isa", idelta_isa_name(context.isa())},
              {"threads", context.threads()},
              {"description", sentences}});
  return kExitOk;
}

}  // namespace

Verb add_info(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("info", "CPU, instruction set, caches and threads: what was chosen and why");
  add_machine_flags(*verb, flags->machine);
  verb->add_flag("--json", flags->json, "one JSON object on stdout");
  verb->footer(
      "Example:\n"
      "  idelta info\n"
      "  idelta info --isa avx2 --threads 1 --json");
  return {verb, [flags] { return run(*flags); }};
}

}  // namespace idelta::cli
