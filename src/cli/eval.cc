// idelta eval: what each layer of a model can say by itself, and how far it is from the identity.
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

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
  std::string model;
  DataFlags data;
  int64_t rank = 0;  // 0: D as it is
  std::string tail, compute;
  bool json = false;

  bool changes() const { return rank > 0 || !compute.empty(); }
};

// What holding every D in a cheaper way costs and saves. Empty without --rank and --compute.
struct OtherForm {
  double dense_accuracy = 0;  // of the last layer
  std::vector<idelta::DeltaInfo> layers;

  // Of the multiplications, in fp32; a format that stands alone has none of its own.
  bool has_ranks() const { return layers[0].format == IDELTA_FORMAT_LOW_RANK; }
  double share(size_t l) const { return 2.0 * double(layers[l].rank) / double(layers[l].n); }
  double share() const {
    double sum = 0;
    for (size_t l = 0; l < layers.size(); ++l) sum += share(l);
    return sum / double(layers.size());
  }
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

std::string layer_table(const nn::NetworkOptions& options, const nn::Evaluation& evaluation, const OtherForm& other) {
  std::vector<Table::Column> columns = {{"layer"},         {"accuracy"}, {"", Align::kLeft},
                                        {"cross-entropy"}, {"‖D‖₂"},     {"‖D‖_F/‖I‖_F"}};
  const bool cheaper = !other.layers.empty(), ranks = cheaper && other.has_ranks();
  if (ranks) columns.insert(columns.end(), {{"rank"}, {"of the products"}});
  if (cheaper) columns.push_back({"certificate"});
  // All class dimensions of the input hold the same padding: a uniform likelihood.
  std::vector<std::string> input = {"input",
                                    format("%.1f %%", 100 * evaluation.input_accuracy),
                                    bar(evaluation.input_accuracy, kBarWidth),
                                    format("%.3f", std::log(double(options.classes))),
                                    "",
                                    ""};
  input.resize(columns.size());
  Table table(std::move(columns));
  table.add(std::move(input));
  for (size_t l = 0; l < evaluation.layers.size(); ++l) {
    std::vector<std::string> row = layer_row(std::to_string(l + 1), evaluation.layers[l]);
    if (ranks) {
      row.push_back(rank_name(other.layers[l].rank, other.layers[l].tail));
      row.push_back(format("%.1f %%", 100 * other.share(l)));
    }
    if (cheaper) row.push_back(format("%.1e", other.layers[l].certificate));
    table.add(std::move(row));
  }
  return table.text();
}

std::string notes(const nn::NetworkOptions& options, const nn::Evaluation& evaluation) {
  return format(
      "\n"
      "  Layer l is judged by its own class likelihood, the softmax of the last %lld entries of h^l; the input\n"
      "  row is chance by construction. How early accuracy rises depends on activation (%s) and class\n"
      "  padding (%s) as well as on the data. Completeness: x plus the steps of layers 1 to l is h^l, for\n"
      "  every l and image, to %.1f ulp of the largest entry so far; %s.\n",
      (long long)options.classes, activation_name(options.activation).c_str(),
      short_number(options.class_padding).c_str(), evaluation.worst_closure().sum_ulp,
      evaluation.closes() ? "roundings explain all of it" : "MORE THAN ROUNDINGS EXPLAIN: this fails");
}

// How training computed; null where the file does not say.
Json trained_with_json(const nn::TrainedWith& how) {
  const auto text = [](const std::string& name) { return name.empty() ? Json(nullptr) : Json(name); };
  return {{"compute", text(how.compute)}, {"bf16_product", text(how.bf16_product)}};
}

Json as_json(const Flags& flags, const nn::Network& network, const nn::Evaluation& evaluation, const OtherForm& other) {
  const nn::NetworkOptions& options = network.options();
  Json layers = Json::array();
  for (size_t l = 0; l < evaluation.layers.size(); ++l) {
    layers.push_back(layer_json(evaluation, l));
    if (other.layers.empty()) continue;
    layers.back()["certificate"] = other.layers[l].certificate;
    if (!other.has_ranks()) continue;
    layers.back()["rank"] = other.layers[l].rank;
    layers.back()["multiplications_share"] = other.share(l);
  }
  Json document = {{"verb", "eval"},
                   {"model", flags.model},
                   {"data", flags.data.place},
                   {"images", evaluation.count},
                   {"n", options.n()},
                   {"activation", activation_name(options.activation)},
                   {"class_padding", options.class_padding},
                   {"trained_with", trained_with_json(network.trained_with())},
                   {"test_accuracy", evaluation.layers.back().accuracy},
                   {"forms", forms_json(network)},
                   {"has_dense", network.has_dense()},
                   {"input_accuracy", evaluation.input_accuracy},
                   {"completeness_ulp", evaluation.worst_closure().sum_ulp},
                   {"completeness_bound_ulp", evaluation.worst_closure().bound_ulp},
                   {"complete", evaluation.closes()},
                   {"telescoping_error", evaluation.telescoping_error}};
  if (!other.layers.empty()) {
    document["compute"] = idelta_format_name(other.layers[0].asked);
    document["dense_test_accuracy"] = other.dense_accuracy;
  }
  if (flags.rank > 0) {
    document["rank"] = flags.rank;
    document["tail"] = tail_json(parse_tail(flags.tail));
    document["multiplications_share"] = other.share();
  }
  document["layers"] = layers;
  return document;
}

// From here on the network computes with every D in that form.
OtherForm take_form(const Flags& flags, nn::Network& network, const nn::Dataset& data) {
  OtherForm other;
  other.dense_accuracy = judged(flags.model, [&] { return nn::accuracy(network, data); });
  if (flags.rank > 0) {
    network.set_compute(IDELTA_FORMAT_LOW_RANK, flags.rank, parse_tail(flags.tail));
  } else {
    network.set_compute(parse_forward_format(flags.compute));
  }
  for (int64_t l = 0; l < network.layers(); ++l) other.layers.push_back(network.packed(l).info());
  return other;
}

std::string comparison(const Flags& flags, const nn::Evaluation& evaluation, const OtherForm& other) {
  const double accuracy = evaluation.layers.back().accuracy;
  std::string what = format("  Every D is in %s.", idelta_format_name(other.layers[0].asked)), cost;
  if (flags.rank > 0) {
    const idelta_tail tail = parse_tail(flags.tail);
    const std::string kept =
        tail == IDELTA_TAIL_NONE ? "" : std::string(", and what that leaves is in ") + idelta_tail_name(tail);
    what = format(
        "  Every D is truncated to rank %lld or what it has: 2 n r multiplications a layer and row in place of n^2%s.",
        (long long)flags.rank, kept.c_str());
    cost = format(", with %.1f %% of the multiplications%s", 100 * other.share(), kept.empty() ? "" : " in fp32");
  }
  return what + format(
                    " The\n"
                    "  certificate bounds what that changes: a layer's error before activation, by the norm of its "
                    "input.\n\n"
                    "  dense test accuracy %.2f %%, this form %.2f %% (%+.2f)%s\n",
                    100 * other.dense_accuracy, 100 * accuracy, 100 * (accuracy - other.dense_accuracy), cost.c_str());
}

// Before anything is read.
void check(const Flags& flags) {
  parse_tail(flags.tail);
  if (!flags.compute.empty()) parse_forward_format(flags.compute);
}

int run(const Flags& flags) {
  check(flags);
  const Context context = make_context(flags.machine);
  nn::Network network = load_network(context, flags.model);
  const nn::Dataset data = load_data(flags.data, nn::Split::kTest, &network.options());
  require_fit(flags.model, network, data);
  if (flags.changes() && !network.has_dense()) {
    throw FileError(
        flags.model +
        " has dropped D, of which --rank and --compute take other forms; give the dense model it was made of");
  }
  if (!flags.json) {
    Listing listing;
    add_model(listing, flags.model, network);
    add_network(listing, network.options());
    add_data(listing, data, nn::Split::kTest);
    print("Evaluation, layer by layer\n" + listing.text() + "\n");
  }
  const OtherForm other = flags.changes() ? take_form(flags, network, data) : OtherForm();
  const nn::Evaluation evaluation = judged(flags.model, [&] { return nn::evaluate(network, data); });
  if (flags.json) {
    print_json(as_json(flags, network, evaluation, other));
    return kExitOk;
  }
  print(layer_table(network.options(), evaluation, other) + notes(network.options(), evaluation) + "\n" +
        (other.layers.empty() ? "" : comparison(flags, evaluation, other)) +
        format("  test accuracy %.2f %%\n\n", 100 * evaluation.layers.back().accuracy));
  return kExitOk;
}

}  // namespace

Verb add_eval(CLI::App& app) {
  auto flags = std::make_shared<Flags>();
  CLI::App* verb = app.add_subcommand("eval", "accuracy of every layer on the test set, and how near each is to I");
  add_model_argument(*verb, flags->model);
  add_data_flags(*verb, flags->data);
  CLI::Option* const rank =
      verb->add_option("--rank", flags->rank, "with every D truncated to this rank, compared with D as it is")
          ->option_text("R")
          ->check(whole_number_from(1));
  verb->add_option("--tail", flags->tail, "and what the rank leaves kept as integers: int8")
      ->option_text("FORMAT")
      ->needs(rank);
  verb->add_option("--compute", flags->compute, "with every D in this format, and compared: " + forward_format_names())
      ->option_text("FORMAT")
      ->excludes(rank);
  add_machine_flags(*verb, flags->machine);
  verb->add_flag("--json", flags->json, "one JSON object on stdout");
  verb->footer(
      "Example:\n"
      "  idelta eval model.safetensors --data fashion-mnist\n"
      "  idelta eval model.safetensors --data fashion-mnist --rank 32 --tail int8\n"
      "  idelta eval model.safetensors --data fashion-mnist --compute int8");
  return {verb, [flags] { return run(*flags); }};
}

}  // namespace idelta::cli
