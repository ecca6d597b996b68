// Single images, layer by layer: contribution map and class likelihood.
#include <algorithm>

#include "check_data.h"
#include "error.h"
#include "finite.h"
#include "idelta/nn.hpp"
#include "loss.h"

namespace idelta::nn {

std::vector<ImageDecomposition> decompose(const Network& network, const Dataset& data,
                                          std::span<const int64_t> indices) {
  check_data("decompose", data, network.options());
  const int64_t n = network.n(), pixels = data.pixels(), classes = network.options().classes;
  const auto count = static_cast<size_t>(classes);

  std::vector<float> h0(static_cast<size_t>(n));
  std::vector<std::vector<float>> outputs(static_cast<size_t>(network.layers()), std::vector<float>(h0.size()));
  std::vector<float*> output_rows;
  for (std::vector<float>& output : outputs) output_rows.push_back(output.data());
  std::vector<double> likelihoods(count);

  std::vector<ImageDecomposition> decompositions;
  for (const int64_t index : indices) {
    if (index < 0 || index >= data.count) {
      fail("decompose: image ", index, " of ", data.name, " is wanted; give 0 to ", data.count - 1);
    }
    ImageDecomposition& d = decompositions.emplace_back();
    d.index = index;
    d.label = data.labels[index];
    d.image.assign(data.images.begin() + index * pixels, data.images.begin() + (index + 1) * pixels);
    network.pad(d.image, 1, h0.data());
    network.forward(1, h0.data(), output_rows);
    if (first_layer_not_finite(output_rows, 1, n) >= 0) fail_not_finite("decompose", network, data, index);
    for (const std::vector<float>& h : outputs) {
      std::vector<float>& map = d.contribution_maps.emplace_back(static_cast<size_t>(pixels));
      std::transform(h.begin(), h.begin() + pixels, d.image.begin(), map.begin(), std::minus<float>());
      const std::span<const float> values(h.data() + pixels, count);
      softmax(values, likelihoods);
      d.class_likelihoods.emplace_back(likelihoods.begin(), likelihoods.end());
      d.predictions.push_back(static_cast<int>(argmax(values)));
    }
  }
  return decompositions;
}

}  // namespace idelta::nn
