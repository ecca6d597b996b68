// Contribution maps, contributions, steps and class likelihoods of every layer, image by image.
#include <algorithm>

#include "class_scores.h"
#include "passes.h"
#include "steps.h"

namespace idelta::nn {
namespace {

// Writes one layer of one row; the arrays are those of the layer and row, or null. False if something is not finite.
class RowWriter {
 public:
  explicit RowWriter(const Network& network)
      : n_(network.n()), pixels_(network.options().pixels()), scores_(static_cast<size_t>(network.options().classes)) {}

  bool write(const float* image, const float* h, const DecompositionArrays& to) {
    const std::span<const float> values(h + pixels_, scores_.likelihoods.size());
    if (to.features) std::copy_n(h, n_, to.features);
    if (to.logits) std::copy(values.begin(), values.end(), to.logits);
    if (to.contribution_maps) std::transform(h, h + pixels_, image, to.contribution_maps, std::minus<float>());
    if (to.class_likelihoods || to.final_likelihoods) scores_.read(values);
    for (float* const likelihoods : {to.class_likelihoods, to.final_likelihoods}) {
      if (likelihoods) std::copy(scores_.likelihoods.begin(), scores_.likelihoods.end(), likelihoods);
    }
    if (to.predictions) *to.predictions = static_cast<int32_t>(argmax(values));
    return all_finite({h, static_cast<size_t>(n_)});
  }

  template <class Act>
  bool write_steps(double a, const Act& act, const float* below, const float* contribution,
                   const DecompositionArrays& to) {
    const auto width = static_cast<size_t>(n_);
    if (to.contributions) std::copy_n(contribution, width, to.contributions);
    for (int64_t j = 0; j < n_; ++j) {
      const Step step = step_of(a, act, below[j], contribution[j]);
      if (to.activation_changes) to.activation_changes[j] = static_cast<float>(step.activation_change);
      if (to.steps) to.steps[j] = static_cast<float>(step.step);
    }
    return all_finite({contribution, width}) &&
           (!to.activation_changes || all_finite({to.activation_changes, width})) &&
           (!to.steps || all_finite({to.steps, width}));
  }

 private:
  int64_t n_, pixels_;
  Scores scores_;
};

template <class T>
T* offset(T* array, int64_t by) {
  return array ? array + by : nullptr;
}

// The arrays of one row in layer 1 .. L.
DecompositionArrays at(const DecompositionArrays& arrays, const NetworkOptions& options, int64_t layer, int64_t rows,
                       int64_t image) {
  const int64_t row = (layer - 1) * rows + image;
  const bool last = layer == options.layers;
  return {.contribution_maps = offset(arrays.contribution_maps, row * options.pixels()),
          .contributions = offset(arrays.contributions, row * options.n()),
          .activation_changes = offset(arrays.activation_changes, row * options.n()),
          .steps = offset(arrays.steps, row * options.n()),
          .class_likelihoods = offset(arrays.class_likelihoods, row * options.classes),
          .predictions = offset(arrays.predictions, row),
          .features = offset(arrays.features, row * options.n()),
          .logits = last ? offset(arrays.logits, image * options.classes) : nullptr,
          .final_likelihoods = last ? offset(arrays.final_likelihoods, image * options.classes) : nullptr};
}

// name(row): what to call an image in an error.
template <class Name>
void decompose_rows(const Network& network, int64_t rows, const float* images, const DecompositionArrays& arrays,
                    int64_t batch, const Name& name) {
  const NetworkOptions& options = network.options();
  const int64_t n = options.n(), pixels = options.pixels();
  const bool wants_steps = arrays.contributions || arrays.activation_changes || arrays.steps;
  RowWriter writer(network);
  std::vector<float> h0(static_cast<size_t>(std::min(batch, rows) * n));
  LayerWalk walk(network, wants_steps);
  for (int64_t first = 0; first < rows; first += batch) {
    const int64_t count = std::min(batch, rows - first);
    network.pad({images + first * pixels, static_cast<size_t>(count * pixels)}, count, h0.data());
    walk.run(count, h0.data(), network.layers(), [&](const LayerChunk& layer) {
      if (layer.layer == 0) return;
      with_activation(network, layer.layer - 1, [&](const auto& act) {
        for (int64_t i = 0; i < count; ++i) {
          const float* const image = images + (first + i) * pixels;
          const DecompositionArrays to = at(arrays, options, layer.layer, rows, first + i);
          const bool finite = writer.write(image, layer.above + i * n, to) &&
                              (!wants_steps || writer.write_steps(options.identity_scale, act, layer.below + i * n,
                                                                  layer.contribution + i * n, to));
          if (!finite) {
            fail_not_finite("decompose", network, {image, static_cast<size_t>(pixels)}, name(first + i));
          }
        }
      });
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
