// The charts of the first screens: accuracy through depth, lesions, scores of the chosen images.
#include "figures.h"

#include <algorithm>

#include "cli/table.h"
#include "gather.h"

namespace idelta::cli::report {
namespace {

Json accuracy(const Json& document) {
  Json lines = Json::array();
  Json network = series("class dimensions", "network", with_input(document, "accuracy"));
  if (has_column(document, "accuracy_over_seeds")) {
    Json low = Json::array({nullptr}), high = Json::array({nullptr});
    for (const Json& layer : document["layers"]) {
      low.push_back(layer["accuracy_over_seeds"]["least"]);
      high.push_back(layer["accuracy_over_seeds"]["most"]);
    }
    network["low"] = low;
    network["high"] = high;
  }
  lines.push_back(network);
  if (has_column(document, "probe_accuracy")) {
    lines.push_back(series("linear probe", "peer", with_input(document, "probe_accuracy")));
  }
  if (has_column(document, "nearest_centre_accuracy")) {
    lines.push_back(series("nearest centre", "peer-2", with_input(document, "nearest_centre_accuracy")));
  }
  const Json layers = layer_numbers(document, true);
  const Json& chance = document["input"]["accuracy"];
  lines.push_back(series("chance", "thin", Json(std::vector<double>(layers.size(), chance.get<double>()))));
  const Json& last = document["layers"].back();
  const std::string alt =
      "Line chart of test accuracy against depth. The class dimensions go from " + shown(chance, "percent") +
      " at the input and " + shown(document["layers"][0]["accuracy"], "percent") + " after layer 1 to " +
      shown(last["accuracy"], "percent") + " after layer " + shown(last["layer"], "count") + "." +
      (has_column(document, "probe_accuracy")
           ? " A linear probe finds " + shown(document["input"]["probe_accuracy"], "percent") + " at the input and " +
                 shown(last["probe_accuracy"], "percent") + " after the last layer."
           : "");
  Json figure = {{"kind", "lines"},
                 {"title", "Accuracy through depth"},
                 {"x", {{"name", "layer (0 is the input)"}, {"values", layers}}},
                 {"y", {{"name", "test accuracy"}, {"format", "percent"}, {"from", 0}, {"to", 1}}},
                 {"series", lines},
                 {"alt", alt}};
  if (document.contains("study")) {
    figure["caption"] = "Band: the least and the most of the class dimensions over the " +
                        shown(document["study"]["networks"], "count") + " networks of the study.";
  }
  return figure;
}

Json lesion(const Json& document) {
  Json lost = Json::array();
  for (const Json& layer : document["layers"]) lost.push_back(-layer["lesion_centred_logit_change"].get<double>());
  const Json written = column(document["layers"], "centred_contribution");
  const auto most = [](const Json& values) {
    return std::max_element(values.begin(), values.end(),
                            [](const Json& a, const Json& b) { return a.get<double>() < b.get<double>(); }) -
           values.begin();
  };
  const auto largest_loss = most(lost), largest_step = most(written);
  const std::string alt =
      format("Paired bars, a pair a layer. Most is lost without layer %d (%s), and layer %d writes most itself (%s).",
             int(largest_loss) + 1, shown(lost[largest_loss], "number").c_str(), int(largest_step) + 1,
             shown(written[largest_step], "number").c_str());
  return {{"kind", "bars"},
          {"title", "What a layer writes, and what is lost without it"},
          {"x", {{"name", "layer"}, {"values", layer_numbers(document, false)}}},
          {"y", {{"name", "true class’s logit, less the mean of all classes"}, {"format", "number"}}},
          {"series",
           {series("written directly (its step)", "network", written),
            series("lost without it (D = 0, b = 0)", "peer", lost)}},
          {"caption", "Lesions on " + shown(document["lesions"]["images"], "count") + " test images."},
          {"alt", alt}};
}

// The score of the label and of the strongest other class, through depth.
Json scores(const Json& document) {
  const std::string one = document["data"]["inputs"] == "pictures" ? "image " : "row ";
  Json panels = Json::array();
  size_t settled_last = 0, index = 0;
  for (const Json& image : document["images"]) {
    Json label = Json::array(), other = Json::array();
    const size_t wanted = image["label"].get<size_t>();
    for (const Json& layer : image["layers"]) {
      double best = 0;
      for (size_t c = 0; c < layer["class_likelihood"].size(); ++c) {
        if (c != wanted) best = std::max(best, layer["class_likelihood"][c].get<double>());
      }
      label.push_back(layer["class_likelihood"][wanted]);
      other.push_back(best);
    }
    const size_t settled = image["settled_in_layer"].get<size_t>();
    if (settled > settled_last) {
      settled_last = settled;
      index = image["index"].get<size_t>();
    }
    panels.push_back({{"title", image["label_name"]},
                      {"note", one + image["index"].dump()},
                      {"series", {series("label", "network", label), series("strongest other", "peer", other)}}});
  }
  return {{"kind", "panels"},
          {"title", "Scores through depth"},
          {"x", {{"name", "layer"}, {"values", layer_numbers(document, false)}}},
          {"y", {{"name", "score"}, {"format", "score"}, {"from", 0}, {"to", 1}}},
          {"panels", panels},
          {"alt", format("Small line charts, one an image, of the score of its label and of the strongest other class "
                         "through the layers. Image %zu is settled last, in layer %zu.",
                         index, settled_last)}};
}

}  // namespace

Json layer_numbers(const Json& document, bool with_input) {
  Json numbers = Json::array();
  for (size_t l = with_input ? 0 : 1; l <= document["layers"].size(); ++l) numbers.push_back(l);
  return numbers;
}

Json with_input(const Json& document, const std::string& key) {
  Json values = Json::array();
  values.push_back(document["input"].contains(key) ? document["input"][key] : Json(nullptr));
  for (const Json& value : column(document["layers"], key)) values.push_back(value);
  return values;
}

Json series(const std::string& name, const std::string& look, Json values) {
  return {{"name", name}, {"look", look}, {"values", std::move(values)}};
}

bool has_column(const Json& document, const std::string& key) { return document["layers"][0].contains(key); }

Json figures(const Json& document) {
  Json all = Json::object();
  all["accuracy"] = accuracy(document);
  if (has_column(document, "lesion_centred_logit_change")) all["lesion"] = lesion(document);
  all["scores"] = scores(document);
  add_inner_figures(document, all);
  add_trust_figures(document, all);
  return all;
}

}  // namespace idelta::cli::report
