// The charts of the layers' inside: norms, ranks, separation, certainty, alignment.
#include <algorithm>

#include "cli/table.h"
#include "figures.h"
#include "gather.h"

namespace idelta::cli::report {
namespace {

Json by_layer(const Json& document, const std::string& title, Json y, Json lines, const std::string& alt,
              bool input = false) {
  return {{"kind", "lines"},
          {"title", title},
          {"x", {{"name", input ? "layer (0 is the input)" : "layer"}, {"values", layer_numbers(document, input)}}},
          {"y", std::move(y)},
          {"series", std::move(lines)},
          {"alt", alt}};
}

// "from 0.43 after layer 1 to 0.96 after layer 10"
std::string from_to(const Json& layers, const std::string& key, const char* kind) {
  return "from " + shown(layers.front()[key], kind) + " in layer 1 to " + shown(layers.back()[key], kind) +
         " in layer " + shown(layers.back()["layer"], "count");
}

Json norms(const Json& document) {
  const Json& layers = document["layers"];
  Json lines = {series("‖D‖₂", "network", column(layers, "spectral_norm")),
                series("‖D‖ / ‖I‖, Frobenius", "network-2", column(layers, "frobenius_ratio"))};
  return by_layer(document, "How near the identity", {{"name", "norm of D"}, {"format", "number"}, {"from", 0}}, lines,
                  "Line chart of the norms of D against depth: the spectral norm goes " +
                      from_to(layers, "spectral_norm", "number") + ", where the identity’s is 1.");
}

Json changes(const Json& document) {
  const Json& layers = document["layers"];
  Json lines = {series("step s", "network", column(layers, "step_norm")),
                series("Δ of the kernel", "network-2", column(layers, "contribution_norm")),
                series("κ of the activation", "peer", column(layers, "activation_change_norm"))};
  return by_layer(document, "How far a layer moves an image",
                  {{"name", "mean Euclidean norm"}, {"format", "number"}, {"from", 0}}, lines,
                  "Line chart of the mean size of a layer’s step and of its two parts: the step’s goes " +
                      from_to(layers, "step_norm", "number") + ".");
}

Json ranks(const Json& document) {
  const Json& layers = document["layers"];
  Json lines = {series("of D", "network", with_input(document, "effective_rank_of_delta")),
                series("of the features", "network-2", with_input(document, "effective_rank_of_features"))};
  return by_layer(document, "Effective rank", {{"name", "directions"}, {"format", "number"}, {"from", 0}}, lines,
                  "Line chart of effective ranks against depth: that of D goes " +
                      from_to(layers, "effective_rank_of_delta", "number") + ", that of the features " +
                      from_to(layers, "effective_rank_of_features", "number") + ".",
                  true);
}

Json separation(const Json& document) {
  return by_layer(document, "Separation of the classes",
                  {{"name", "Tr(Sw Sb⁺), log scale"}, {"format", "number"}, {"log", true}},
                  Json::array({series("within / between", "network", with_input(document, "separation"))}),
                  "Line chart on a log scale of the scatter within classes against that between them, lower is better "
                  "separated: it goes from " +
                      shown(document["input"]["separation"], "number") + " at the input to " +
                      shown(document["layers"].back()["separation"], "number") + " after the last layer.",
                  true);
}

Json certainty(const Json& document) {
  const Json& layers = document["layers"];
  Json lines = {series("cross-entropy", "network", column(layers, "cross_entropy")),
                series("entropy", "network-2", column(layers, "entropy")),
                series("KL to the last layer", "peer", column(layers, "kl_to_final"))};
  return by_layer(document, "How sure the layers are", {{"name", "nats"}, {"format", "number"}, {"from", 0}}, lines,
                  "Line chart of cross-entropy, entropy and divergence from the last layer’s scores: the cross-entropy "
                  "goes " +
                      from_to(layers, "cross_entropy", "number") + ".");
}

Json decided(const Json& document) {
  const Json counts = column(document["layers"], "decided");
  double sum = 0;
  Json shares = Json::array();
  for (const Json& count : counts) sum += count.get<double>();
  for (const Json& count : counts) shares.push_back(sum > 0 ? count.get<double>() / sum : 0);
  const auto most = std::max_element(counts.begin(), counts.end(),
                                     [](const Json& a, const Json& b) { return a.get<double>() < b.get<double>(); }) -
                    counts.begin();
  return {
      {"kind", "bars"},
      {"title", "Where the decision falls"},
      {"x", {{"name", "layer from which the prediction is the final one"}, {"values", layer_numbers(document, false)}}},
      {"y", {{"name", "test images"}, {"format", "percent"}, {"from", 0}}},
      {"series", Json::array({series("decided", "network", shares)})},
      {"alt", format("Bars of the share of test images whose prediction is final from a layer on; the most, %s, are "
                     "decided in layer %d.",
                     shown(shares[most], "percent").c_str(), int(most) + 1)}};
}

Json alignment(const Json& document, const char* side, const std::string& title) {
  const Json& alignment = document["alignment"];
  const size_t count = document["layers"].size();
  Json rows = Json::array();
  double between = 0;
  for (size_t i = 0; i < count; ++i) {
    Json row = Json::array();
    for (size_t j = 0; j < count; ++j) row.push_back(alignment[side][i * count + j]);
    if (i + 1 < count) between += row[i + 1].get<double>();
    rows.push_back(row);
  }
  const double neighbours = count > 1 ? between / double(count - 1) : 1;
  return {{"kind", "matrix"},
          {"title", title},
          {"x", {{"name", "layer"}, {"values", layer_numbers(document, false)}}},
          {"y", {{"name", "overlap"}, {"format", "number"}, {"from", 0}, {"to", 1}}},
          {"cells", rows},
          {"random", alignment["random"]},
          {"caption", "Overlap of the first " + shown(alignment["vectors"], "count") +
                          " singular vectors: 1 is the same space; random spaces have " +
                          shown(alignment["random"], "number") + "."},
          {"alt", "Matrix of the overlap of singular vectors between all pairs of layers. Neighbouring layers have " +
                      shown(neighbours, "number") + " on average, random spaces " +
                      shown(alignment["random"], "number") + "."}};
}

}  // namespace

void add_inner_figures(const Json& document, Json& figures) {
  figures["norms"] = norms(document);
  figures["changes"] = changes(document);
  figures["certainty"] = certainty(document);
  figures["decided"] = decided(document);
  if (has_column(document, "separation")) {
    figures["ranks"] = ranks(document);
    figures["separation"] = separation(document);
    figures["alignment_left"] = alignment(document, "left", "What layers read: left singular vectors");
    figures["alignment_right"] = alignment(document, "right", "What layers write: right singular vectors");
  }
}

}  // namespace idelta::cli::report
