// Files beside the page: tables as CSV, arrays of the chosen images as .npy.
#ifndef IDELTA_CLI_REPORT_BESIDE_H
#define IDELTA_CLI_REPORT_BESIDE_H

#include <string>

#include "cli/report/gather.h"

namespace idelta::cli::report {

// One row an entry of an array of flat objects, a column a key; what is no number or text is left out. RFC 4180.
std::string csv(const Json& entries);
// The images' layers: index, label, layer, prediction, score, and the sizes of the map.
std::string images_csv(const Json& document);

}  // namespace idelta::cli::report

#endif  // IDELTA_CLI_REPORT_BESIDE_H
