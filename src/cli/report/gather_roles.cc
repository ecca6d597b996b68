// Roles of layers: from this network alone, or from all networks of a study.
#include <algorithm>
#include <filesystem>

#include "gather.h"

namespace idelta::cli::report {
namespace {

// A lesion a layer costs half as many passes as the network has layers: of deep ones on some images only.
constexpr int64_t kLesionImages = 2000;
constexpr const char* kOtherSeeds = "other seeds";

struct Measured {
  nn::Probes probes;
  std::vector<nn::Lesion> lesions;
  int64_t lesion_images = 0;
};

// `seed` is empty for the network that is explained, and names another one of the study, whose time is told apart.
Measured measure(const Subject& subject, const nn::Network& network, const std::string& seed, Stopwatch& watch) {
  const auto timed = [&](const char* what, const auto& work) {
    return seed.empty() ? watch.measure(what, work) : watch.measure(kOtherSeeds, work, seed + ": " + what);
  };
  Measured measured;
  measured.probes = timed("linear probes", [&](const nn::PartDone& done) {
    return nn::probe(network, nn::head(*subject.train, nn::kProbeImages), subject.test, {}, done);
  });
  const nn::Dataset some = nn::head(subject.test, network.layers() > kDeep ? kLesionImages : subject.test.count);
  measured.lesions =
      timed("lesions", [&](const nn::PartDone& done) { return nn::lesions(network, some, kBatch, done); });
  measured.lesion_images = some.count;
  return measured;
}

void add_columns(const Measured& measured, Json& document) {
  document["input"]["probe_accuracy"] = measured.probes.input.accuracy;
  for (size_t l = 0; l < measured.lesions.size(); ++l) {
    const nn::Lesion& lesion = measured.lesions[l];
    Json& layer = document["layers"][l];
    layer["probe_accuracy"] = measured.probes.layers[l].accuracy;
    layer["lesion_accuracy"] = lesion.accuracy;
    layer["lesion_accuracy_change"] = lesion.accuracy_change;
    layer["lesion_logit_change"] = lesion.logit_change;
    layer["lesion_centred_logit_change"] = lesion.centred_logit_change;
    layer["centred_contribution"] = lesion.centred_contribution;
  }
  document["lesions"] = {{"images", measured.lesion_images}};
  document["probes"] = {{"train_images", measured.probes.train_count},
                        {"regularisation", measured.probes.regularisation}};
}

// Evidence of each network of the study. `own` is this network's, which is measured already and may be one of them.
std::vector<nn::Evidence> of_siblings(const Subject& subject, const nn::Evidence& own, Stopwatch& watch) {
  const std::string own_hash = nn::parameters_hash(subject.network);
  std::vector<nn::Evidence> seeds;
  for (const std::string& path : subject.siblings) {
    const nn::Network network = nn::load_model(subject.network.context(), path);
    if (nn::parameters_hash(network) == own_hash) {
      seeds.push_back(own);
      continue;
    }
    const std::string seed = std::filesystem::path(path).stem();
    const nn::Evaluation evaluation = watch.measure(
        kOtherSeeds,
        [&](const nn::PartDone& done) {
          return nn::evaluate(network, subject.test, {.norms = false, .progress = done});
        },
        seed);
    const Measured measured = measure(subject, network, seed, watch);
    seeds.push_back(nn::evidence(evaluation, measured.probes, measured.lesions));
  }
  return seeds;
}

}  // namespace

void add_roles(const Subject& subject, const nn::Evaluation& evaluation, Json& document, Stopwatch& watch) {
  if (!subject.train) return;
  const Measured measured = measure(subject, subject.network, "", watch);
  add_columns(measured, document);
  const nn::Evidence own = nn::evidence(evaluation, measured.probes, measured.lesions);
  std::vector<nn::Evidence> seeds = of_siblings(subject, own, watch);
  if (seeds.empty()) seeds.push_back(own);
  const std::vector<nn::RoleReport> roles = nn::roles(seeds);
  for (size_t l = 0; l < roles.size(); ++l) {
    document["layers"][l]["role"] = nn::role_name(roles[l].role);
    document["layers"][l]["role_sentence"] = roles[l].sentence;
  }
  document["roles"] = {{"seeds", seeds.size()}, {"rule", nn::role_rule()}, {"sentences", nn::role_sentences(roles)}};
}

}  // namespace idelta::cli::report
