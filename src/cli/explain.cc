// idelta explain: for chosen test images, what every layer predicts and what it added to the picture.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "files.h"
#include "files/rescue.h"
#include "inputs.h"
#include "interrupt.h"
#include "names.h"
#include "output.h"
#include "table.h"
#include "verbs.h"

namespace idelta::cli {
namespace {

using Json = nlohmann::ordered_json;
using Images = std::vector<nn::ImageDecomposition>;

struct Flags {
  MachineFlags machine;
  DataFlags data;
  std::string model, out, images;
  bool json = false;
};

// Files in the folder that --out names.
struct Outputs {
  std::string sheet, report;
};

constexpr int64_t kDefaultWidth = 100;

// "0,1,17" within a set of `count` images.
std::vector<int64_t> parse_indices(const std::string& list, int64_t count) {
  std::vector<int64_t> indices;
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(',', begin), list.size());
    const std::string item = list.substr(begin, end - begin);
    int64_t index = -1;
    const auto [stop, error] = std::from_chars(item.data(), item.data() + item.size(), index);
    if (error != std::errc() || stop != item.data() + item.size() || index < 0 || index >= count) {
      throw UsageError(
          format("--images: '%s' is not the index of a test image; use numbers from 0 to %lld, "
                 "separated by commas",
                 item.c_str(), (long long)(count - 1)));
    }
    indices.push_back(index);
    begin = end + 1;
  }
  return indices;
}

// The first test image of each class that has one.
std::vector<int64_t> one_of_each_class(const nn::Dataset& data) {
  std::vector<int64_t> indices;
  for (int64_t c = 0; c < data.classes; ++c) {
    const auto found = std::find(data.labels.begin(), data.labels.end(), static_cast<uint8_t>(c));
    if (found != data.labels.end()) indices.push_back(found - data.labels.begin());
  }
  return indices;
}

float likelihood(const nn::ImageDecomposition& image, size_t layer) {
  return image.class_likelihoods[layer][static_cast<size_t>(image.predictions[layer])];
}

// The first layer (from 1) from which on the prediction is that of the last.
size_t settled_layer(const nn::ImageDecomposition& image) {
  size_t layer = image.predictions.size();
  while (layer > 1 && image.predictions[layer - 2] == image.predictions.back()) --layer;
  return layer;
}

// Layers down, images across: as many tables as the width asks for.
std::string prediction_tables(const Images& images, int64_t width) {
  constexpr int64_t kFirstColumn = 10, kImageColumn = 9;
  const auto across = static_cast<size_t>(std::max<int64_t>(1, (width - kFirstColumn) / kImageColumn));
  std::string text;
  for (size_t first = 0; first < images.size(); first += across) {
    const size_t last = std::min(images.size(), first + across);
    std::vector<Table::Column> columns = {{"image"}};
    std::vector<std::string> labels = {"label"}, settled = {"settled"};
    for (size_t i = first; i < last; ++i) {
      columns.push_back({format("%lld ", (long long)images[i].index)});
      labels.push_back(format("%d     ", images[i].label));
      settled.push_back(format("%zu ", settled_layer(images[i])));
    }
    Table table(std::move(columns));
    table.add(std::move(labels));
    for (size_t l = 0; l < images[first].predictions.size(); ++l) {
      std::vector<std::string> row = {format("layer %zu", l + 1)};
      for (size_t i = first; i < last; ++i) {
        const bool right = images[i].predictions[l] == images[i].label;
        row.push_back(format("%d %3.0f%%", images[i].predictions[l], 100 * double(likelihood(images[i], l))) +
                      (right ? "•" : " "));
      }
      table.add(std::move(row));
    }
    table.add(std::move(settled));
    text += table.text() + "\n";
  }
  return text;
}

double norm(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += double(value) * double(value);
  return std::sqrt(sum);
}

Json as_json(const Flags& flags, const nn::Network& network, const Images& images) {
  const nn::NetworkOptions& options = network.options();
  Json list = Json::array();
  for (const nn::ImageDecomposition& image : images) {
    Json layers = Json::array();
    for (size_t l = 0; l < image.predictions.size(); ++l) {
      const auto [low, high] =
          std::minmax_element(image.contribution_maps[l].begin(), image.contribution_maps[l].end());
      layers.push_back({{"layer", l + 1},
                        {"prediction", image.predictions[l]},
                        {"likelihood", likelihood(image, l)},
                        {"class_likelihood", image.class_likelihoods[l]},
                        {"map_norm", norm(image.contribution_maps[l])},
                        {"map_least", *low},
                        {"map_greatest", *high}});
    }
    list.push_back({{"index", image.index},
                    {"label", image.label},
                    {"prediction", image.predictions.back()},
                    {"settled_in_layer", settled_layer(image)},
                    {"image_norm", norm(image.image)},
                    {"layers", layers}});
  }
  return {{"verb", "explain"},
          {"model", flags.model},
          {"data", flags.data.place},
          {"n", options.n()},
          {"activation", activation_name(options.activation)},
          {"class_padding", options.class_padding},
          {"forms", forms_json(network)},
          {"has_dense", network.has_dense()},
          {"images", list}};
}

std::string as_text(const Flags& flags, const nn::Network& network, const Images& images, const Outputs& outputs) {
  Listing model, files;
  add_model(model, flags.model, network);
  files.add("wrote", outputs.sheet);
  files.add("", "the input, then what the layers up to each one added to it (h^l - x; blue less, red more)");
  files.add("", "a picture of the image's path through the network: one an image, not one a class");
  files.add("wrote", outputs.report);
  files.add("", "all class likelihoods and the size of every map");
  return "Explanation of test images: the class each layer predicts and its likelihood\n" + model.text() + "\n" +
         prediction_tables(images, terminal_width(1, kDefaultWidth)) +
         "  •: the label.  settled: the layer from which on the prediction is the final one.\n\n" + files.text() + "\n";
}

Outputs prepare(const Flags& flags) {
  prepare_folder("--out", flags.out);
  const std::filesystem::path folder(flags.out);
  const Outputs outputs = {(folder / "contribution_maps.png").string(), (folder / "report.json").string()};
  for (const std::string& path : {outputs.sheet, outputs.report}) {
    prepare_file("--out", path, "report.json");
    keep_apart("--out", path, flags.model, "the model itself");
  }
  return outputs;
}

int run(const Flags& flags) {
  const Outputs outputs = prepare(flags);
  const Context context = make_context(flags.machine);
  const nn::Network network = load_network(context, flags.model);
  const nn::Dataset data = load_data(flags.data, nn::Split::kTest, &network.options());
  for (const std::string& path : {outputs.sheet, outputs.report}) keep_apart("--out", path, data);
  require_fit(flags.model, network, data);
  const std::vector<int64_t> indices =
      flags.images.empty() ? one_of_each_class(data) : parse_indices(flags.images, data.count);
  const Images images = judged(flags.model, [&] { return nn::decompose(network, data, indices); });

  Json document = as_json(flags, network, images);
  {
    const SignalsHeld held;
    nn::write_contribution_sheet(outputs.sheet, network.options(), images);
    files::write_text(outputs.report, json_text(document));
  }
  if (flags.json) {
    document["files"] = {outputs.sheet, outputs.report};
    print_json(document);
  } else {
    print(as_text(flags, network, images, outputs));
  }
  return kExitOk;
}

}  // namespace

Verb add_explain(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("explain", "contribution maps and per-layer predictions of chosen test images");
  add_model_argument(*verb, flags->model);
  add_data_flags(*verb, flags->data);
  verb->add_option("--out", flags->out, "folder for contribution_maps.png and report.json")
      ->option_text("FOLDER")
      ->required();
  verb->add_option("--images", flags->images, "indices into the test set; unless said one of each class")
      ->option_text("I,J,...");
  add_machine_flags(*verb, flags->machine);
  verb->add_flag("--json", flags->json, "the report on stdout too, with the files written");
  verb->footer(
      "Example:\n"
      "  idelta explain model.safetensors --data fashion-mnist --images 0,1,2 --out report");
  return {verb, [flags] { return run(*flags); }};
}

}  // namespace idelta::cli
