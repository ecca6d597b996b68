// Class maps: a logit taken apart along the affine map that the network is for one image.
#include <algorithm>
#include <cmath>

#include "error.h"
#include "finite.h"
#include "idelta/nn.hpp"
#include "passes.h"
#include "steps.h"

namespace idelta::nn {
namespace {

// What the z of all layers of a chunk may take.
constexpr int64_t kMostBytes = 64 << 20;

// Some rows forward through the layers, which leaves z of each, and back along the pattern that z selects.
class Propagation {
 public:
  Propagation(const Network& network, int64_t rows)
      : network_(network),
        n_(network.n()),
        h_(static_cast<size_t>(rows * n_)),
        z_(static_cast<size_t>(network.layers()), std::vector<float>(h_.size())),
        gradient_(h_.size()),
        rests_(static_cast<size_t>(rows)),
        first_delta_(static_cast<size_t>(n_ * n_)) {
    network.packed(0).unpack(first_delta_.data(), n_);
  }

  // The first row of which something is not finite in the first layer where that is so; -1: none.
  int64_t forward(int64_t rows, std::span<const float> images) {
    network_.pad(images, rows, h_.data());
    std::vector<float> above(static_cast<size_t>(rows * n_));
    for (int64_t l = 0; l < network_.layers(); ++l) {
      float* const z = z_[l].data();  // first the contribution
      forward_layer(network_, l, rows, h_.data(), above.data(), z);
      const double a = network_.options().identity_scale;
      for (int64_t i = 0; i < rows * n_; ++i) z[i] = static_cast<float>(a * h_[i] + z[i]);
      std::copy(above.begin(), above.end(), h_.begin());
      for (int64_t i = 0; i < rows; ++i) {
        const auto width = static_cast<size_t>(n_);
        if (!all_finite({z + i * n_, width}) || !all_finite({h_.data() + i * n_, width})) return i;
      }
    }
    return -1;
  }

  // After forward(): leaves d logit_c / d h^0 of each row's class and what of the logit does not come from h^0.
  void backward(int64_t rows, const int* classes) {
    const int64_t pixels = network_.options().pixels();
    std::fill_n(gradient_.begin(), rows * n_, 0.0f);
    std::fill_n(rests_.begin(), rows, 0.0);
    for (int64_t i = 0; i < rows; ++i) gradient_[i * n_ + pixels + classes[i]] = 1;
    for (int64_t l = network_.layers() - 1; l >= 0; --l) {
      through_activation(l, rows);
      through_weights(l, rows);
    }
  }

  const float* gradient(int64_t row) const { return gradient_.data() + row * n_; }
  double rest(int64_t row) const { return rests_[row]; }
  float logit(int64_t row, int class_index) const { return h_[row * n_ + network_.options().pixels() + class_index]; }

 private:
  void through_activation(int64_t layer, int64_t rows) {
    const std::span<const float> bias = network_.bias(layer);
    with_activation(network_, layer, [&](const auto& act) {
      for (int64_t i = 0; i < rows; ++i) {
        const float* const z = z_[layer].data() + i * n_;
        float* const gradient = gradient_.data() + i * n_;
        for (int64_t j = 0; j < n_; ++j) {
          rests_[i] += static_cast<double>(gradient[j]) * act.offset(z[j]);
          gradient[j] *= static_cast<float>(act.gain(z[j]));
          rests_[i] += static_cast<double>(gradient[j]) * bias[j];
        }
      }
    });
  }

  // The gradient by z becomes that by the layer's input.
  void through_weights(int64_t layer, int64_t rows) {
    if (layer > 0) {
      network_.packed(layer).backward_data(
          {.m = rows, .dy = gradient_.data(), .lddy = n_, .dx = gradient_.data(), .lddx = n_});
      return;
    }
    // The first layer is packed for forward passes only.
    std::vector<float> input(static_cast<size_t>(rows * n_));
    check(idelta_sidmm(network_.context().get(), 1, rows, n_, 1.0f, network_.options().identity_scale, gradient_.data(),
                       n_, first_delta_.data(), n_, 0.0f, input.data(), n_));
    std::copy(input.begin(), input.end(), gradient_.begin());
  }

  const Network& network_;
  int64_t n_;
  std::vector<float> h_;
  std::vector<std::vector<float>> z_;  // L of rows x n
  std::vector<float> gradient_;
  std::vector<double> rests_;
  std::vector<float> first_delta_;
};

// J_cp x_p of each pixel into `map`; returns the rest, with the share of the padding.
double split_input(const NetworkOptions& options, const float* gradient, double rest, const float* image,
                   std::vector<float>& map) {
  const int64_t pixels = options.pixels();
  std::transform(image, image + pixels, gradient, map.begin(), std::multiplies<float>());
  for (int64_t j = pixels; j < options.n(); ++j) rest += static_cast<double>(gradient[j]) * options.class_padding;
  return rest;
}

}  // namespace

void class_maps(const Network& network, int64_t rows, const float* images, const int* classes,
                const ClassMapArrays& arrays, int64_t batch) {
  const NetworkOptions& options = network.options();
  if (rows < 0) fail("class_maps: rows is ", rows, "; give 0 or more");
  if (batch < 1) fail("class_maps: batch is ", batch, "; give 1 or more");
  for (int64_t i = 0; i < rows; ++i) {
    if (classes[i] < 0 || classes[i] >= options.classes) {
      fail("class_maps: the class of image ", i, " is ", classes[i], "; give 0 to ", options.classes - 1);
    }
  }
  if (rows == 0) return;
  const int64_t pixels = options.pixels(), row_bytes = network.layers() * options.n() * int64_t{sizeof(float)};
  batch = std::min({batch, rows, std::max<int64_t>(1, kMostBytes / row_bytes)});
  Propagation propagation(network, batch);
  std::vector<float> map(static_cast<size_t>(pixels));
  for (int64_t first = 0; first < rows; first += batch) {
    const int64_t count = std::min(batch, rows - first);
    const float* const chunk = images + first * pixels;
    const int64_t bad = propagation.forward(count, {chunk, static_cast<size_t>(count * pixels)});
    if (bad >= 0) {
      fail_not_finite("class_maps", network, {chunk + bad * pixels, static_cast<size_t>(pixels)},
                      sentence("image ", first + bad));
    }
    propagation.backward(count, classes + first);
    for (int64_t i = 0; i < count; ++i) {
      const double rest = split_input(options, propagation.gradient(i), propagation.rest(i), chunk + i * pixels, map);
      if (!all_finite(map) || !std::isfinite(rest)) {
        throw NotFinite(sentence("class_maps: the map of image ", first + i,
                                 " is not finite: the parameters are too large; train the network with a lower "
                                 "learning rate"));
      }
      if (arrays.maps) std::copy(map.begin(), map.end(), arrays.maps + (first + i) * pixels);
      if (arrays.rests) arrays.rests[first + i] = rest;
      if (arrays.logits) arrays.logits[first + i] = propagation.logit(i, classes[first + i]);
    }
  }
}

ClassMap class_map(const Network& network, std::span<const float> image, int class_index) {
  ClassMap found;
  found.map.resize(static_cast<size_t>(network.options().pixels()));
  if (image.size() != found.map.size()) {
    fail("class_map: the image has ", image.size(), " entries; give ", found.map.size());
  }
  class_maps(network, 1, image.data(), &class_index,
             {.maps = found.map.data(), .rests = &found.rest, .logits = &found.logit}, 1);
  return found;
}

}  // namespace idelta::nn
