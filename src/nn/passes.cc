// Single layers, and the memory that a chunk needs on its way.
#include "passes.h"

namespace idelta::nn {

void forward_layer(const Network& network, int64_t layer, int64_t rows, const float* below, float* above,
                   float* contribution) {
  network.packed(layer).forward({.m = rows,
                                 .x = below,
                                 .ldx = network.n(),
                                 .bias = network.bias(layer).data(),
                                 .activation = network.activation(layer),
                                 .y = above,
                                 .ldy = network.n(),
                                 .contribution = contribution,
                                 .ldc = network.n()});
}

void check_finite(const char* caller, const Network& network, const Dataset& data, const Chunk& chunk, const float* h) {
  const auto n = static_cast<size_t>(network.n());
  if (all_finite({h, static_cast<size_t>(chunk.rows) * n})) return;
  int64_t row = 0;
  while (all_finite({h + row * network.n(), n})) ++row;
  fail_not_finite(caller, network, data, chunk.first + row);
}

void LayerWalk::reserve(size_t size) {
  if (h_[0].size() >= size) return;
  for (std::vector<float>& h : h_) h.resize(size);
  if (contributions_) contribution_.resize(size);
}

}  // namespace idelta::nn
