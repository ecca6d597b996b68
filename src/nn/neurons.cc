// What a neuron's contribution is made of, and which input neurons matter most to the right class.
#include <algorithm>
#include <cmath>

#include "passes.h"

namespace idelta::nn {
namespace {

// D as it is multiplied.
std::vector<float> multiplied_delta(const Network& network, int64_t layer) {
  std::vector<float> D(static_cast<size_t>(network.n() * network.n()));
  network.packed(layer).unpack(D.data(), network.n());
  return D;
}

void check_index(const char* what, int64_t value, int64_t count) {
  if (value < 0 || value >= count) fail("neuron_split: ", what, " is ", value, "; give 0 to ", count - 1);
}

// Sums over a set of the terms that one layer's input neurons have in the class dimension of the label.
class Terms {
 public:
  Terms(const Network& network, int64_t layer)
      : n_(network.n()), columns_(static_cast<size_t>(network.options().classes * n_)), sums_(static_cast<size_t>(n_)) {
    const std::vector<float> D = multiplied_delta(network, layer);
    const int64_t pixels = network.options().pixels();
    for (int64_t c = 0; pixels + c < n_; ++c) {
      for (int64_t j = 0; j < n_; ++j) columns_[c * n_ + j] = D[j * n_ + pixels + c];
    }
    for (int64_t j = 0; j < n_; ++j) sums_[j].neuron = j;
  }

  void add(const float* h, uint8_t label) {
    const float* const column = columns_.data() + label * n_;
    for (int64_t j = 0; j < n_; ++j) {
      const double term = static_cast<double>(column[j]) * h[j];
      sums_[j].mean += term;
      sums_[j].mean_magnitude += std::fabs(term);
    }
  }

  std::vector<NeuronTerm> largest(int64_t count, int64_t images) {
    const auto larger = [](const NeuronTerm& a, const NeuronTerm& b) {
      return a.mean_magnitude != b.mean_magnitude ? a.mean_magnitude > b.mean_magnitude : a.neuron < b.neuron;
    };
    std::partial_sort(sums_.begin(), sums_.begin() + count, sums_.end(), larger);
    sums_.resize(static_cast<size_t>(count));
    for (NeuronTerm& term : sums_) {
      term.mean_magnitude /= static_cast<double>(images);
      term.mean /= static_cast<double>(images);
    }
    return std::move(sums_);
  }

 private:
  int64_t n_;
  std::vector<float> columns_;    // C x n: D_jc
  std::vector<NeuronTerm> sums_;  // n
};

}  // namespace

NeuronSplit neuron_split(const Network& network, std::span<const float> image, int64_t layer, int64_t neuron) {
  const int64_t n = network.n();
  check_index("layer", layer, network.layers());
  check_index("neuron", neuron, n);
  if (image.size() != static_cast<size_t>(network.options().pixels())) {
    fail("neuron_split: the image has ", image.size(), " entries; give ", network.options().pixels());
  }
  std::vector<float> h(static_cast<size_t>(n)), above(h.size()), contribution(h.size());
  network.pad(image, 1, h.data());
  for (int64_t l = 0; l < layer; ++l) forward_layer(network, l, 1, h.data(), h.data());
  forward_layer(network, layer, 1, h.data(), above.data(), contribution.data());
  if (!all_finite(above) || !all_finite(contribution)) fail_not_finite("neuron_split", network, image, "the image");

  const std::vector<float> D = multiplied_delta(network, layer);
  NeuronSplit split;
  split.bias = network.bias(layer)[static_cast<size_t>(neuron)];
  split.contribution = contribution[static_cast<size_t>(neuron)];
  for (int64_t j = 0; j < n; ++j) split.terms.push_back(static_cast<double>(D[j * n + neuron]) * h[j]);
  return split;
}

std::vector<std::vector<NeuronTerm>> top_neurons(const Network& network, const Dataset& data, int64_t count,
                                                 int64_t batch) {
  const int64_t n = network.n();
  if (count < 1 || count > n) fail("top_neurons: count is ", count, "; give 1 to ", n);
  std::vector<Terms> layers;
  for (int64_t l = 0; l < network.layers(); ++l) layers.emplace_back(network, l);
  each_layer("top_neurons", network, data, batch, false, [&](const Chunk& chunk, const LayerChunk& layer) {
    if (layer.layer == 0) return;
    check_finite("top_neurons", network, data, chunk, layer.below);
    for (int64_t i = 0; i < chunk.rows; ++i) layers[layer.layer - 1].add(layer.below + i * n, chunk.labels[i]);
  });
  std::vector<std::vector<NeuronTerm>> found;
  for (Terms& terms : layers) found.push_back(terms.largest(count, data.count));
  return found;
}

}  // namespace idelta::nn
