// The flags of idelta_bench and the grid they select.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/problem.h"

namespace idelta::bench {

struct Settings {
  std::vector<int64_t> n, m;  // the grid
  std::vector<int> threads;
  bool quick = false;  // fewer and shorter samples
  bool cold = false;
  bool certificates = false;            // of the model's layers, instead of times
  bool list = false;                    // only the names
  std::string model, data;              // inputs of a trained model (trained.h); model empty: random numbers
  std::vector<int> layers;              // of the model, from 1; empty: the first, a middle one, the last (all for
                                        // certificates); 0 without one
  std::string out;                      // folder for results.json and table.txt; empty: neither
  std::vector<std::string> for_google;  // arguments for Google Benchmark

  bool writes_json() const;  // --out or --benchmark_out
};

// Exits with CLI11's code after --help or a wrong flag.
Settings settings_from(int argc, char** argv);

// All problems of the grid, those of one pass, thread count and layer together.
std::vector<Problem> problems_of(const Settings& settings);

}  // namespace idelta::bench
