// The walk over a set that all dense implementations of a network share: a batch is padded, goes through all layers,
// and gives its labels.
#pragma once

#include <algorithm>
#include <vector>

#include "bench/implementations/loops.h"
#include "bench/network.h"

namespace idelta::bench {

class LayeredLabeller : public Labeller {
 public:
  LayeredLabeller(const NetworkProblem& problem, int64_t batch)
      : problem_(problem),
        batch_(std::min(batch, problem.images)),
        ping_(batch_ * problem.n),
        pong_(batch_ * problem.n) {}

  void run(int64_t images) override {
    labels_.resize(size_t(images));
    for (int64_t first = 0; first < images; first += batch_) {
      const int64_t rows = std::min(batch_, images - first);
      pad(rows, problem_.image_values + first * problem_.pixels, ping_.data());
      const float* outputs = forward(rows);
      for (int64_t i = 0; i < rows; ++i) {
        labels_[size_t(first + i)] = argmax(outputs + i * problem_.n + problem_.pixels, problem_.classes);
      }
    }
  }
  const std::vector<uint8_t>& labels() const override { return labels_; }

 protected:
  // h^0 of rows images.
  virtual void pad(int64_t rows, const float* images, float* h0) {
    loops::pad(rows, problem_.pixels, problem_.n, images, problem_.class_padding, h0);
  }
  // h^L from h^0 in ping_: layer l reads input(l) and writes output(l).
  virtual const float* forward(int64_t rows) = 0;

  float* input(int64_t layer) { return layer % 2 == 0 ? ping_.data() : pong_.data(); }
  float* output(int64_t layer) { return input(layer + 1); }

  const NetworkProblem& problem_;
  const int64_t batch_;

 private:
  Buffer ping_, pong_;
  std::vector<uint8_t> labels_;
};

// How the identity is brought in: W = a I + D, or x apart from D + (a - 1) I.
enum class Identity { kInWeights, kApart };

inline Buffer weights_of(const NetworkProblem& problem, int64_t layer, Identity identity) {
  Buffer weights;
  weights.copy_from(problem.delta[size_t(layer)]);
  const float diagonal = problem.identity_scale - (identity == Identity::kApart ? 1.0f : 0.0f);
  for (int64_t i = 0; i < problem.n; ++i) weights[i * problem.n + i] += diagonal;
  return weights;
}

}  // namespace idelta::bench
