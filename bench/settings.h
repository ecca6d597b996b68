// The flags of idelta_bench and the grid they select.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/problem.h"

namespace idelta::bench {

enum class Grid { kQuick, kUsual, kFull };

struct Settings {
  Grid grid = Grid::kUsual;
  bool cold = false;
  bool list = false;                    // only the names
  std::string out;                      // folder for results.json and table.txt; empty: neither
  std::vector<std::string> for_google;  // arguments for Google Benchmark

  bool writes_json() const;  // --out or --benchmark_out
};

// Exits with CLI11's code after --help or a wrong flag.
Settings settings_from(int argc, char** argv);

// All problems of the grid, those of one pass and thread count together.
std::vector<Problem> problems_of(Grid grid);

}  // namespace idelta::bench
