// How far the form that AUTO chooses is from the fastest that fits, measured.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/round_robin.h"
#include "bench/shapes.h"

namespace idelta::bench {

struct RegretOptions {
  std::vector<Shape> shapes;
  std::vector<int> threads;
  RoundRobinOptions timing;
};

// AUTO for one shape and tolerance.
struct RegretRow {
  int64_t n, m;
  int threads;
  std::string tolerance;        // "0.1", "f32", "sgemm"
  std::string chosen, fastest;  // forms: bf16, lr32
  double predicted, seconds;    // of the chosen one
  double fastest_seconds;       // of the fastest that fits
  double regret() const { return seconds / fastest_seconds - 1.0; }
};

// Prints each row when it is there. Forward by a D whose singular values fall (decaying.h), packed for calls of m rows.
// For each tolerance each format is packed within it, where it can be; of one shape all forms take turns.
std::vector<RegretRow> measure_regret(const RegretOptions& options);

// The mean and the largest regret, and how many rows are within a tenth.
std::string to_summary(const std::vector<RegretRow>& rows);

// The mean regret beyond which the cost model is in need of repair.
inline constexpr double kMostMeanRegret = 0.1;
double mean_regret(const std::vector<RegretRow>& rows);

}  // namespace idelta::bench
