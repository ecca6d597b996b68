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

void LayerWalk::reserve(size_t size) {
  if (h_[0].size() >= size) return;
  for (std::vector<float>& h : h_) h.resize(size);
  if (contributions_) contribution_.resize(size);
}

}  // namespace idelta::nn
