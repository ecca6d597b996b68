// idelta eval: what each layer of a model can say by itself, and how far it is from the identity.
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "inputs.h"
#include "names.h"
#include "output.h"
#include "table.h"
#include "verbs.h"

namespace idelta::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Flags {
  MachineFlags machine;
  std::string model, data;
  bool json = false;
};

constexpr int64_t kBarWidth = 30;

std::vector<std::string> layer_row(const std::string& name, const nn::LayerReport& layer) {
  return {name,
          format("%.1f %%", 100 * layer.accuracy),
          bar(layer.accuracy, kBarWidth),
          format("%.3f", layer.cross_entropy),
          format("%.3f", layer.spectral_norm),
          format("%.4f", layer.frobenius_ratio)};
}

std::string layer_table(const nn::NetworkOptions& options, const nn::Evaluation& evaluation) {
  Table table({{"layer"}, {"accuracy"}, {"", Align::kLeft}, {"cross-entropy"}, {"‖D‖₂"}, {"‖D‖_F/‖I‖_F"}});
  // All class dimensions of the input hold the same padding: a uniform likelihood.
  table.add({"input", format("%.1f %%", 100 * evaluation.input_accuracy), bar(evaluation.input_accuracy, kBarWidth),
             format("%.3f", std::log(double(options.classes))), "", ""});
  for (size_t l = 0; l < evaluation.layers.size(); ++l) {
    table.add(layer_row(std::to_string(l + 1), evaluation.layers[l]));
  }
  return table.text();
}

std::string notes(const nn::NetworkOptions& options, const nn::Evaluation& evaluation) {
  return format(
      "\n"
      "  Layer l is judged by its own class likelihood, the softmax of the last %lld entries of h^l; the input\n"
      "  row is chance by construction. How early accuracy rises depends on activation (%s) and class\n"
      "  padding (%s) as well as on the data. Completeness: x plus all layer steps is h^%lld to %.1f ulp of the\n"
      "  largest entry.\n",
      (long long)options.classes, activation_name(options.activation).c_str(),
      short_number(options.class_padding).c_str(), (long long)options.layers, evaluation.completeness_ulp);
}

// How training computed; null where the file does not say.
Json trained_with_json(const nn::TrainedWith& how) {
  const auto text = [](const std::string& name) { return name.empty() ? Json(nullptr) : Json(name); };
  return {{"compute", text(how.compute)}, {"bf16_product", text(how.bf16_product)}};
}

Json as_json(const Flags& flags, const nn::Network& network, const nn::Evaluation& evaluation) {
  const nn::NetworkOptions& options = network.options();
  Json layers = Json::array();
  for (size_t l = 0; l < evaluation.layers.size(); ++l) {
    const nn::LayerReport& layer = evaluation.layers[l];
    layers.push_back({{"layer", l + 1},
                      {"accuracy", layer.accuracy},
                      {"cross_entropy", layer.cross_entropy},
                      {"spectral_norm", layer.spectral_norm},
                      {"frobenius_ratio", layer.frobenius_ratio}});
  }
  return {{"verb", "eval"},
          {"model", flags.model},
          {"data", flags.data},
          {"images", evaluation.count},
          {"n", options.n()},
          {"activation", activation_name(options.activation)},
          {"class_padding", options.class_padding},
          {"trained_with", trained_with_json(network.trained_with())},
          {"test_accuracy", evaluation.layers.back().accuracy},
          {"input_accuracy", evaluation.input_accuracy},
          {"completeness_ulp", evaluation.completeness_ulp},
          {"layers", layers}};
}

int run(const Flags& flags) {
  const Context context = make_context(flags.machine);
  const nn::Network network = load_network(context, flags.model);
  const nn::Dataset data = load_data(flags.data, nn::Split::kTest);
  require_fit(flags.model, network, data);
  if (!flags.json) {
    Listing listing;
    listing.add("model", flags.model);
    add_network(listing, network.options());
    listing.add("data", describe(data, nn::Split::kTest));
    print("Evaluation, layer by layer\n" + listing.text() + "\n");
  }
  const nn::Evaluation evaluation = judged(flags.model, [&] { return nn::evaluate(network, data); });
  if (flags.json) {
    print_json(as_json(flags, network, evaluation));
    return kExitOk;
  }
  print(layer_table(network.options(), evaluation) + notes(network.options(), evaluation) + "\n" +
        format("  test accuracy %.2f %%\n\n", 100 * evaluation.layers.back().accuracy));
  return kExitOk;
}

}  // namespace

Verb add_eval(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb =
      app.add_subcommand("eval", "accuracy of every layer on the test set, and how near it is to the identity");
  add_model_argument(*verb, flags->model);
  add_data_flag(*verb, flags->data);
  add_machine_flags(*verb, flags->machine);
  verb->add_flag("--json", flags->json, "one JSON object on stdout");
  verb->footer(
      "Example:\n"
      "  idelta eval model.safetensors --data fashion-mnist");
  return {verb, [flags] { return run(*flags); }};
}

}  // namespace idelta::cli
