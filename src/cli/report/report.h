// `idelta explain`'s report: numbers, page and the files beside it.
#ifndef IDELTA_CLI_REPORT_REPORT_H
#define IDELTA_CLI_REPORT_REPORT_H

#include <functional>
#include <string>
#include <vector>

#include "cli/report/gather.h"

namespace idelta::cli::report {

// How the report was asked for; what stands under "How it was made".
struct Request {
  std::string command;        // that makes it again
  std::string train_command;  // that makes the network again
  std::string model, data;
  Json forms;  // of a compressed model
  // Which images are shown, by what every layer says of each.
  std::function<std::vector<Chosen>(const std::vector<nn::ReadOut>&)> choose;
};

struct Report {
  Json document;
  Decompositions decompositions;
};

Report gather(Subject subject, const Request& request);

// Names of the files that write() makes in a folder.
std::vector<std::string> file_names();

// Whole or not at all, each: page, JSON, CSV, arrays of the chosen images, and the sheet as a picture.
void write(const std::string& folder, const Report& report, const nn::NetworkOptions& options);

}  // namespace idelta::cli::report

#endif  // IDELTA_CLI_REPORT_REPORT_H
