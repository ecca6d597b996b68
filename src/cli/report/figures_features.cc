// Bars of named features, which stand in place of maps.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "figures.h"

namespace idelta::cli::report {
namespace {

constexpr size_t kShownFeatures = 12;

// The features of largest size, falling; of equals the first.
std::vector<size_t> order_by_size(std::span<const float> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return std::fabs(values[a]) > std::fabs(values[b]); });
  order.resize(std::min(order.size(), kShownFeatures));
  return order;
}

Json ranked(const Json& names, std::span<const float> values) {
  Json shown_names = Json::array(), shown_values = Json::array();
  for (const size_t feature : order_by_size(values)) {
    shown_names.push_back(names[feature]);
    shown_values.push_back(values[feature]);
  }
  return {{"names", shown_names}, {"values", shown_values}};
}

template <class ValuesOf>
Json figure(const Json& document, const std::string& title, const std::string& unit, const ValuesOf& values_of) {
  Json panels = Json::array();
  for (size_t i = 0; i < document["images"].size(); ++i) {
    const Json& image = document["images"][i];
    Json panel = {{"title", image["label_name"]},
                  {"note", "row " + image["index"].dump() + ", named " + image["prediction_name"].get<std::string>() +
                               " (" + shown(image["layers"].back()["likelihood"], "score") + ")"}};
    panel.update(ranked(document["data"]["feature_names"], values_of(i)));
    panels.push_back(panel);
  }
  const Json& first = panels[0];
  return {{"kind", "ranked"},
          {"title", title},
          {"y", {{"name", unit}, {"format", "number"}}},
          {"panels", panels},
          {"caption", "The largest " + std::to_string(first["names"].size()) + " of " +
                          std::to_string(document["data"]["feature_names"].size()) + " features, " + unit +
                          ", on one scale that is centred on zero."},
          {"alt", "Bars of named features, blue below zero and red above. Of the first row the largest is " +
                      first["names"][0].get<std::string>() + " with " + shown(first["values"][0], "number") + "."}};
}

}  // namespace

Json layers_of_features(const Json& document, const nn::ImageDecomposition& row) {
  const Json& names = document["data"]["feature_names"];
  std::vector<float> largest(names.size());
  for (const std::vector<float>& map : row.contribution_maps) {
    for (size_t f = 0; f < largest.size(); ++f) largest[f] = std::max(largest[f], std::fabs(map[f]));
  }
  std::vector<size_t> moved = order_by_size(largest);
  std::sort(moved.begin(), moved.end());  // as in the data, so that rows are alike
  const auto layers = [&](const std::vector<std::vector<float>>& all) {
    Json lists = Json::array();
    for (const std::vector<float>& layer : all) {
      Json list = Json::array();
      for (const size_t f : moved) list.push_back(layer[f]);
      lists.push_back(list);
    }
    return lists;
  };
  Json shown_names = Json::array();
  for (const size_t f : moved) shown_names.push_back(names[f]);
  return {{"names", shown_names}, {"maps", layers(row.contribution_maps)}, {"steps", layers(row.steps)}};
}

void add_feature_figures(const Json& document, const Decompositions& decompositions, Json& figures) {
  figures["features"] =
      figure(document, "Contribution of each feature", "in units of the scaled feature",
             [&](size_t i) { return std::span<const float>(decompositions.images[i].contribution_maps.back()); });
  figures["class_features"] =
      figure(document, "Class map (exact propagation): shares of the predicted class’s logit", "in units of the logit",
             [&](size_t i) { return std::span<const float>(decompositions.class_maps[i].map); });
}

}  // namespace idelta::cli::report
