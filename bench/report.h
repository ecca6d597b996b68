// The readable end of a benchmark run: one table a pass and number of threads.
#pragma once

#include <string>
#include <vector>

#include "bench/point.h"

namespace idelta::bench {

// Rows n x m: idelta's GFLOP/s, % of the FMA peak, spread and error, and the ratio to each peer with its quartiles;
// under them each peer's geometric mean and least ratio and where it is. Points without idelta are left out.
std::string to_report(const std::vector<PointResult>& points, bool cold);

}  // namespace idelta::bench
