// A study as two files of one folder. study.json:
//   {"schema": "idelta-study", "version": 1, "data": .., "training_images": .., "test_images": ..,
//    "network": {options, without layers},
//    "networks": [{"file", "layers", "labels": "true" | "shuffled", "training": {options}, "seconds",
//                  "parameters_hash", "test_accuracy",
//                  "per_layer": [{"layer", "accuracy", "cross_entropy", "spectral_norm", "frobenius_ratio"}, ..]}, ..],
//    "bands": [{of each depth and labels: what summarise() gives}, ..]}
// study.csv has a row a network and layer. Only `networks` and what stands before it is read back.
#include <algorithm>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>

#include "error.h"
#include "files/input_file.h"
#include "files/rescue.h"
#include "idelta/nn.hpp"
#include "option_fields.h"
#include "shallow_json.h"

namespace idelta::nn {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr char kSchema[] = "idelta-study", kJsonName[] = "study.json", kCsvName[] = "study.csv";
constexpr int kVersion = 1;
constexpr uint64_t kMaxBytes = 100'000'000;
constexpr int kMostNested = 5;  // {"bands": [{"accuracy": [{"mean": ..}]}]}
constexpr const char* kLabels[] = {"true", "shuffled"};

const char* name_of(StudyLabels labels) { return kLabels[static_cast<size_t>(labels)]; }

// 0.003, not 0.003000000026077032, which is the same float.
Json json_of(float value) { return std::stod(text_of(value)); }
Json json_of(std::integral auto value) { return value; }
template <class Kind>
requires std::is_enum_v<Kind> Json json_of(Kind kind) { return text_of(kind); }

template <class Options>
Json options_json(const Options& options) {
  Json json = Json::object();
  visit_fields(options, [&](const char* name, const auto& field) { json[name] = json_of(field); });
  return json;
}

// Throws what nlohmann throws, or a sentence, without the file's name.
template <class Options>
Options read_options(const Json& json) {
  Options options;
  visit_fields(options, [&](const char* name, auto& field) {
    const Json& value = json.at(name);
    if (!read_text(value.is_string() ? value.get<std::string>() : value.dump(), field)) {
      fail("'", name, "' is ", value.dump(), ", ", known_texts(field));
    }
  });
  return options;
}

Json spread_json(const Spread& s) {
  return {{"mean", s.mean}, {"deviation", s.deviation}, {"least", s.least}, {"most", s.most}};
}

Json spreads_json(const std::vector<Spread>& spreads) {
  Json json = Json::array();
  for (const Spread& s : spreads) json.push_back(spread_json(s));
  return json;
}

Json bands_json(const StudyBands& bands) {
  return {{"layers", bands.layers},
          {"labels", name_of(bands.labels)},
          {"networks", bands.networks},
          {"test_accuracy", spread_json(bands.test_accuracy)},
          {"rises", bands.rises},
          {"hidden_rise", bands.hidden_rise},
          {"largest_hidden_norm", bands.largest_hidden_norm},
          {"largest_inner_norm", bands.largest_inner_norm},
          {"seconds", spread_json(bands.seconds)},
          {"accuracy", spreads_json(bands.accuracy)},
          {"cross_entropy", spreads_json(bands.cross_entropy)},
          {"spectral_norm", spreads_json(bands.spectral_norm)},
          {"frobenius_ratio", spreads_json(bands.frobenius_ratio)}};
}

Json network_json(const StudyNetwork& network) {
  Json layers = Json::array();
  for (size_t l = 0; l < network.reports.size(); ++l) {
    const LayerReport& report = network.reports[l];
    layers.push_back({{"layer", l + 1},
                      {"accuracy", report.accuracy},
                      {"cross_entropy", report.cross_entropy},
                      {"spectral_norm", report.spectral_norm},
                      {"frobenius_ratio", report.frobenius_ratio}});
  }
  return {{"file", network.file},
          {"layers", network.layers},
          {"labels", name_of(network.labels)},
          {"training", options_json(network.train)},
          {"seconds", network.seconds},
          {"parameters_hash", network.parameters_hash},
          {"test_accuracy", network.test_accuracy()},
          {"per_layer", std::move(layers)}};
}

StudyNetwork read_network(const Json& json) {
  StudyNetwork network;
  json.at("file").get_to(network.file);
  json.at("layers").get_to(network.layers);
  const auto labels = json.at("labels").get<std::string>();
  const auto* const known = std::find(std::begin(kLabels), std::end(kLabels), labels);
  if (known == std::end(kLabels)) fail("'labels' is '", labels, "'; known are 'true' and 'shuffled'");
  network.labels = static_cast<StudyLabels>(known - std::begin(kLabels));
  network.train = read_options<TrainOptions>(json.at("training"));
  json.at("seconds").get_to(network.seconds);
  json.at("parameters_hash").get_to(network.parameters_hash);
  for (const Json& layer : json.at("per_layer")) {
    LayerReport& report = network.reports.emplace_back();
    layer.at("accuracy").get_to(report.accuracy);
    layer.at("cross_entropy").get_to(report.cross_entropy);
    layer.at("spectral_norm").get_to(report.spectral_norm);
    layer.at("frobenius_ratio").get_to(report.frobenius_ratio);
  }
  if (network.layers < 1 || network.reports.size() != static_cast<size_t>(network.layers)) {
    fail("the network '", network.file, "' has ", network.layers, " layers, but ", network.reports.size(),
         " are described");
  }
  return network;
}

Study parse(const std::string& text) {
  const auto json = parse_shallow<Json>(text, kMostNested);
  if (!json.is_object() || json.value("schema", "") != kSchema) fail("'schema' is not '", kSchema, "'");
  if (const int version = json.at("version").get<int>(); version != kVersion) {
    fail("'version' is ", version, "; only ", kVersion, " is read");
  }
  Study study;
  json.at("data").get_to(study.data);
  json.at("training_images").get_to(study.training_images);
  json.at("test_images").get_to(study.test_images);
  Json network = json.at("network");
  network["layers"] = study.network.layers;
  study.network = read_options<NetworkOptions>(network);
  for (const Json& each : json.at("networks")) study.networks.push_back(read_network(each));
  return study;
}

std::string json_text(const Study& study) {
  Json network = options_json(study.network);
  network.erase("layers");
  Json json = {{"schema", kSchema},
               {"version", kVersion},
               {"data", study.data},
               {"training_images", study.training_images},
               {"test_images", study.test_images},
               {"network", std::move(network)},
               {"networks", Json::array()},
               {"bands", Json::array()}};
  for (const StudyNetwork& each : study.networks) json["networks"].push_back(network_json(each));
  for (const StudyBands& bands : summarise(study)) json["bands"].push_back(bands_json(bands));
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string csv_text(const Study& study) {
  std::string text =
      "file,layers,labels,seed,layer,accuracy,cross_entropy,spectral_norm,frobenius_ratio,test_accuracy,seconds\n";
  for (const StudyNetwork& network : study.networks) {
    for (size_t l = 0; l < network.reports.size(); ++l) {
      const LayerReport& r = network.reports[l];
      text += sentence(network.file, ",", network.layers, ",", name_of(network.labels), ",", network.train.seed, ",",
                       l + 1, ",", text_of(r.accuracy), ",", text_of(r.cross_entropy), ",", text_of(r.spectral_norm),
                       ",", text_of(r.frobenius_ratio), ",", text_of(network.test_accuracy()), ",",
                       text_of(network.seconds), "\n");
    }
  }
  return text;
}

}  // namespace

Study read_study(const std::string& path) {
  std::error_code unknown;  // which reading tells
  const std::string file_path = fs::is_directory(path, unknown) ? (fs::path(path) / kJsonName).string() : path;
  const files::InputFile file(file_path);
  if (file.size() > kMaxBytes) fail(file_path, ": has ", file.size(), " bytes, which no study has; name a study.json");
  std::string text(file.size(), '\0');
  text.resize(file.read_at(0, text.data(), text.size()));
  try {
    return parse(text);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& e) {
    fail(file_path, ": ", e.what(), "; it is damaged, or no study that idelta wrote");
  }
}

void write_study(const std::string& folder, const Study& study) {
  files::write_text((fs::path(folder) / kJsonName).string(), json_text(study));
  files::write_text((fs::path(folder) / kCsvName).string(), csv_text(study));
}

}  // namespace idelta::nn
