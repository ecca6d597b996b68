// Contribution maps, contributions, steps and class likelihoods of every layer, image by image.
#include <algorithm>

#include "decomposition_writer.h"
#include "passes.h"

namespace idelta::nn {
namespace {

// name(row): what to call an image in an error.
template <class Name>
void decompose_rows(const Network& network, int64_t rows, const float* images, const DecompositionArrays& arrays,
                    int64_t batch, const Name& name) {
  const int64_t n = network.n(), pixels = network.options().pixels();
  DecompositionWriter writer(network, arrays);
  std::vector<float> h0(static_cast<size_t>(std::min(batch, rows) * n));
  LayerWalk walk(network, writer.wants_steps());
  for (int64_t first = 0; first < rows; first += batch) {
    const int64_t count = std::min(batch, rows - first);
    const float* const chunk = images + first * pixels;
    network.pad({chunk, static_cast<size_t>(count * pixels)}, count, h0.data());
    walk.run(count, h0.data(), network.layers(), [&](const LayerChunk& layer) {
      const int64_t bad = writer.write(layer, count, chunk, rows, first);
      if (bad < 0) return;
      fail_not_finite("decompose", network, {chunk + bad * pixels, static_cast<size_t>(pixels)}, name(first + bad));
    });
  }
}

}  // namespace

void decompose(const Network& network, int64_t rows, const float* images, const DecompositionArrays& arrays,
               int64_t batch) {
  if (rows < 0) fail("decompose: rows is ", rows, "; give 0 or more");
  if (batch < 1) fail("decompose: batch is ", batch, "; give 1 or more");
  decompose_rows(network, rows, images, arrays, batch, [](int64_t row) { return sentence("image ", row); });
}

std::vector<ImageDecomposition> decompose(const Network& network, const Dataset& data,
                                          std::span<const int64_t> indices) {
  check_data("decompose", data, network.options());
  const auto layers = static_cast<size_t>(network.layers()), n = static_cast<size_t>(network.n());
  const auto pixels = static_cast<size_t>(data.pixels()), classes = n - pixels;
  const auto pieces = [layers](const std::vector<float>& all, size_t size) {
    std::vector<std::vector<float>> found;
    for (size_t l = 0; l < layers; ++l) found.emplace_back(all.begin() + l * size, all.begin() + (l + 1) * size);
    return found;
  };
  std::vector<float> maps(layers * pixels), contributions(layers * n), changes(layers * n), steps(layers * n),
      likelihoods(layers * classes);
  std::vector<int32_t> predictions(layers);

  std::vector<ImageDecomposition> decompositions;
  for (const int64_t index : indices) {
    if (index < 0 || index >= data.count) {
      fail("decompose: image ", index, " of ", data.name, " is wanted; give 0 to ", data.count - 1);
    }
    ImageDecomposition& d = decompositions.emplace_back();
    d.index = index;
    d.label = data.labels[index];
    d.image.assign(data.images.begin() + index * data.pixels(), data.images.begin() + (index + 1) * data.pixels());
    decompose_rows(network, 1, d.image.data(),
                   {.contribution_maps = maps.data(),
                    .contributions = contributions.data(),
                    .activation_changes = changes.data(),
                    .steps = steps.data(),
                    .class_likelihoods = likelihoods.data(),
                    .predictions = predictions.data()},
                   1, [&](int64_t) { return sentence("image ", index, " of ", data.name); });
    d.contribution_maps = pieces(maps, pixels);
    d.contributions = pieces(contributions, n);
    d.activation_changes = pieces(changes, n);
    d.steps = pieces(steps, n);
    d.class_likelihoods = pieces(likelihoods, classes);
    d.predictions.assign(predictions.begin(), predictions.end());
  }
  return decompositions;
}

}  // namespace idelta::nn
