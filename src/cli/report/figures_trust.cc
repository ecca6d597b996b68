// The charts of what can be trusted: completeness, controls, pixel flipping.
#include <algorithm>

#include "cli/table.h"
#include "figures.h"
#include "gather.h"

namespace idelta::cli::report {
namespace {

Json completeness(const Json& document) {
  const Json& layers = document["layers"];
  const Json sums = column(layers, "completeness_ulp"), bounds = column(layers, "completeness_bound_ulp");
  Json lines = {series("roundings may reach", "peer", bounds), series("input plus steps", "network", sums),
                series("one layer alone", "network-2", column(layers, "layer_residual_ulp"))};
  return {{"kind", "lines"},
          {"title", "Completeness"},
          {"x", {{"name", "layer"}, {"values", layer_numbers(document, false)}}},
          {"y", {{"name", "largest error, ulp of the largest entry"}, {"format", "number"}, {"from", 0}}},
          {"series", lines},
          {"alt", "Line chart of the largest error of input plus steps against each layer’s output: at most " +
                      shown(largest_entry(sums), "number") + " units in the last place, where roundings may reach " +
                      shown(largest_entry(bounds), "number") + "."}};
}

// The mean over the seeds, and the band of them.
Json over_seeds(const std::string& name, const char* look, const Json& layers) {
  Json line = series(name, look, column(layers, "rank_correlation"));
  line["low"] = column(layers, "rank_correlation_least");
  line["high"] = column(layers, "rank_correlation_most");
  return line;
}

Json controls(const Json& document) {
  const Json& all = document["controls"];
  const std::vector<double> limit(document["layers"].size(), kMostCorrelation);
  Json lines = {over_seeds("random D, Frobenius norm", "peer", all["random_frobenius"]),
                over_seeds("random D, spectral norm", "peer-2", all["random_spectral"]),
                series("limit of the mean", "thin", limit)};
  return {{"kind", "lines"},
          {"title", "Maps of random networks"},
          {"x", {{"name", "layer"}, {"values", layer_numbers(document, false)}}},
          {"y", {{"name", "rank correlation with the trained maps"}, {"format", "number"}, {"from", -0.5}, {"to", 1}}},
          {"series", lines},
          {"caption", "Means over " + shown(all["images"], "count") + " test images and " +
                          shown(all["seeds"], "count") + " seeds a norm; bands: least and most of the seeds."},
          {"alt", "Line chart of the rank correlation of trained maps with those of networks with random D: at most " +
                      shown(std::max(largest_entry(lines[0]["values"]), largest_entry(lines[1]["values"])), "number") +
                      " in size, where 1 is the same order and 0 none."}};
}

Json permuted(const Json& document) {
  const Json& networks = document["permuted_labels"]["networks"];
  const Json& layers = document["layers"];
  const std::vector<double> chance(layers.size() + 1, document["input"]["accuracy"].get<double>());
  Json lines = {series("true labels", "network", with_input(document, "accuracy")),
                series("permuted labels", "peer", with_input(document, "accuracy_of_permuted_labels")),
                series("chance", "thin", chance)};
  return {{"kind", "lines"},
          {"title", "Networks that learned permuted labels"},
          {"x", {{"name", "layer (0 is the input)"}, {"values", layer_numbers(document, true)}}},
          {"y", {{"name", "test accuracy"}, {"format", "percent"}, {"from", 0}, {"to", 1}}},
          {"series", lines},
          {"caption", std::string("From the study: ") +
                          (networks == 1 ? "a network" : shown(networks, "count") + " networks") +
                          " of the same settings, whose training labels were permuted."},
          {"alt",
           "Line chart of test accuracy against depth, of this network and of such as learned permuted labels, "
           "which reach at most " +
               shown(document["permuted_labels"]["most_accuracy"], "percent") + "."}};
}

Json randomised(const Json& document) {
  const Json& steps = document["controls"]["randomised_from_top"];
  Json lines = {series("signed maps", "network", column(steps, "rank_correlation")),
                series("sizes of the maps", "network-2", column(steps, "absolute_rank_correlation")),
                series("SSIM", "peer", column(steps, "ssim"))};
  return {{"kind", "lines"},
          {"title", "Layers randomised from the top"},
          {"x", {{"name", "last layers made random"}, {"values", column(steps, "layers")}}},
          {"y", {{"name", "similarity to the trained maps"}, {"format", "number"}, {"from", -1}, {"to", 1}}},
          {"series", lines},
          {"alt",
           "Line chart of how similar the final maps stay to the trained ones as more of the last layers are "
           "made random: the rank correlation falls from 1 to " +
               shown(steps.back()["rank_correlation"], "number") + " when all are."}};
}

const char* look_of(const std::string& ordering) {
  if (ordering.starts_with("contribution")) return "network";
  if (ordering.starts_with("signed")) return "network-3";
  if (ordering.find("class map") != std::string::npos) return "network-2";
  return ordering.starts_with("random") ? "peer" : "peer-2";
}

void add_flipping(const Json& document, Json& figures) {
  const Json& flipping = document["flipping"];
  Json lines_of = Json::object(), areas = Json::object();
  for (const Json& curve : flipping["curves"]) {
    const auto ordering = curve["ordering"].get<std::string>(), baseline = curve["baseline"].get<std::string>();
    lines_of[baseline].push_back(series(ordering, look_of(ordering), curve["likelihood"]));
    areas[baseline] = (areas.contains(baseline) ? areas[baseline].get<std::string>() + ", " : "") + ordering + " " +
                      area_words(curve);
  }
  size_t number = 0;
  for (const auto& [baseline, lines] : lines_of.items()) {
    const std::string words = baseline_words(baseline);
    figures["flipping_" + std::to_string(++number)] = {
        {"kind", "lines"},
        {"title", "Pixels replaced by " + words},
        {"x",
         {{"name", "share of pixels replaced, highest ranked first"},
          {"values", flipping["fractions"]},
          {"format", "percent"}}},
        {"y", {{"name", "mean score of the predicted class"}, {"format", "score"}, {"from", 0}, {"to", 1}}},
        {"series", lines},
        {"caption", "Area under each curve ± its standard error over " + shown(flipping["images"], "count") +
                        " images, lower is more faithful: " + areas[baseline].get<std::string>() + "."},
        {"alt", "Line chart of the predicted class’s score as pixels are replaced by " + words +
                    ". Areas under the curves: " + areas[baseline].get<std::string>() + "."}};
  }
}

}  // namespace

std::string area_words(const Json& curve) {
  return format("%.3f\u00a0±\u00a0%.3f", curve["likelihood_area"].get<double>(),
                curve["likelihood_area_error"].get<double>());
}

void add_trust_figures(const Json& document, Json& figures) {
  figures["completeness"] = completeness(document);
  if (document.contains("permuted_labels")) figures["permuted"] = permuted(document);
  if (!document.contains("controls")) return;
  figures["controls"] = controls(document);
  figures["randomised"] = randomised(document);
  add_flipping(document, figures);
}

}  // namespace idelta::cli::report
