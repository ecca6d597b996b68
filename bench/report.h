// The readable end of a benchmark run: one table for each pass, number of threads, layer and format of idelta.
#pragma once

#include <string>
#include <vector>

#include "bench/point.h"

namespace idelta::bench {

struct ReportOptions {
  bool cold = false;
  std::string warning;    // a line of its own, at both ends; empty if there is nothing to warn of
  std::string bandwidth;  // lines of describe_bandwidth()
};

// Rows n x m: idelta's GFLOP/s, % of the FMA peak, GB/s and % of the bandwidth where D's stream decides, spread and
// error, then its ratio to the best rival and to each implementation with quartiles; under them each one's geometric
// mean and least ratio and where it is. The others are those of fp32 or of the same format, which are no less accurate,
// and idelta's other formats; those of low rank are the same rank's and idelta's in fp32, and stand in no other table.
// Points without idelta are left out; results that are wrong have no figure.
std::string to_report(const std::vector<PointResult>& points, const ReportOptions& options);

}  // namespace idelta::bench
