// Means and spreads over the networks of a study.
#include <algorithm>
#include <cmath>
#include <utility>

#include "error.h"
#include "hash.h"
#include "idelta/nn.hpp"

namespace idelta::nn {
namespace {

// A layer may lose so much accuracy against the one below and still count as rising: what a test set of 10,000 images
// moves by chance is less.
constexpr double kSlack = 0.01;

// Schedules that were measured on Fashion-MNIST, for depths from `layers` on. The rate falls like 1 / L.
struct Schedule {
  int64_t layers;
  int64_t epochs, decay_epochs;
  double rate_of_network;
  idelta_format compute;
};
constexpr Schedule kSchedules[] = {
    {60, 4, 1, 0.05, IDELTA_FORMAT_BF16}, {20, 8, 3, 0.045, IDELTA_FORMAT_BF16}, {1, 3, 0, 0.03, IDELTA_FORMAT_F32}};

template <class Value>
Spread spread(const std::vector<const StudyNetwork*>& networks, const Value& value) {
  const auto count = static_cast<double>(networks.size());
  Spread s;
  s.least = HUGE_VAL;
  s.most = -HUGE_VAL;
  for (const StudyNetwork* network : networks) {
    const double v = value(*network);
    s.mean += v / count;
    s.least = std::min(s.least, v);
    s.most = std::max(s.most, v);
  }
  double squares = 0;
  for (const StudyNetwork* network : networks) squares += std::pow(value(*network) - s.mean, 2);
  if (networks.size() > 1) s.deviation = std::sqrt(squares / (count - 1));
  return s;
}

// Over the first `layers` layers.
bool rising(const StudyNetwork& network, size_t layers) {
  for (size_t l = 1; l < layers; ++l) {
    if (network.reports[l].accuracy < network.reports[l - 1].accuracy - kSlack) return false;
  }
  return true;
}

}  // namespace

std::string parameters_hash(const Network& network) {
  Hash hash;
  for (int64_t l = 0; l < network.layers(); ++l) {
    hash.add(network.delta(l));
    hash.add(network.bias(l));
  }
  return hex(hash.value());
}

TrainOptions study_defaults(int64_t layers) {
  if (layers < 1) fail("study_defaults: layers is ", layers, "; give 1 or more");
  const Schedule& schedule = *std::find_if(std::begin(kSchedules), std::end(kSchedules),
                                           [layers](const Schedule& s) { return layers >= s.layers; });
  TrainOptions options;
  options.epochs = schedule.epochs;
  options.decay_epochs = schedule.decay_epochs;
  options.learning_rate = static_cast<float>(schedule.rate_of_network / static_cast<double>(layers));
  options.compute = schedule.compute;
  return options;
}

std::vector<int64_t> depths(const Study& study) {
  std::vector<int64_t> found;
  for (const StudyNetwork& network : study.networks) found.push_back(network.layers);
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

StudyBands summarise(const Study& study, int64_t layers, StudyLabels labels) {
  std::vector<const StudyNetwork*> networks;
  for (const StudyNetwork& network : study.networks) {
    if (network.layers == layers && network.labels == labels) networks.push_back(&network);
  }
  StudyBands bands = {layers, labels, static_cast<int64_t>(networks.size())};
  if (networks.empty()) return bands;
  const auto depth = static_cast<size_t>(layers);
  for (size_t l = 0; l < depth; ++l) {
    const auto of_layer = [&](double LayerReport::*quantity) {
      return spread(networks, [&](const StudyNetwork& network) { return network.reports[l].*quantity; });
    };
    bands.accuracy.push_back(of_layer(&LayerReport::accuracy));
    bands.cross_entropy.push_back(of_layer(&LayerReport::cross_entropy));
    bands.spectral_norm.push_back(of_layer(&LayerReport::spectral_norm));
    bands.frobenius_ratio.push_back(of_layer(&LayerReport::frobenius_ratio));
    if (l + 1 < depth) bands.largest_hidden_norm = std::max(bands.largest_hidden_norm, bands.spectral_norm[l].most);
    if (l > 0 && l + 1 < depth) {
      bands.largest_inner_norm = std::max(bands.largest_inner_norm, bands.spectral_norm[l].most);
    }
  }
  bands.test_accuracy = bands.accuracy.back();
  bands.seconds = spread(networks, [](const StudyNetwork& network) { return network.seconds; });
  const auto all_rise = [&](size_t count) {
    return std::all_of(networks.begin(), networks.end(), [&](const auto* network) { return rising(*network, count); });
  };
  bands.rises = all_rise(depth);
  bands.hidden_rise = all_rise(depth - 1);
  return bands;
}

std::vector<StudyBands> summarise(const Study& study) {
  std::vector<StudyBands> all;
  for (const int64_t layers : depths(study)) {
    for (const StudyLabels labels : {StudyLabels::kTrue, StudyLabels::kShuffled}) {
      StudyBands bands = summarise(study, layers, labels);
      if (bands.networks > 0) all.push_back(std::move(bands));
    }
  }
  return all;
}

}  // namespace idelta::nn
