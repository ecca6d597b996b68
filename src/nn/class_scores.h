// What the class dimensions of the rows of a chunk say in every layer.
#ifndef IDELTA_NN_CLASS_SCORES_H
#define IDELTA_NN_CLASS_SCORES_H

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "loss.h"
#include "passes.h"

namespace idelta::nn {

// The class dimensions of one row in one layer, and their softmax.
struct Scores {
  std::span<const float> values;    // C
  std::vector<double> likelihoods;  // C
  double log_sum = 0;               // log of the sum of exp(values): log likelihood_c = values[c] - log_sum

  explicit Scores(size_t classes) : likelihoods(classes) {}

  void read(std::span<const float> from) {
    values = from;
    log_sum = softmax(values, likelihoods);
  }
  double log_likelihood(size_t c) const { return values[c] - log_sum; }
  size_t prediction() const { return static_cast<size_t>(argmax(values)); }
  // The class less the largest of the others.
  double margin(size_t c) const {
    float other = -HUGE_VALF;
    for (size_t k = 0; k < values.size(); ++k) {
      if (k != c) other = std::max(other, values[k]);
    }
    return static_cast<double>(values[c]) - other;
  }
};

// Copies of the class dimensions of h^0 .. h^L of a chunk: little, and all that many read-outs need of the layers below
// once the last is known.
class ClassDimensions {
 public:
  explicit ClassDimensions(const Network& network)
      : n_(network.n()), classes_(network.options().classes), layers_(static_cast<size_t>(network.layers()) + 1) {}

  void keep(const LayerChunk& layer, int64_t rows) {
    std::vector<float>& values = layers_[static_cast<size_t>(layer.layer)];
    values.resize(static_cast<size_t>(rows * classes_));
    for (int64_t i = 0; i < rows; ++i) {
      std::copy_n(layer.above + (i + 1) * n_ - classes_, classes_, values.data() + i * classes_);
    }
  }
  // layer: 0 .. L.
  std::span<const float> row(size_t layer, int64_t i) const {
    return {layers_[layer].data() + i * classes_, static_cast<size_t>(classes_)};
  }

 private:
  int64_t n_, classes_;
  std::vector<std::vector<float>> layers_;
};

// The first layer, 1 .. L, from which on all predictions (of h^1 .. h^L) are the last one.
template <class Predictions>
int64_t first_final_layer(const Predictions& predictions) {
  size_t first = predictions.size();
  while (first > 1 && predictions[first - 2] == predictions.back()) --first;
  return static_cast<int64_t>(first);
}

}  // namespace idelta::nn

#endif  // IDELTA_NN_CLASS_SCORES_H
