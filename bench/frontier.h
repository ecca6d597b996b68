// Error against time: all forms of one layer by idelta, by idelta's kernels on W (plain) and by peers; and of a network
// the share of labels that each form certifies against rows a second.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "bench/network.h"
#include "bench/round_robin.h"

namespace idelta::bench {

struct FrontierPoint {
  std::string name, format, isa;  // idelta, plain, openblas, ...; bf16, lr32+int8, ...
  double seconds, low, high;      // of a call: median and quartiles over the rounds
  double error;                   // measured: the largest || y^ - y ||_2 / || x ||_2 of the rows that were checked
  double certificate = kNone;     // proved bound of it for any row; kNone: there is none
  bool ours = false;              // idelta with the identity apart

  static constexpr double kNone = std::numeric_limits<double>::infinity();
};

struct LayerFrontier {
  int64_t n, m;
  int threads;
  std::vector<FrontierPoint> points;  // fastest first
};

// Forward of a D whose singular values fall (decaying.h) with bias and hard_tanh. Each side's forms of low rank have
// the same factors. Throws if a result errs by more than what is proved of it.
LayerFrontier measure_frontier(int64_t n, int64_t m, int threads, RoundRobinOptions timing);

// One form of a network.
struct NetworkFrontierPoint {
  std::string name;
  double rows_a_second;
  double certified;  // share of the labels that are proved
  int64_t differ;    // labels that are not the dense network's
};
struct NetworkFrontier {
  int64_t layers, n, images;
  int threads;
  std::vector<NetworkFrontierPoint> points;
};
NetworkFrontier network_frontier(const NetworkResult& result);

struct Frontier {
  std::string machine;  // what the context says of itself
  std::vector<LayerFrontier> layers;
  std::vector<NetworkFrontier> networks;
};

// Points that no other beats in both time and measured error.
std::vector<bool> on_frontier(const LayerFrontier& layer);

std::string to_text(const Frontier& frontier);
std::string to_csv(const Frontier& frontier);
std::string to_json(const Frontier& frontier);
std::string to_page(const Frontier& frontier);  // one HTML file, without scripts

}  // namespace idelta::bench
