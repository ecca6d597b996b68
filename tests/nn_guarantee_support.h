// What attacks on the guarantee of predict() share: the network in fp64, a row's way through a form and through the
// dense network with every bound that is claimed, images on the decision boundary, and networks worth attacking.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "nn/guarantee.h"
#include "nn_support.h"
#include "support/low_rank.h"

namespace idelta_test {

// A network in fp64: what it means, but for roundings of 2^-53.
class ExactNetwork {
 public:
  explicit ExactNetwork(const nn::Network& network) : n_(network.n()), pixels_(network.options().pixels()) {
    const double a = static_cast<double>(network.options().identity_scale);
    for (int64_t l = 0; l < network.layers(); ++l) {
      const std::vector<float> D = network.delta(l);
      Layer& layer = layers_.emplace_back(
          Layer{{D.begin(), D.end()}, {network.bias(l).begin(), network.bias(l).end()}, network.activation(l)});
      for (int64_t i = 0; i < n_; ++i) layer.W[static_cast<size_t>(i * n_ + i)] += a;
    }
  }

  // h^0 .. h^L of a padded image.
  std::vector<std::vector<double>> forward(std::span<const float> h0) const {
    std::vector<std::vector<double>> h{{h0.begin(), h0.end()}};
    for (const Layer& layer : layers_) {
      std::vector<double> z = layer.bias;
      for (int64_t k = 0; k < n_; ++k) {
        const double x = h.back()[static_cast<size_t>(k)];
        const double* const row = layer.W.data() + k * n_;
        for (int64_t j = 0; x != 0 && j < n_; ++j) z[static_cast<size_t>(j)] += x * row[j];
      }
      for (double& v : z) v = activate(layer.activation, v);
      h.push_back(std::move(z));
    }
    return h;
  }

  std::vector<double> logits(std::span<const float> h0) const {
    const std::vector<double> last = forward(h0).back();
    return {last.begin() + pixels_, last.end()};
  }

  // Of logit y - logit c by the pixels.
  std::vector<double> gradient(const std::vector<std::vector<double>>& h, size_t y, size_t c) const {
    std::vector<double> g(static_cast<size_t>(n_));
    g[static_cast<size_t>(pixels_) + y] = 1, g[static_cast<size_t>(pixels_) + c] = -1;
    for (size_t l = layers_.size(); l-- > 0;) {
      for (size_t j = 0; j < g.size(); ++j) g[j] *= activation_slope(layers_[l].activation, h[l + 1][j]);
      std::vector<double> before(g.size());
      for (size_t k = 0; k < g.size(); ++k) {
        for (size_t j = 0; j < g.size(); ++j) before[k] += layers_[l].W[k * g.size() + j] * g[j];
      }
      g = std::move(before);
    }
    g.resize(static_cast<size_t>(pixels_));
    return g;
  }

 private:
  struct Layer {
    std::vector<double> W, bias;
    idelta_activation activation;
  };
  int64_t n_, pixels_;
  std::vector<Layer> layers_;
};

template <class Float>
size_t largest(const std::vector<Float>& logits) {
  return static_cast<size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

inline std::vector<float> padded(const nn::Network& network, const nn::Dataset& data) {
  std::vector<float> h(static_cast<size_t>(data.count * network.n()));
  network.pad(data.images, data.count, h.data());
  return h;
}

// Logits of the dense F32 network (form kDense) or of a form, a vector an image; with a guarantee, which then knows the
// rows.
inline std::vector<std::vector<float>> logits_of(const nn::Network& network, const nn::Dataset& data, int64_t form,
                                                 nn::Guarantee* guarantee = nullptr) {
  const int64_t n = network.n(), m = data.count;
  std::vector<float> h = padded(network, data), errors(static_cast<size_t>(m)), norms(errors);
  if (form == nn::kDense) {
    const std::vector<float*> outputs(static_cast<size_t>(network.layers()), h.data());
    network.forward(m, h.data(), outputs);
  } else {
    if (guarantee) guarantee->start(m);
    for (int64_t l = 0; l < network.layers(); ++l) {
      const idelta::Delta* const packed = network.forms()->packed(static_cast<size_t>(form), l);
      (packed ? *packed : network.packed(l))
          .forward({.m = m,
                    .x = h.data(),
                    .ldx = n,
                    .bias = network.bias(l).data(),
                    .activation = network.activation(l),
                    .y = h.data(),
                    .ldy = n,
                    .row_error = errors.data(),
                    .row_norm = norms.data()});
      if (guarantee) guarantee->after(l, errors, norms);
    }
  }
  std::vector<std::vector<float>> logits;
  for (int64_t i = 0; i < m; ++i) {
    logits.emplace_back(h.begin() + i * n + network.options().pixels(), h.begin() + (i + 1) * n);
  }
  return logits;
}

// How near an attack came.
struct Closest {
  double of_bound = 0;      // largest |change of a difference of logits| / its bound, against the dense network
  double of_exact = 0;      // the same against fp64
  double flipped = 0;       // largest margin / bound of a form's label that is not the dense network's
  int64_t uncertified = 0;  // labels that no form settled
};

// Every claim about every image: of each form all differences of two logits, and what predict() says.
inline Closest expect_guaranteed(const nn::Network& network, const nn::Dataset& data) {
  Closest closest;
  const auto dense = logits_of(network, data, nn::kDense);
  const ExactNetwork reference(network);
  const std::vector<float> h0 = padded(network, data);
  std::vector<std::vector<double>> exact;
  for (int64_t i = 0; i < data.count; ++i) {
    exact.push_back(reference.logits({h0.data() + i * network.n(), static_cast<size_t>(network.n())}));
  }
  const size_t classes = static_cast<size_t>(network.options().classes);
  for (size_t f = 0; f < network.forms()->count(); ++f) {
    nn::Guarantee guarantee(network, f);
    const auto form = logits_of(network, data, static_cast<int64_t>(f), &guarantee);
    for (size_t i = 0; i < form.size(); ++i) {
      const auto off = [&](const auto& other, size_t y, size_t c) {
        return std::fabs((double(form[i][y]) - double(form[i][c])) - (double(other[y]) - double(other[c])));
      };
      for (size_t y = 0; y < classes; ++y) {
        for (size_t c = 0; c < y; ++c) {
          const double bound = guarantee.bound(static_cast<int64_t>(i), int64_t(y), int64_t(c));
          if (!std::isfinite(bound)) continue;
          EXPECT_LE(off(dense[i], y, c), bound) << "image " << i << ", form " << f << ", dense network";
          EXPECT_LE(off(exact[i], y, c), bound) << "image " << i << ", form " << f << ", fp64";
          closest.of_bound = std::max(closest.of_bound, off(dense[i], y, c) / bound);
          closest.of_exact = std::max(closest.of_exact, off(exact[i], y, c) / bound);
        }
      }
      const nn::FormLabel label = guarantee.label(static_cast<int64_t>(i), form[i].data());
      if (label.label != largest(dense[i])) {
        EXPECT_FALSE(label.certified()) << "image " << i << ", form " << f;
        closest.flipped = std::max(closest.flipped, double(label.margin) / double(label.bound));
      }
      if (label.certified()) {
        EXPECT_EQ(largest(exact[i]), size_t{label.label}) << "image " << i << ", form " << f << ", fp64";
      }
    }
  }
  const nn::Predictions predictions = nn::predict(network, data, {.guarantee = true});
  for (size_t i = 0; i < dense.size(); ++i) {
    EXPECT_EQ(largest(dense[i]), size_t{predictions.labels[i]}) << "image " << i;
    if (predictions.settled_by[i] == network.forms()->count()) {
      ++closest.uncertified;
    } else {
      EXPECT_EQ(largest(exact[i]), size_t{predictions.labels[i]}) << "image " << i << ", fp64";
      EXPECT_GT(predictions.margins[i], predictions.bounds[i]) << "image " << i;
    }
  }
  return closest;
}

// Moves every image to the nearest other class, as far as a linear network would need, again and again: after the first
// steps images lie as near to the boundary as pixels in fp32 let them. All stages of all images, one after the other.
inline nn::Dataset towards_the_boundary(const nn::Network& network, const nn::Dataset& data, int steps) {
  const ExactNetwork exact(network);
  nn::Dataset attacked = data, stages = data;
  for (int step = 0; step < steps; ++step) {
    const std::vector<float> h0 = padded(network, attacked);
    for (int64_t i = 0; i < data.count; ++i) {
      const auto h = exact.forward({h0.data() + i * network.n(), static_cast<size_t>(network.n())});
      std::vector<double> logits(h.back().begin() + data.pixels(), h.back().end());
      const size_t y = largest(logits);
      const double top = std::exchange(logits[y], -INFINITY);
      const size_t c = largest(logits);
      const std::vector<double> gradient = exact.gradient(h, y, c);
      double squares = 1e-30;
      for (const double g : gradient) squares += g * g;
      float* const image = attacked.images.data() + i * data.pixels();
      const double along = (top - logits[c]) / squares;
      for (size_t p = 0; p < gradient.size(); ++p) {
        image[p] = static_cast<float>(double(image[p]) - std::clamp(along * gradient[p], -1.0, 1.0));
      }
    }
    stages.images.insert(stages.images.end(), attacked.images.begin(), attacked.images.end());
    stages.labels.insert(stages.labels.end(), data.labels.begin(), data.labels.end());
    stages.count += data.count;
  }
  return stages;
}

// Of patterns(), trained a little.
inline nn::Network trained_network(const idelta::Context& context, const nn::NetworkOptions& options) {
  nn::Network network(context, options);
  const nn::Dataset data = patterns(400, 1);
  nn::TrainOptions how;
  how.epochs = 3;
  how.batch = 32;
  how.learning_rate = 0.06f / static_cast<float>(options.layers);
  nn::Trainer(network, data, how).run();
  return network;
}

// Random, with deltas whose singular values fall.
inline nn::Network random_network(const idelta::Context& context, const nn::NetworkOptions& options, double norm,
                                  uint64_t seed) {
  nn::Network network(context, options);
  const int64_t n = network.n();
  Random random(seed);
  for (int64_t l = 0; l < network.layers(); ++l) {
    const Matrix D(n, n);
    fill_spectrum(D, falling_spectrum(n, norm), random);
    std::vector<float> bias;
    for (int64_t j = 0; j < n; ++j) bias.push_back(random.uniform(-0.05f, 0.05f));
    network.set_layer(l, elements(D), bias);
  }
  return network;
}

// Forms of a network that nobody would choose: U (n x rank) and V (rank x n) of each layer as they are given, measured;
// no U: dense. The V of a tail takes the place of V.
struct LayerParts {
  int64_t rank = nn::kDense;
  std::vector<float> U, V;
  std::optional<nn::Forms::Tail> tail = {};
};
inline void set_made_form(nn::Network& network, const std::vector<LayerParts>& parts) {
  const int64_t n = network.n();
  const float a = network.options().identity_scale;
  nn::Form form{"made", {}, {}};
  std::vector<nn::Forms::Layer> layers;
  for (int64_t l = 0; l < network.layers(); ++l) {
    const LayerParts& part = parts[static_cast<size_t>(l)];
    const std::vector<float> D = network.delta(l);
    idelta::LowRankProof proof = IDELTA_LOW_RANK_PROOF_INIT;
    const idelta::Int8Tail integers =
        part.tail ? idelta::Int8Tail{part.tail->q.data(), n, part.tail->scales.data()} : idelta::Int8Tail{};
    if (part.rank != nn::kDense) {
      proof = idelta::low_rank_measure(network.context(), n, D.data(), n, part.rank, part.U.data(), part.rank,
                                       (part.tail ? part.tail->V : part.V).data(), n, part.tail ? &integers : nullptr);
    }
    form.ranks.push_back(part.rank);
    form.tails.push_back(part.tail ? IDELTA_TAIL_INT8 : IDELTA_TAIL_NONE);
    layers.push_back({.rank = std::max<int64_t>(part.rank, 0),
                      .U = part.U,
                      .V = part.V,
                      .bounds = {.norm = idelta::spectral_norm_bound(network.context(), n, D.data(), n, a),
                                 .delta_norm = idelta::spectral_norm_bound(network.context(), n, D.data(), n, 0),
                                 .dense_error = network.packed(l).info().certificate},
                      .proofs = {proof},
                      .tail = part.tail});
  }
  network.set_forms(std::make_shared<const nn::Forms>(network.context(), n, a, std::vector{form}, std::move(layers)));
}

inline std::shared_ptr<const nn::Forms> compressed(const nn::Network& network,
                                                   const nn::CompressOptions& options = {}) {
  return nn::compress(network, options, patterns(60, 5));
}

}  // namespace idelta_test
