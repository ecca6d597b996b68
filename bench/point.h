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
  std::string name, format;                // see ImplementationEntry
  bool rival = false;                      // the same
  std::vector<double> seconds;             // a call, an entry a round
  std::vector<double> peak_fraction;       // of the FMA loop of the same round
  std::vector<double> bandwidth_fraction;  // of the traffic loop of the same round; empty if the point has many rows
  double relative_error = 0.0;
  std::string failure;  // not empty: the result is wrong, or a library refused; the times mean nothing

  // Of a call that takes so long: what must move at the least.
  double gigabytes_a_second(const Problem& problem, double call_seconds) const {
    return 1e-9 * problem.traffic_bytes(format) / call_seconds;
  }
  double gigaflops(const Problem& problem, double call_seconds) const {
    return 1e-9 * problem.flops(format) / call_seconds;
  }
  std::string title() const { return title_of(name, format); }
};

struct PointResult {
  Problem problem;
  double fma_gflops = 0.0;                            // median over the rounds, all threads together
  double disturbed = 0.0;                             // share of the samples that others cut into
  std::vector<ImplementationResult> implementations;  // in the order of the entries
};

// Whether a ratio of the two says something: low rank is compared with others of the same rank and with idelta's dense
// D in fp32, and nothing dense with low rank.
bool are_compared(const ImplementationResult& ours, const ImplementationResult& theirs);

// No less accurate by its format alone, and of the same D.
bool is_match(const ImplementationResult& ours, const ImplementationResult& theirs);

// What idelta must beat: the fastest rival that matches; null if there is none.
const ImplementationResult* best_rival(const PointResult& point, const ImplementationResult& ours);

// inputs: of this problem.
PointResult measure_point(const Problem& problem, const Inputs& inputs, const std::vector<ImplementationEntry>& entries,
                          const PointOptions& options);

}  // namespace idelta::bench
