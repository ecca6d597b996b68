// One grid point: every implementation of one problem, timed in turns and checked.
#pragma once

#include <string>
#include <vector>

#include "bench/implementation.h"
#include "bench/round_robin.h"

namespace idelta::bench {

struct PointOptions {
  RoundRobinOptions timing;
  // Walk through so many copies of the layer that D, x and y come from memory each time.
  bool cold = false;
};

struct ImplementationResult {
  std::string name;
  std::vector<double> seconds;        // a call, an entry a round
  std::vector<double> peak_fraction;  // of the FMA loop of the same round
  double relative_error = 0.0;
  std::string failure;  // not empty: the result is wrong, or a library refused; the times mean nothing
};

struct PointResult {
  Problem problem;
  double fma_gflops = 0.0;                            // median over the rounds, all threads together
  double disturbed = 0.0;                             // share of the samples that another process cut into
  std::vector<ImplementationResult> implementations;  // in the order of the entries
};

PointResult measure_point(const Problem& problem, const std::vector<ImplementationEntry>& entries,
                          const PointOptions& options);

}  // namespace idelta::bench
