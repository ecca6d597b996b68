// The chosen images through the network and through controls.
#include <algorithm>
#include <cmath>

#include "gather.h"

namespace idelta::cli::report {
namespace {

constexpr uint64_t kControlSeed = 1;

double norm(std::span<const float> values) {
  double sum = 0;
  for (const float value : values) sum += double(value) * double(value);
  return std::sqrt(sum);
}

Json layers_json(const Subject& subject, const nn::ImageDecomposition& image) {
  const auto pixels = static_cast<size_t>(subject.network.options().pixels());
  Json layers = Json::array();
  for (size_t l = 0; l < image.predictions.size(); ++l) {
    const std::vector<float>& map = image.contribution_maps[l];
    const auto [low, high] = std::minmax_element(map.begin(), map.end());
    const auto predicted = static_cast<size_t>(image.predictions[l]);
    layers.push_back({{"layer", l + 1},
                      {"prediction", image.predictions[l]},
                      {"likelihood", image.class_likelihoods[l][predicted]},
                      {"class_likelihood", image.class_likelihoods[l]},
                      {"map_norm", norm(map)},
                      {"map_least", *low},
                      {"map_greatest", *high},
                      {"step_largest", largest_magnitude(std::span(image.steps[l]).first(pixels))}});
  }
  return layers;
}

// The first layer (from 1) from which on the prediction is that of the last.
size_t settled_layer(const nn::ImageDecomposition& image) {
  size_t layer = image.predictions.size();
  while (layer > 1 && image.predictions[layer - 2] == image.predictions.back()) --layer;
  return layer;
}

std::vector<int64_t> indices(const Subject& subject) {
  std::vector<int64_t> list;
  for (const Chosen& chosen : subject.chosen) list.push_back(chosen.index);
  return list;
}

}  // namespace

double largest_magnitude(std::span<const float> values) {
  double most = 0;
  for (const float value : values) most = std::max(most, std::fabs(double(value)));
  return most;
}

Decompositions decompose(const Subject& subject, Stopwatch& watch) {
  Decompositions result;
  const std::vector<int64_t> chosen = indices(subject);
  watch.measure("maps of the chosen images", [&](const nn::PartDone&) {
    result.images = nn::decompose(subject.network, subject.test, chosen);
    for (const nn::ImageDecomposition& image : result.images) {
      result.class_maps.push_back(nn::class_map(subject.network, image.image, image.predictions.back()));
    }
  });
  watch.measure("maps of controls", [&](const nn::PartDone&) {
    const std::span<const int64_t> first = std::span(chosen).first(1);
    const auto add = [&](const char* name, const char* meaning, const nn::Network& control) {
      result.controls.push_back({name, meaning, nn::decompose(control, subject.test, first)[0]});
    };
    add("untrained", "D = 0: nothing is added", nn::untrained_control(subject.network));
    add("random D", "Gaussian D of the trained Frobenius norm",
        nn::random_control(subject.network, kControlSeed, nn::MatchedNorm::kFrobenius));
  });
  return result;
}

void add_images(const Subject& subject, const Decompositions& decompositions, Json& document) {
  Json images = Json::array();
  for (size_t i = 0; i < decompositions.images.size(); ++i) {
    const nn::ImageDecomposition& image = decompositions.images[i];
    const nn::ClassMap& class_map = decompositions.class_maps[i];
    double sum = class_map.rest;
    for (const float value : class_map.map) sum += double(value);
    images.push_back({{"index", image.index},
                      {"why", subject.chosen[i].why},
                      {"label", image.label},
                      {"label_name", subject.class_name(image.label)},
                      {"prediction", image.predictions.back()},
                      {"prediction_name", subject.class_name(image.predictions.back())},
                      {"settled_in_layer", settled_layer(image)},
                      {"image_norm", norm(image.image)},
                      {"logit", class_map.logit},
                      {"class_map_rest", class_map.rest},
                      {"class_map_largest", largest_magnitude(class_map.map)},
                      {"class_map_error", sum - double(class_map.logit)},
                      {"layers", layers_json(subject, image)}});
  }
  document["images"] = images;
  Json controls = Json::array();
  for (const Decompositions::Control& control : decompositions.controls) {
    controls.push_back({{"name", control.name},
                        {"meaning", control.meaning},
                        {"index", control.image.index},
                        {"label", control.image.label},
                        {"layers", layers_json(subject, control.image)}});
  }
  document["control_images"] = controls;
}

}  // namespace idelta::cli::report
