// Sentences of the page. What fails is said as plainly as what holds.
#include <algorithm>
#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "cli/table.h"
#include "figures.h"
#include "page.h"

namespace idelta::cli::report {
namespace {

// Groups of layers that the head of the page has a sentence for each.
constexpr size_t kMostSentences = 8;
// Times chance. Images of a class go to one class together, so accuracy without learning is far from binomial.
constexpr double kMostOfChance = 2;
// Standard errors of a difference that tell it from chance.
constexpr double kErrors = 2;

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

// "1, 5 and 20 to 24"
std::string layers_words(const std::vector<int64_t>& layers) {
  std::vector<std::string> ranges;
  for (size_t begin = 0, end = 0; begin < layers.size(); begin = end) {
    while (end < layers.size() && layers[end] - layers[begin] == static_cast<int64_t>(end - begin)) ++end;
    const std::string first = std::to_string(layers[begin]), last = std::to_string(layers[end - 1]);
    if (end - begin == 2) {
      ranges.insert(ranges.end(), {first, last});
    } else {
      ranges.push_back(end - begin == 1 ? first : first + " to " + last);
    }
  }
  std::string text;
  for (size_t r = 0; r < ranges.size(); ++r) {
    text += (r == 0 ? "" : r + 1 == ranges.size() ? " and " : ", ") + ranges[r];
  }
  return text;
}

// One sentence a role, where one a group of layers would be too many to begin with.
Json roles_at_a_glance(const Json& layers) {
  constexpr std::pair<nn::Role, const char*> kWords[] = {{nn::Role::kExtracts, "mainly extract"},
                                                         {nn::Role::kMixed, "do both"},
                                                         {nn::Role::kClassifies, "mainly classify"},
                                                         {nn::Role::kCannotTell, "cannot be told"}};
  Json sentences = Json::array();
  for (const auto& [role, words] : kWords) {
    std::vector<int64_t> of_role;
    for (const Json& layer : layers) {
      if (layer["role"] == nn::role_name(role)) of_role.push_back(layer["layer"].get<int64_t>());
    }
    if (of_role.empty()) continue;
    sentences.push_back("Layers that " + std::string(words) + " (" + std::to_string(of_role.size()) + " of " +
                        std::to_string(layers.size()) + "): " + layers_words(of_role) + ".");
  }
  return sentences;
}

Json about_roles(const Subject& subject, const Json& document) {
  if (!document.contains("roles")) {
    return Json::array({subject.quick
                            ? "Which layers extract and which classify was not judged: --quick leaves out lesions and "
                              "probes."
                            : "Which layers extract and which classify was not judged: that needs the training split, "
                              "which is not there."});
  }
  const bool many = document["roles"]["sentences"].size() > kMostSentences;
  Json sentences = many ? roles_at_a_glance(document["layers"]) : document["roles"]["sentences"];
  const auto seeds = document["roles"]["seeds"].get<int64_t>();
  sentences.push_back(seeds == 1
                          ? "This is one network, seed and all; another seed may say otherwise. idelta study trains "
                            "several, and explain --study states only what they agree on."
                          : format("Roles are stated where all %lld seeds agree.", (long long)seeds));
  return sentences;
}

// Group by group, where the head of the page is content with less.
Json role_details(const Json& document) {
  const Json::json_pointer path("/roles/sentences");
  return document.contains(path) && document.at(path).size() > kMostSentences ? document.at(path) : Json::array();
}

std::string about_completeness(const Json& document) {
  const Json& summary = document["summary"];
  const auto value = [&](const char* key) { return shown(summary[key], "number"); };
  const auto share = summary["layer_residual_share"].get<double>();
  const std::string sum =
      "Input plus all steps, made of the kernel’s contribution and of what the activation changed, misses a layer’s "
      "output by at most " +
      value("completeness_ulp") + " ulp of the largest entry; roundings of " +
      shown(document["network"]["layers"], "count") + " layers may reach " + value("completeness_bound_ulp") +
      ", by proof. A single layer misses by at most " + value("layer_residual_ulp") + " ulp, every entry " +
      (share <= 1 ? "within" : "BEYOND") + " its own bound. The scores of the layers telescope to " +
      value("telescoping_error") + ". ";
  return sum + (summary["complete"].get<bool>()
                    ? "So nothing but roundings is missing from the decomposition."
                    : "THIS FAILS: more is missing than roundings explain, so the steps do not add up.");
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

// Of both kinds of random networks.
double largest_of_controls(const Json& document, const std::string& key) {
  const Json& controls = document["controls"];
  return std::max(largest_entry(column(controls["random_frobenius"], key)),
                  largest_entry(column(controls["random_spectral"], key)));
}

std::string about_controls(const Json& document) {
  const auto most = [&](const char* key) { return largest_of_controls(document, key); };
  const auto value = [](double v) { return shown(v, "number"); };
  const double mean = most("rank_correlation");
  const double single = std::max(most("rank_correlation_least"), most("rank_correlation_most"));
  const std::string limit = value(kMostCorrelation);
  return "Maps of networks with random D of the same norm have a rank correlation with the trained ones of at most " +
         value(mean) + " in any layer, as a mean over " + shown(document["controls"]["seeds"], "count") +
         " seeds; a single seed reaches " + value(single) + ", and the sizes of the maps alone " +
         value(most("absolute_rank_correlation")) + ". " +
         (mean < kMostCorrelation
              ? "The mean is below " + limit + ", the limit, so the maps depend on what was learned."
              : "THIS FAILS: the mean should be below " + limit +
                    ", so part of the maps’ pattern is there without learning.");
}

std::string about_permuted(const Json& document) {
  const Json& permuted = document["permuted_labels"];
  const double chance = document["input"]["accuracy"].get<double>(), most = permuted["most_accuracy"].get<double>();
  const double limit = kMostOfChance * chance;
  const bool single = permuted["networks"] == 1;
  return (single ? "A network that learned permuted labels names"
                 : shown(permuted["networks"], "count") + " networks that learned permuted labels name") +
         " at most " + shown(most, "percent") + " of the test images right in any layer, where chance is " +
         shown(chance, "percent") + " and " + shown(limit, "percent") + " is the limit. " +
         (most < limit ? "So no layer’s accuracy comes from the network’s form alone."
                       : "THIS FAILS: layers are accurate without having learned anything that is true.");
}

// "contribution map (0.548 ± 0.012)"
std::string named_area(const Json& curve) {
  return curve["ordering"].get<std::string>() + " (" + area_words(curve) + ")";
}

// Of one baseline: whether the pixels that a map names matter more than any.
std::string about_flipping(const Json& curves, const std::string& baseline) {
  std::string random, better, chance, worse;
  for (const Json& curve : curves) {
    if (curve["baseline"] != baseline) continue;
    if (curve["ordering"].get<std::string>().starts_with("random")) {
      random = named_area(curve);
      continue;
    }
    const double difference = curve["beyond_random"].get<double>(), error = curve["beyond_random_error"].get<double>();
    std::string& list = difference < -kErrors * error ? better : difference > kErrors * error ? worse : chance;
    list += (list.empty() ? "" : ", ") + named_area(curve);
  }
  std::string text = "With pixels replaced by " + baseline_words(baseline) + ", the area under the score is, ± its " +
                     "standard error over images: " + random + ".";
  if (!better.empty()) text += " Lower by more than two errors of the difference, so more faithful: " + better + ".";
  if (!chance.empty()) {
    text += " Not told from chance: " + chance +
            "; so it is not shown that these rank pixels by what the prediction "
            "needs.";
  }
  if (!worse.empty()) text += " Worse than chance: " + worse + ".";
  return text;
}

Json about_trust(const Subject& subject, const Json& document) {
  Json sentences = {about_completeness(document), about_untrained(document)};
  if (document.contains("permuted_labels")) sentences.push_back(about_permuted(document));
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
                           {"role_details", role_details(document)},
                           {"rule", rule}};
}

}  // namespace idelta::cli::report
