#include "decomposition_writer.h"

#include <algorithm>

#include "steps.h"

namespace idelta::nn {
namespace {

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

}  // namespace

DecompositionWriter::DecompositionWriter(const Network& network, const DecompositionArrays& arrays)
    : network_(network), arrays_(arrays), scores_(static_cast<size_t>(network.options().classes)) {}

bool DecompositionWriter::wants_steps() const {
  return arrays_.contributions || arrays_.activation_changes || arrays_.steps;
}

bool DecompositionWriter::wants_anything() const {
  return wants_steps() || arrays_.contribution_maps || arrays_.class_likelihoods || arrays_.predictions ||
         arrays_.features || arrays_.logits || arrays_.final_likelihoods;
}

bool DecompositionWriter::write_output(const float* image, const float* h, const DecompositionArrays& to) {
  const int64_t pixels = network_.options().pixels();
  const std::span<const float> values(h + pixels, scores_.likelihoods.size());
  if (to.features) std::copy_n(h, network_.n(), to.features);
  if (to.logits) std::copy(values.begin(), values.end(), to.logits);
  if (to.contribution_maps) std::transform(h, h + pixels, image, to.contribution_maps, std::minus<float>());
  if (to.class_likelihoods || to.final_likelihoods) scores_.read(values);
  for (float* const likelihoods : {to.class_likelihoods, to.final_likelihoods}) {
    if (likelihoods) std::copy(scores_.likelihoods.begin(), scores_.likelihoods.end(), likelihoods);
  }
  if (to.predictions) *to.predictions = static_cast<int32_t>(argmax(values));
  return all_finite({h, static_cast<size_t>(network_.n())});
}

template <class Act>
bool DecompositionWriter::write_steps(const Act& act, const float* below, const float* contribution,
                                      const DecompositionArrays& to) const {
  const double a = network_.options().identity_scale;
  const auto width = static_cast<size_t>(network_.n());
  if (to.contributions) std::copy_n(contribution, width, to.contributions);
  for (size_t j = 0; j < width; ++j) {
    const Step step = step_of(a, act, below[j], contribution[j]);
    if (to.activation_changes) to.activation_changes[j] = static_cast<float>(step.activation_change);
    if (to.steps) to.steps[j] = static_cast<float>(step.step);
  }
  return all_finite({contribution, width}) && (!to.activation_changes || all_finite({to.activation_changes, width})) &&
         (!to.steps || all_finite({to.steps, width}));
}

int64_t DecompositionWriter::write(const LayerChunk& layer, int64_t count, const float* images, int64_t rows,
                                   int64_t first) {
  if (layer.layer == 0) return -1;
  const NetworkOptions& options = network_.options();
  const int64_t n = options.n(), pixels = options.pixels();
  int64_t bad = -1;
  with_activation(network_, layer.layer - 1, [&](const auto& act) {
    for (int64_t i = 0; i < count && bad < 0; ++i) {
      const DecompositionArrays to = at(arrays_, options, layer.layer, rows, first + i);
      const bool finite = write_output(images + i * pixels, layer.above + i * n, to) &&
                          (!wants_steps() || write_steps(act, layer.below + i * n, layer.contribution + i * n, to));
      if (!finite) bad = i;
    }
  });
  return bad;
}

}  // namespace idelta::nn
