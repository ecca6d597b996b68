// Whether the maps say anything about this network: controls, and pixel flipping.
#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <utility>

#include "gather.h"

namespace idelta::cli::report {
namespace {

constexpr int64_t kComparedImages = 100, kFlippedImages = 200, kDeepFlippedImages = 50;
// Random networks a norm. One alone may lie well above or below the others.
constexpr uint64_t kSeeds = 5;

using Value = std::optional<double> nn::Similarity::*;
constexpr std::pair<const char*, Value> kSimilarities[] = {
    {"rank_correlation", &nn::Similarity::rank_correlation},
    {"absolute_rank_correlation", &nn::Similarity::absolute_rank_correlation},
    {"ssim", &nn::Similarity::ssim}};

// Of the networks in which the value is defined: mean, least and most; null where it is in none.
void add_spread(const std::vector<nn::Similarity>& networks, const char* name, Value value, Json& entry) {
  double sum = 0, least = HUGE_VAL, most = -HUGE_VAL;
  int64_t count = 0;
  for (const nn::Similarity& network : networks) {
    if (!(network.*value)) continue;
    const double v = *(network.*value);
    sum += v, least = std::min(least, v), most = std::max(most, v), ++count;
  }
  const auto or_null = [&](double v) { return count > 0 ? Json(v) : Json(nullptr); };
  entry[name] = or_null(sum / double(count));
  if (networks.size() == 1) return;
  entry[std::string(name) + "_least"] = or_null(least);
  entry[std::string(name) + "_most"] = or_null(most);
}

// networks[s][i]: similarity of the s-th network in entry i, which `key` counts from `first`.
Json similarities_json(const char* key, int64_t first, const std::vector<std::vector<nn::Similarity>>& networks) {
  Json list = Json::array();
  for (size_t i = 0; i < networks[0].size(); ++i) {
    std::vector<nn::Similarity> here;
    for (const std::vector<nn::Similarity>& network : networks) here.push_back(network[i]);
    Json entry = {{key, first + static_cast<int64_t>(i)}};
    for (const auto& [name, value] : kSimilarities) add_spread(here, name, value, entry);
    entry["images"] = here[0].images;
    entry["undefined"] = here[0].undefined;
    list.push_back(entry);
  }
  return list;
}

Json random_networks(const Subject& subject, const nn::ReferenceMaps& reference, nn::MatchedNorm norm,
                     const std::function<void()>& one_done) {
  std::vector<std::vector<nn::Similarity>> networks;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    networks.push_back(reference.compare(nn::random_control(subject.network, seed, norm)));
    one_done();
  }
  return similarities_json("layer", 1, networks);
}

std::vector<int64_t> first_images(const nn::Dataset& data, int64_t count) {
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < std::min(data.count, count); ++i) indices.push_back(i);
  return indices;
}

void add_flipping(const Subject& subject, Json& document, Stopwatch& watch) {
  const nn::FlippingOptions options = {.images =
                                           subject.network.layers() > kDeep ? kDeepFlippedImages : kFlippedImages};
  const nn::Flipping flipping = watch.measure("pixel flipping", [&](const nn::PartDone& done) {
    return nn::pixel_flipping(subject.network, subject.test, options, done);
  });
  Json curves = Json::array();
  for (const nn::FlippingCurve& curve : flipping.curves) {
    curves.push_back({{"ordering", nn::ordering_name(curve.ordering)},
                      {"baseline", nn::baseline_name(curve.baseline)},
                      {"likelihood", curve.likelihood},
                      {"same_prediction", curve.same_prediction},
                      {"likelihood_area", curve.likelihood_area},
                      {"likelihood_area_error", curve.likelihood_area_error},
                      {"beyond_random", curve.beyond_random},
                      {"beyond_random_error", curve.beyond_random_error},
                      {"same_prediction_area", curve.same_prediction_area}});
  }
  document["flipping"] = {{"images", flipping.images},
                          {"contribution_layer", flipping.contribution_layer},
                          {"random_orders", options.random_orders},
                          {"seed", options.seed},
                          {"fractions", flipping.fractions},
                          {"curves", curves}};
}

}  // namespace

std::string baseline_words(const std::string& baseline) { return baseline == "zero" ? baseline : "the " + baseline; }

void add_trust(const Subject& subject, Json& document, Stopwatch& watch) {
  if (subject.quick) return;
  const std::vector<int64_t> images = first_images(subject.test, kComparedImages);
  watch.measure("controls", [&](const nn::PartDone& done) {
    constexpr int64_t kParts = 2 * kSeeds + 1;
    int64_t parts = 0;
    const auto one_done = [&] { done(++parts, kParts); };
    const nn::ReferenceMaps reference(subject.network, subject.test, images);
    document["controls"] = {
        {"images", images.size()},
        {"seeds", kSeeds},
        {"random_frobenius", random_networks(subject, reference, nn::MatchedNorm::kFrobenius, one_done)},
        {"random_spectral", random_networks(subject, reference, nn::MatchedNorm::kSpectral, one_done)},
        {"randomised_from_top", similarities_json("layers", 0, {reference.randomise_from_top(1)})}};
  });
  add_flipping(subject, document, watch);
}

}  // namespace idelta::cli::report
