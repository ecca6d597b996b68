// Whether the maps say anything about this network: controls, and pixel flipping.
#include <algorithm>

#include "gather.h"

namespace idelta::cli::report {
namespace {

constexpr int64_t kComparedImages = 100, kFlippedImages = 200, kDeepFlippedImages = 50, kDeep = 20;
constexpr uint64_t kSeed = 1;

Json similarity_json(const nn::Similarity& similarity) {
  const auto value = [](const std::optional<double>& v) { return v ? Json(*v) : Json(nullptr); };
  return {{"rank_correlation", value(similarity.rank_correlation)},
          {"absolute_rank_correlation", value(similarity.absolute_rank_correlation)},
          {"ssim", value(similarity.ssim)},
          {"images", similarity.images},
          {"undefined", similarity.undefined}};
}

Json with_key(const char* key, int64_t first, const std::vector<nn::Similarity>& similarities) {
  Json list = Json::array();
  for (size_t i = 0; i < similarities.size(); ++i) {
    Json entry = {{key, first + static_cast<int64_t>(i)}};
    entry.update(similarity_json(similarities[i]));
    list.push_back(entry);
  }
  return list;
}

std::vector<int64_t> first_images(const nn::Dataset& data, int64_t count) {
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < std::min(data.count, count); ++i) indices.push_back(i);
  return indices;
}

void add_flipping(const Subject& subject, Json& document, Stopwatch& watch) {
  const nn::FlippingOptions options = {.images =
                                           subject.network.layers() > kDeep ? kDeepFlippedImages : kFlippedImages};
  const nn::Flipping flipping =
      watch.measure("pixel flipping", [&] { return nn::pixel_flipping(subject.network, subject.test, options); });
  Json curves = Json::array();
  for (const nn::FlippingCurve& curve : flipping.curves) {
    curves.push_back({{"ordering", nn::ordering_name(curve.ordering)},
                      {"baseline", nn::baseline_name(curve.baseline)},
                      {"likelihood", curve.likelihood},
                      {"same_prediction", curve.same_prediction},
                      {"likelihood_area", curve.likelihood_area},
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
  watch.measure("controls", [&] {
    const auto compared = [&](const nn::Network& control) {
      return with_key("layer", 1, nn::compare_maps(subject.network, control, subject.test, images));
    };
    document["controls"] = {
        {"images", images.size()},
        {"seed", kSeed},
        {"random_frobenius", compared(nn::random_control(subject.network, kSeed, nn::MatchedNorm::kFrobenius))},
        {"random_spectral", compared(nn::random_control(subject.network, kSeed, nn::MatchedNorm::kSpectral))}};
  });
  watch.measure("randomisation from the top", [&] {
    document["controls"]["randomised_from_top"] =
        with_key("layers", 0, nn::randomisation_from_top(subject.network, subject.test, images, kSeed));
  });
  add_flipping(subject, document, watch);
}

}  // namespace idelta::cli::report
