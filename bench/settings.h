// The flags of idelta_bench and what they select.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/problem.h"
#include "bench/shapes.h"

namespace idelta::bench {

inline constexpr int kExitUsage = 2;

struct Settings {
  std::vector<Shape> shapes;  // n 0: the model's
  std::vector<int> threads;
  bool quick = false;  // fewer and shorter samples
  bool cold = false;
  int part = 0, parts = 1;  // this run measures every parts-th point, from this one on

  std::string model, data;  // inputs of a trained model (trained.h); model empty: random numbers
  // Of the model, from 1; empty: the first, a middle one and the last (all for certificates); 0 without a model.
  std::vector<int> layers;

  // Instead of measuring times:
  bool list = false;          // only the names
  bool certificates = false;  // of the model's layers
  bool cost_model = false;    // what the library's cost model holds, measured on this machine
  bool auto_regret = false;   // AUTO against the fastest form that fits, on all shapes
  bool frontier = false;      // error against time, on all shapes or of the model
  int64_t certificate_rows = 0;
  std::string verdict;  // folder of runs that are done

  std::string out;                      // folder for results.json, table.txt and points.csv; empty: none of them
  std::string json;                     // file of --out or --benchmark_out; empty: none
  std::vector<std::string> for_google;  // arguments for Google Benchmark

  std::string out_path(const std::string& name, const char* ending) const;  // in --out, of this part
};

// Exits after --help, or with kExitUsage after a wrong flag. Prints the seed of random shapes.
Settings settings_from(int argc, char** argv);

// The problems of a run, those of one pass, thread count and layer together.
std::vector<Problem> problems_of(const Settings& settings);

}  // namespace idelta::bench
