// HTML text: escaped strings, numbers with as many digits as they deserve, tables.
#ifndef IDELTA_CLI_REPORT_HTML_H
#define IDELTA_CLI_REPORT_HTML_H

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace idelta::cli::report {

using Json = nlohmann::ordered_json;

std::string escaped(std::string_view text);

// How a number is written. charts.js and the page's test have the same rules.
//   percent   0.8592   "85.9 %"
//   score     0.97     "97 %"
//   number    0.43214  "0.432", three significant digits; "1.2e−5" below a thousandth
//   count     10000    "10 000"
// A value that is not there (null) is "–".
std::string shown(const Json& value, std::string_view format);

// <data value="0.8592" data-path="/summary/test_accuracy" data-format="percent">85.9 %</data>: the text and the number
// of report.json that it came from, for readers that are programs.
std::string data_element(const Json& document, const std::string& path, std::string_view format);

// A table of cells that are HTML already; the first of each row is its header.
std::string table(const std::vector<std::string>& titles, const std::vector<std::vector<std::string>>& rows,
                  std::string_view caption);

// "data:<type>;base64,..."
std::string data_uri(std::string_view type, const std::vector<uint8_t>& bytes);

}  // namespace idelta::cli::report

#endif  // IDELTA_CLI_REPORT_HTML_H
