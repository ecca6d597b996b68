// How --help looks: usage, options in two columns, examples last, nothing wider than 100 columns.
#ifndef IDELTA_CLI_HELP_H
#define IDELTA_CLI_HELP_H

#include <CLI/CLI.hpp>
#include <string>

namespace idelta::cli {

// CLI11's layout with wider columns and without its REQUIRED and [OPTIONS] shouting.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter();
  std::string make_usage(const CLI::App* app, std::string name) const override;
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
};

}  // namespace idelta::cli

#endif  // IDELTA_CLI_HELP_H
