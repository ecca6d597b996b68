// The parts of the page that are written as files: embed.cmake puts their text into the program.
#ifndef IDELTA_CLI_REPORT_ASSETS_H
#define IDELTA_CLI_REPORT_ASSETS_H

#include <string_view>

namespace idelta::cli::report {

extern const std::string_view kPage;    // page.html, whose {{...}} are filled by page.cc
extern const std::string_view kStyle;   // style.css
extern const std::string_view kCharts;  // charts.js
extern const std::string_view kMaps;    // maps.js
extern const std::string_view kD3;      // Debian's d3.min.js; empty if the build found none

}  // namespace idelta::cli::report

#endif  // IDELTA_CLI_REPORT_ASSETS_H
