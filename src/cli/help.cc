// Required options stand in the usage line, defaults in brackets behind the option.
#include "help.h"

#include "table.h"

namespace idelta::cli {
namespace {

constexpr size_t kColumn = 33;

std::string name_and_value(const CLI::Option* option, bool is_positional) {
  const std::string name = is_positional ? option->get_name(true, false) : option->get_name(false, true);
  return option->get_option_text().empty() ? name : name + " " + option->get_option_text();
}

}  // namespace

HelpFormatter::HelpFormatter() {
  column_width(kColumn);
  label("Positionals", "Arguments");
}

std::string HelpFormatter::make_usage(const CLI::App* app, std::string name) const {
  std::string usage = "\nUsage: " + (app->get_parent() ? "idelta " + app->get_name() : name);
  for (const CLI::Option* option : app->get_options()) {
    if (!option->get_required()) continue;
    // An option that is positional too is written in its short form.
    usage += " " + (option->get_positional() ? "<" + option->get_name(true, false) + ">"
                                             : option->get_name() + " " + option->get_option_text());
  }
  if (!app->get_subcommands({}).empty()) usage += " <verb>";
  return usage + " [options]\n";
}

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  std::string line = "  " + name_and_value(option, is_positional);
  const auto width = static_cast<size_t>(display_width(line));
  line += width + 1 < kColumn ? std::string(kColumn - width, ' ') : "\n" + std::string(kColumn, ' ');
  const bool said_before = option->get_positional() && !is_positional;
  return line + (said_before ? "the same" : option->get_description()) + "\n";
}

}  // namespace idelta::cli
