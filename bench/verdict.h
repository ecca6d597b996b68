// The verdict of a run, or of a run in parts: for each pass, format and number of threads how idelta compares with the
// best rival of each point, in one line.
#pragma once

#include <string>
#include <vector>

#include "bench/point.h"

namespace idelta::bench {

// A point and a format of idelta.
struct VerdictRow {
  std::string pass, format, mode;  // mode: warm or cold
  int threads = 1, layer = 0;
  int64_t n = 0, m = 0;
  std::string best;                           // the fastest rival's title; "wrong" if idelta's result was
  double ratio = 0.0, low = 0.0, high = 0.0;  // of idelta's speed over the best rival's: median, quartiles

  double spread() const { return (high - low) / ratio; }
};

// Points without a rival have no row.
std::vector<VerdictRow> verdict_rows(const std::vector<PointResult>& points, bool cold);

// A line for each pass, format, mode, layer and number of threads: geometric mean, least ratio and where it is, over
// the points that spread less than 10 %; those that spread more are listed after them, and so are wrong results.
std::string to_verdict(const std::vector<VerdictRow>& rows);

// Rows, one a line under a heading, so that a long run can be made in parts.
std::string to_csv(const std::vector<VerdictRow>& rows);
// Of all files points*.csv in a folder. Throws std::runtime_error that names the file.
std::vector<VerdictRow> read_rows(const std::string& folder);

}  // namespace idelta::bench
