// A network in double, from its definition: h^l = act(a h + h D + b).
#pragma once

#include <algorithm>
#include <cmath>

#include "nn_support.h"

namespace idelta_test {

class DoubleNetwork {
 public:
  explicit DoubleNetwork(const nn::Network& network) : options_(network.options()) {
    for (int64_t l = 0; l < network.layers(); ++l) {
      const std::vector<float> D = network.delta(l);
      delta.emplace_back(D.begin(), D.end());
      bias.emplace_back(network.bias(l).begin(), network.bias(l).end());
    }
  }

  // h^0 of an image.
  std::vector<double> padded(std::span<const float> image) const {
    std::vector<double> h(image.begin(), image.end());
    h.resize(static_cast<size_t>(options_.n()), options_.class_padding);
    return h;
  }

  // The output of layer l, whose activation is bend(l, j, z).
  template <class Bend>
  std::vector<double> layer(size_t l, const std::vector<double>& h, const Bend& bend) const {
    const size_t n = h.size();
    std::vector<double> z(n);
    for (size_t j = 0; j < n; ++j) z[j] = options_.identity_scale * h[j] + bias[l][j];
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) z[j] += h[i] * delta[l][i * n + j];
    }
    for (size_t j = 0; j < n; ++j) z[j] = bend(l, j, z[j]);
    return z;
  }
  std::vector<double> layer(size_t l, const std::vector<double>& h) const {
    return layer(l, h, [this](size_t layer, size_t, double z) { return activate(layer, z); });
  }

  // That of layer l; the last one is linear.
  double activate(size_t l, double z) const {
    if (l + 1 == delta.size()) return z;
    switch (options_.activation.kind) {
      case IDELTA_ACTIVATION_IDENTITY:
        return z;
      case IDELTA_ACTIVATION_RELU:
        return std::max(z, 0.0);
      case IDELTA_ACTIVATION_LEAKY_RELU:
        return z < 0 ? options_.activation.slope * z : z;
      case IDELTA_ACTIVATION_HARD_TANH:
        return std::min(1.0, std::max(-1.0, z));
      case IDELTA_ACTIVATION_TANH:
        return std::tanh(z);
    }
    return z;
  }

  const nn::NetworkOptions& options() const { return options_; }

  std::vector<std::vector<double>> delta, bias;

 private:
  nn::NetworkOptions options_;
};

}  // namespace idelta_test
