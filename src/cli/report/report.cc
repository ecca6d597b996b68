#include "report.h"

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "beside.h"
#include "cli/inputs.h"
#include "cli/names.h"
#include "cli/output.h"
#include "cli/table.h"
#include "files/rescue.h"
#include "gallery.h"
#include "nn/npy.h"
#include "page.h"

namespace idelta::cli::report {
namespace {

struct Beside {
  const char* name;
  const char* meaning;
};
constexpr Beside kFiles[] = {
    {"report.html", "this page, by itself"},
    {"report.json", "every number of it; \"schema_version\" tells how to read it"},
    {"layers.csv", "statistics, a row a layer"},
    {"images.csv", "the chosen images, a row an image and layer"},
    {"neurons.csv", "the input neurons of each layer that contribute most to the true class"},
    {"contribution_maps.png", "the sheet as one picture"},
    {"inputs.npy", "float32, images x inputs"},
    {"contribution_maps.npy", "h^l - x: float32, images x layers x inputs"},
    {"contributions.npy", "Δ^l of the kernel: float32, images x layers x n"},
    {"activation_changes.npy", "κ^l of the activation: float32, images x layers x n"},
    {"steps.npy", "h^l - h^(l-1): float32, images x layers x n"},
    {"class_likelihoods.npy", "scores: float32, images x layers x classes"},
    {"class_maps.npy", "exact propagation, for the predicted class: float32, images x inputs"},
};

// The machine, on one line, without the words of the text for people.
std::string cpu(const Context& context) {
  const std::string text = context.describe();
  const size_t at = text.find("CPU");
  if (at == std::string::npos) return text.substr(0, text.find('\n'));
  const size_t begin = text.find_first_not_of(' ', at + 3);
  return text.substr(begin, text.find('\n', begin) - begin);
}

Json settings(const Subject& subject, const Request& request) {
  const nn::Network& network = subject.network;
  const nn::NetworkOptions& options = network.options();
  Json rows = {{"command", request.command}};
  if (!request.train_command.empty()) rows["network made by"] = request.train_command;
  rows.update({{"idelta", idelta_version()},
               {"CPU", cpu(network.context()) + ", " + cli::describe(network.context())},
               {"model", request.model},
               {"data", cli::describe(subject.test, nn::Split::kTest)},
               {"network", format("%lld layers, n = %lld inputs + %lld classes", (long long)options.layers,
                                  (long long)options.pixels(), (long long)options.classes)}});
  rows["activation"] = activation_name(options.activation) + ", identity scale " +
                       short_number(options.identity_scale) + ", class padding " + short_number(options.class_padding);
  const nn::TrainedWith& how = network.trained_with();
  if (!how.compute.empty()) {
    rows["trained with"] = how.compute + " products" + (how.bf16_product.empty() ? "" : ", bf16 " + how.bf16_product);
  }
  std::string training;
  for (const auto& [name, value] : how.settings) training += (training.empty() ? "" : ", ") + name + " " + value;
  if (!training.empty()) rows["training"] = training;
  if (!request.forms.empty()) rows["compressed"] = forms_text(network);
  rows["centres and probes"] =
      subject.train ? format("fitted on the first %lld training images", (long long)subject.train->count)
                    : std::string(subject.quick ? "left out (--quick)" : "left out: there is no training split");
  rows["scores"] = "softmax of the class dimensions; not calibrated probabilities";
  return rows;
}

// images x layers x the rest, in one array.
using OfImage = std::vector<std::vector<float>> nn::ImageDecomposition::*;
void write_layers(const std::string& path, const std::vector<nn::ImageDecomposition>& images, OfImage values) {
  std::vector<float> all;
  for (const nn::ImageDecomposition& image : images) {
    for (const std::vector<float>& layer : image.*values) all.insert(all.end(), layer.begin(), layer.end());
  }
  const std::vector<std::vector<float>>& first = images[0].*values;
  nn::write_npy(path, {int64_t(images.size()), int64_t(first.size()), int64_t(first[0].size())},
                std::span<const float>(all));
}

void write_arrays(const std::filesystem::path& folder, const Decompositions& decompositions) {
  const std::vector<nn::ImageDecomposition>& images = decompositions.images;
  using Image = nn::ImageDecomposition;
  write_layers(folder / "contribution_maps.npy", images, &Image::contribution_maps);
  write_layers(folder / "contributions.npy", images, &Image::contributions);
  write_layers(folder / "activation_changes.npy", images, &Image::activation_changes);
  write_layers(folder / "steps.npy", images, &Image::steps);
  write_layers(folder / "class_likelihoods.npy", images, &Image::class_likelihoods);
  std::vector<float> inputs, class_maps;
  for (const Image& image : images) inputs.insert(inputs.end(), image.image.begin(), image.image.end());
  for (const nn::ClassMap& map : decompositions.class_maps) {
    class_maps.insert(class_maps.end(), map.map.begin(), map.map.end());
  }
  const std::vector<int64_t> shape = {int64_t(images.size()), int64_t(images[0].image.size())};
  nn::write_npy(folder / "inputs.npy", shape, std::span<const float>(inputs));
  nn::write_npy(folder / "class_maps.npy", shape, std::span<const float>(class_maps));
}

}  // namespace

Json Stopwatch::laps() const {
  std::vector<std::pair<std::string, double>> sums;
  for (const auto& [name, seconds] : laps_) {
    const auto same = [&name = name](const auto& sum) { return sum.first == name; };
    auto found = std::find_if(sums.begin(), sums.end(), same);
    if (found == sums.end()) found = sums.emplace(sums.end(), name, 0);
    found->second += seconds;
  }
  const double all = seconds();
  Json list = Json::array();
  for (const auto& [name, seconds] : sums) {
    list.push_back({{"part", name}, {"seconds", seconds}, {"share", all > 0 ? seconds / all : 0}});
  }
  return list;
}

double Stopwatch::seconds() const {
  return std::accumulate(laps_.begin(), laps_.end(), 0.0, [](double sum, const auto& lap) { return sum + lap.second; });
}

Report gather(Subject subject, const Request& request) {
  Report report;
  Json& document = report.document;
  Stopwatch watch;
  document = {{"verb", "explain"}, {"schema_version", kSchemaVersion}};
  document["model"] = request.model;
  document["forms"] = request.forms;
  document["has_dense"] = subject.network.has_dense();
  add_subject(subject, document);
  std::vector<nn::ReadOut> read_outs;
  nn::Evaluation evaluation = evaluate(subject, read_outs, watch);
  subject.chosen = request.choose(read_outs);
  add_layers(subject, evaluation, document, watch);
  report.decompositions = decompose(subject, watch);
  add_images(subject, report.decompositions, document);
  add_maps(report.decompositions, document);
  add_trust(subject, document, watch);
  Json files = Json::object();
  for (const Beside& file : kFiles) files[file.name] = file.meaning;
  document["made"] = {
      {"settings", settings(subject, request)}, {"time", watch.laps()}, {"seconds", watch.seconds()}, {"files", files}};
  add_sentences(subject, document);
  return report;
}

std::vector<std::string> file_names() {
  std::vector<std::string> names;
  for (const Beside& file : kFiles) names.push_back(file.name);
  return names;
}

void write(const std::string& folder, const Report& report, const nn::NetworkOptions& options) {
  const auto path = [&](const char* name) { return (std::filesystem::path(folder) / name).string(); };
  nn::write_contribution_sheet(path("contribution_maps.png"), options, report.decompositions.images);
  files::write_text(path("layers.csv"), csv(report.document["layers"]));
  files::write_text(path("images.csv"), images_csv(report.document));
  files::write_text(path("neurons.csv"), csv(report.document["neurons"]));
  write_arrays(folder, report.decompositions);
  files::write_text(path("report.json"), json_text(report.document));
  files::write_text(path("report.html"), page(report.document, report.decompositions));
}

}  // namespace idelta::cli::report
