// Sentences of the page. What fails is said as plainly as what holds.
#include <algorithm>
#include <cmath>
#include <map>

#include "cli/table.h"
#include "page.h"

namespace idelta::cli::report {
namespace {

constexpr double kMostUlp = 4, kMostCorrelation = 0.2;

// "leaky_relu:0.1" -> "leaky ReLU 0.1"
std::string activation_words(const std::string& name) {
  static const std::map<std::string, std::string> kWords = {{"identity", "no activation"},
                                                            {"relu", "ReLU"},
                                                            {"leaky_relu", "leaky ReLU"},
                                                            {"hard_tanh", "hard tanh"},
                                                            {"tanh", "tanh"}};
  const size_t colon = name.find(':');
  const auto found = kWords.find(name.substr(0, colon));
  const std::string words = found == kWords.end() ? name.substr(0, colon) : found->second;
  return colon == std::string::npos ? words : words + " " + name.substr(colon + 1);
}

std::string data_words(const std::string& name) { return name == "fashion-mnist" ? "Fashion-MNIST" : name; }

std::string line(const Subject& subject, const Json& document) {
  const Json& network = document["network"];
  const int64_t layers = network["layers"].get<int64_t>();
  std::string text = format("%lld layer%s of width %lld, ", (long long)layers, layers == 1 ? "" : "s",
                            (long long)network["n"].get<int64_t>()) +
                     activation_words(network["activation"].get<std::string>()) + ", " + data_words(subject.test.name);
  const Json::json_pointer seed("/training/seed");
  return network.contains(seed) ? text + ", seed " + network.at(seed).get<std::string>() : text;
}

Json about_roles(const Subject& subject, const Json& document) {
  if (!document.contains("roles")) {
    return {subject.quick
                ? "Which layers extract and which classify was not judged: --quick leaves out lesions and probes."
                : "Which layers extract and which classify was not judged: that needs the training split, "
                  "which is not there."};
  }
  Json sentences = document["roles"]["sentences"];
  const auto seeds = document["roles"]["seeds"].get<int64_t>();
  sentences.push_back(seeds == 1
                          ? "This is one network, seed and all; another seed may say otherwise. idelta study trains "
                            "several, and explain --study states only what they agree on."
                          : format("Roles are stated where all %lld seeds agree.", (long long)seeds));
  return sentences;
}

std::string about_completeness(const Json& document) {
  const double ulp = document["summary"]["completeness_ulp"].get<double>();
  return format(
      "Input plus all steps, made of the kernel’s contribution and of what the activation changed, is each "
      "layer’s output to within %s ulp of its largest entry; the scores of the layers telescope to %s. %s",
      shown(ulp, "number").c_str(), shown(document["summary"]["telescoping_error"], "number").c_str(),
      ulp < kMostUlp ? "Nothing is missing from the decomposition."
                     : "THIS FAILS: it should be below 4, so the steps do not add up.");
}

std::string about_untrained(const Json& document) {
  double most = 0;
  for (const Json& layer : document["control_images"][0]["layers"]) {
    most =
        std::max({most, std::fabs(layer["map_least"].get<double>()), std::fabs(layer["map_greatest"].get<double>())});
  }
  return most == 0 ? "The maps of the untrained network are exactly zero: what the sheet shows was learned."
                   : format(
                         "The maps of the untrained network are not zero but reach %s: the activation or the "
                         "identity scale changes the input by itself, and the sheet shows that too.",
                         shown(most, "number").c_str());
}

std::string about_controls(const Json& document) {
  const Json& controls = document["controls"];
  const double most = std::max(largest_entry(column(controls["random_frobenius"], "rank_correlation")),
                               largest_entry(column(controls["random_spectral"], "rank_correlation")));
  return format(
      "Maps of networks with random D of the same norm have a rank correlation of at most %s with the trained "
      "ones. %s",
      shown(most, "number").c_str(),
      most < kMostCorrelation ? "So the maps depend on what was learned."
                              : "THIS FAILS: it should be below 0.2, so the maps look alike without learning.");
}

// Of one baseline: whether the pixels that a map names matter more than any.
std::string about_flipping(const Json& curves, const std::string& baseline) {
  std::map<std::string, double> areas;
  for (const Json& curve : curves) {
    if (curve["baseline"] == baseline) {
      areas[curve["ordering"].get<std::string>()] = curve["likelihood_area"].get<double>();
    }
  }
  std::string better, not_better;
  const auto random =
      std::find_if(areas.begin(), areas.end(), [](const auto& a) { return a.first.starts_with("random"); });
  if (random == areas.end()) return "";
  for (const auto& [name, area] : areas) {
    if (name == random->first) continue;
    std::string& list = area < random->second ? better : not_better;
    list += (list.empty() ? "" : ", ") + name + " (" + shown(area, "number") + ")";
  }
  std::string text = "With pixels replaced by " + baseline_words(baseline) + ", random order leaves an area of " +
                     shown(random->second, "number") + " under the score.";
  if (!better.empty()) text += " Lower, so more faithful: " + better + ".";
  if (!not_better.empty()) {
    text += " No better than chance: " + not_better + "; these do not rank pixels by what the prediction needs.";
  }
  return text;
}

Json about_trust(const Subject& subject, const Json& document) {
  Json sentences = {about_completeness(document), about_untrained(document)};
  if (subject.quick) {
    sentences.push_back("Controls and pixel flipping were left out (--quick).");
    return sentences;
  }
  sentences.push_back(about_controls(document));
  std::vector<std::string> told;
  for (const Json& curve : document["flipping"]["curves"]) {
    const auto baseline = curve["baseline"].get<std::string>();
    if (std::find(told.begin(), told.end(), baseline) != told.end()) continue;
    told.push_back(baseline);
    sentences.push_back(about_flipping(document["flipping"]["curves"], baseline));
  }
  return sentences;
}

std::string about_sheet(const Json& document) {
  const size_t columns = document["maps"]["columns"].size(), layers = document["layers"].size();
  std::string text;
  if (columns < layers) {
    text =
        format("The sheet shows %zu of the %zu layers, evenly spaced; the scrubber below has all. ", columns, layers);
  }
  return text;
}

}  // namespace

void add_sentences(const Subject& subject, Json& document) {
  Json rule = Json::array();
  if (document.contains("roles")) rule.push_back(document["roles"]["rule"]);
  document["network"]["line"] = line(subject, document);
  document["sentences"] = {{"roles", about_roles(subject, document)},
                           {"trust", about_trust(subject, document)},
                           {"sheet", about_sheet(document)},
                           {"rule", rule}};
}

}  // namespace idelta::cli::report
