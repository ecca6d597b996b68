// One layer of a network on rows, for passes that leave the network's own order.
#ifndef IDELTA_NN_ONE_LAYER_H
#define IDELTA_NN_ONE_LAYER_H

#include "idelta/nn.hpp"

namespace idelta::nn {

// y = act(a x + x D + b) with the layer's activation and its b, or none if `bias` is null; D is the layer's own or
// another of its width. x and y are rows x n and may be one buffer.
inline void one_layer(const Network& network, int64_t layer, const Delta& D, const float* bias, int64_t rows,
                      const float* x, float* y) {
  const int64_t n = network.n();
  D.forward({.m = rows, .x = x, .ldx = n, .bias = bias, .activation = network.activation(layer), .y = y, .ldy = n});
}

// The layer itself: the bits of Network::forward.
inline void one_layer(const Network& network, int64_t layer, int64_t rows, const float* x, float* y) {
  one_layer(network, layer, network.packed(layer), network.bias(layer).data(), rows, x, y);
}

}  // namespace idelta::nn

#endif  // IDELTA_NN_ONE_LAYER_H
