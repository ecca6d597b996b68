// Statistics of layers over the test set.
#include <algorithm>
#include <cmath>
#include <optional>

#include "cli/inputs.h"
#include "cli/names.h"
#include "cli/table.h"
#include "gather.h"

namespace idelta::cli::report {
namespace {

constexpr int64_t kAlignedVectors = 10;
constexpr int64_t kTopNeurons = 5;
// Centres of the classes are means over as many training images as the probe is fitted on.
constexpr int64_t kSample = nn::kProbeImages;

// The largest ||D||_2 of the layers that have one after them; of a single layer its own.
double largest_hidden_norm(const nn::Evaluation& evaluation) {
  double largest = evaluation.layers.size() == 1 ? evaluation.layers[0].spectral_norm : 0;
  for (size_t l = 0; l + 1 < evaluation.layers.size(); ++l) {
    largest = std::max(largest, evaluation.layers[l].spectral_norm);
  }
  return largest;
}

// "pixel 12, 5" (row and column), "petal width", "class Sandal"
std::string neuron_name(const Subject& subject, int64_t neuron) {
  const nn::NetworkOptions& options = subject.network.options();
  const int64_t pixels = options.pixels();
  if (neuron >= pixels) return "class " + subject.class_name(neuron - pixels);
  if (!subject.pictures()) return subject.feature_names[static_cast<size_t>(neuron)];
  return format("pixel %lld, %lld", (long long)(neuron / options.width), (long long)(neuron % options.width));
}

nn::WeightGeometry weigh(const Subject& subject, Stopwatch& watch) {
  return watch.measure("singular values", [&](const nn::PartDone& done) {
    return nn::weight_geometry(subject.network, std::min(kAlignedVectors, subject.network.n()), done);
  });
}

void add_geometry(const Subject& subject, const nn::WeightGeometry& weights, Json& document, Stopwatch& watch) {
  const nn::Dataset sample = nn::head(subject.train ? *subject.train : subject.test, kSample);
  const std::vector<nn::FeatureReport> features = watch.measure("geometry of features", [&](const nn::PartDone& done) {
    return nn::feature_reports(subject.network, subject.test, sample, kBatch, done);
  });
  const auto add_features = [](Json& layer, const nn::FeatureReport& report) {
    layer["effective_rank_of_features"] = report.effective_rank;
    layer["separation"] = report.separation;
    layer["nearest_centre_accuracy"] = report.nearest_centre_accuracy;
  };
  add_features(document["input"], features[0]);
  for (size_t l = 0; l < weights.layers.size(); ++l) {
    Json& layer = document["layers"][l];
    layer["cosine_to_identity"] = weights.layers[l].cosine_to_identity;
    layer["effective_rank_of_delta"] = weights.layers[l].effective_rank;
    add_features(layer, features[l + 1]);
  }
  document["centres"] = {{"of", subject.train ? "training images" : "test images"}, {"images", sample.count}};
  document["alignment"] = {{"vectors", weights.alignment.vectors},
                           {"random", weights.alignment.random},
                           {"left", weights.alignment.left},
                           {"right", weights.alignment.right}};
}

void add_neurons(const Subject& subject, Json& document, Stopwatch& watch) {
  const auto ranking = watch.measure("neurons", [&](const nn::PartDone&) {
    return nn::top_neurons(subject.network, subject.test, std::min(kTopNeurons, subject.network.n()));
  });
  Json layers = Json::array();
  for (size_t l = 0; l < ranking.size(); ++l) {
    for (size_t rank = 0; rank < ranking[l].size(); ++rank) {
      const nn::NeuronTerm& term = ranking[l][rank];
      layers.push_back({{"layer", l + 1},
                        {"rank", rank + 1},
                        {"neuron", term.neuron},
                        {"name", neuron_name(subject, term.neuron)},
                        {"mean_magnitude", term.mean_magnitude},
                        {"mean", term.mean}});
    }
  }
  document["neurons"] = layers;
}

// The accuracy of every layer over the networks of the study.
void add_study(const Subject& subject, Json& document) {
  if (!subject.study) return;
  const nn::StudyBands bands = nn::summarise(*subject.study, subject.network.layers());
  if (bands.networks == 0) return;
  for (size_t l = 0; l < bands.accuracy.size(); ++l) {
    document["layers"][l]["accuracy_over_seeds"] = {{"mean", bands.accuracy[l].mean},
                                                    {"least", bands.accuracy[l].least},
                                                    {"most", bands.accuracy[l].most},
                                                    {"deviation", bands.accuracy[l].deviation}};
  }
  document["study"] = {{"networks", bands.networks},
                       {"test_accuracy", bands.test_accuracy.mean},
                       {"test_accuracy_deviation", bands.test_accuracy.deviation},
                       {"largest_hidden_norm", bands.largest_hidden_norm}};
}

// Label randomisation: networks of the study that learned permuted labels.
void add_permuted(const Subject& subject, Json& document) {
  if (!subject.study) return;
  const nn::StudyBands bands = nn::summarise(*subject.study, subject.network.layers(), nn::StudyLabels::kShuffled);
  if (bands.networks == 0) return;
  double most = 0;
  for (size_t l = 0; l < bands.accuracy.size(); ++l) {
    document["layers"][l]["accuracy_of_permuted_labels"] = bands.accuracy[l].mean;
    most = std::max(most, bands.accuracy[l].most);
  }
  document["permuted_labels"] = {{"networks", bands.networks}, {"most_accuracy", most}};
}

}  // namespace

Json column(const Json& array, const std::string& key) {
  Json values = Json::array();
  for (const Json& entry : array) values.push_back(entry.contains(key) ? entry[key] : Json(nullptr));
  return values;
}

double largest_entry(const Json& values) {
  double most = 0;
  for (const Json& value : values) {
    if (value.is_number()) most = std::max(most, std::fabs(value.get<double>()));
  }
  return most;
}

void add_subject(const Subject& subject, Json& document) {
  const nn::NetworkOptions& options = subject.network.options();
  document["network"] = {{"layers", options.layers},
                         {"n", options.n()},
                         {"inputs", options.pixels()},
                         {"height", options.height},
                         {"width", options.width},
                         {"classes", options.classes},
                         {"activation", activation_name(options.activation)},
                         {"identity_scale", options.identity_scale},
                         {"class_padding", options.class_padding}};
  const nn::Settings& training = subject.network.trained_with().settings;
  if (!training.empty()) document["network"]["training"] = training;
  document["data"] = {
      {"name", subject.test.name}, {"test_images", subject.test.count}, {"class_names", subject.class_names}};
  document["data"]["inputs"] = subject.pictures() ? "pictures" : "features";
  if (!subject.pictures()) document["data"]["feature_names"] = subject.feature_names;
}

nn::Evaluation evaluate(const Subject& subject, std::vector<nn::ReadOut>& read_outs, Stopwatch& watch) {
  return watch.measure("read-outs of all layers", [&](const nn::PartDone& done) {
    return nn::evaluate(subject.network, subject.test,
                        {.norms = subject.quick, .read_outs = &read_outs, .progress = done});
  });
}

void add_layers(const Subject& subject, nn::Evaluation& evaluation, Json& document, Stopwatch& watch) {
  std::optional<nn::WeightGeometry> weights;
  if (!subject.quick) weights = weigh(subject, watch);
  for (size_t l = 0; weights && l < evaluation.layers.size(); ++l) {
    evaluation.layers[l].spectral_norm = weights->layers[l].spectral_norm;
    evaluation.layers[l].frobenius_ratio = weights->layers[l].frobenius_ratio;
  }
  const nn::Closure closure = evaluation.worst_closure();
  document["summary"] = {{"test_accuracy", evaluation.layers.back().accuracy},
                         {"largest_hidden_norm", largest_hidden_norm(evaluation)},
                         {"completeness_ulp", closure.sum_ulp},
                         {"completeness_bound_ulp", closure.bound_ulp},
                         {"layer_residual_ulp", closure.layer_ulp},
                         {"layer_residual_share", closure.layer_share},
                         {"complete", evaluation.closes()},
                         {"telescoping_error", evaluation.telescoping_error}};
  document["input"] = {{"accuracy", evaluation.input_accuracy}};
  Json layers = Json::array();
  for (size_t l = 0; l < evaluation.layers.size(); ++l) layers.push_back(layer_json(evaluation, l));
  document["layers"] = layers;
  add_study(subject, document);
  add_permuted(subject, document);
  if (weights) {
    add_roles(subject, evaluation, document, watch);
    add_geometry(subject, *weights, document, watch);
  }
  add_neurons(subject, document, watch);
}

}  // namespace idelta::cli::report
