// Roles of layers: one rule, its words, and sentences from it.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "error.h"
#include "idelta/nn.hpp"

namespace idelta::nn {
namespace {

// The thresholds of the rule, which role_rule() states in words.
constexpr double kErrors = 2;  // standard errors that a change must exceed to count
constexpr double kFactor = 2;  // by which one share must exceed the other

// What one layer changed, in one seed.
struct Rises {
  double probe = 0, readout = 0;
  double kl_fall = 0;  // of the first layer: not known
};

Rises rises_of(const Evidence& seed, size_t l) {
  const LayerEvidence& layer = seed.layers[l];
  if (l == 0) return {layer.probe - seed.input_probe, layer.readout - seed.input_readout, 0};
  const LayerEvidence& before = seed.layers[l - 1];
  return {layer.probe - before.probe, layer.readout - before.readout, before.kl_to_final - layer.kl_to_final};
}

// The network does worse without the layer.
bool is_missed(const LayerEvidence& layer) {
  return layer.lesion_change < -kErrors * layer.lesion_error || layer.lesion_logit < 0;
}

// The sums over the layers that rise.
Rises all_rises(const Evidence& seed) {
  Rises all;
  for (size_t l = 0; l < seed.layers.size(); ++l) {
    const Rises rises = rises_of(seed, l);
    all.probe += std::max(0.0, rises.probe);
    all.readout += std::max(0.0, rises.readout);
  }
  return all;
}

std::vector<Role> roles_of(const Evidence& seed) {
  const Rises all = all_rises(seed);
  std::vector<Role> roles;
  for (size_t l = 0; l < seed.layers.size(); ++l) {
    const LayerEvidence& layer = seed.layers[l];
    const Rises rises = rises_of(seed, l);
    const bool informs = rises.probe > kErrors * layer.probe_error;
    const bool writes = rises.readout > kErrors * layer.readout_error && (l == 0 || rises.kl_fall > 0);
    // What does not count has no share.
    const double informed = informs ? rises.probe / all.probe : 0, written = writes ? rises.readout / all.readout : 0;
    if (!is_missed(layer) || (!informs && !writes)) {
      roles.push_back(Role::kCannotTell);
    } else if (informed >= kFactor * written) {
      roles.push_back(Role::kExtracts);
    } else {
      roles.push_back(written >= kFactor * informed ? Role::kClassifies : Role::kMixed);
    }
  }
  return roles;
}

// "12 % of the linear probe's rise (+1.2 points)"
std::string rise_text(const char* whose, double share, double rise, const char* unit) {
  // Adding 0 makes of -0 what it is.
  const double percent = std::round(100 * share) + 0.0, points = std::round(1000 * rise) / 10 + 0.0;
  char text[96];
  std::snprintf(text, sizeof text, "%.0f %% of %s (%+.1f%s)", percent, whose, points, unit);
  return text;
}

bool seeds_differ(const RoleReport& layer) {
  return std::any_of(layer.by_seed.begin(), layer.by_seed.end(), [&](Role r) { return r != layer.by_seed[0]; });
}

// Of the layers first .. last, which have the same role.
std::string role_sentence(std::span<const RoleReport> layers) {
  double probe = 0, readout = 0, probe_share = 0, readout_share = 0;
  for (const RoleReport& layer : layers) {
    probe += layer.probe_rise;
    readout += layer.readout_rise;
    probe_share += layer.probe_share;
    readout_share += layer.readout_share;
  }
  const bool many = layers.size() > 1;
  const std::string who =
      many ? sentence("Layers ", layers.front().layer, layers.size() == 2 ? " and " : " to ", layers.back().layer)
           : sentence("Layer ", layers.front().layer);
  const std::string what =
      sentence(rise_text("the linear probe's rise", probe_share, probe, " points"), ", ",
               rise_text("the class dimensions'", readout_share, readout, ""), many ? " together." : ".");
  switch (layers.front().role) {
    case Role::kExtracts:
      return sentence(who, many ? " mainly extract: " : " mainly extracts: ", what);
    case Role::kMixed:
      return sentence(who, many ? " do both: " : " does both: ", what);
    case Role::kClassifies:
      return sentence(who, many ? " mainly classify: " : " mainly classifies: ", what);
    case Role::kCannotTell:
      break;
  }
  const auto differ = std::count_if(layers.begin(), layers.end(), seeds_differ);
  const char* const why = differ == 0 ? "changes lie within sampling error, or the network does not miss the layer; "
                          : differ == static_cast<int64_t>(layers.size())
                              ? "seeds disagree; "
                              : "seeds disagree, or changes lie within sampling error; ";
  return sentence(who, " cannot be told: ", why, what);
}

}  // namespace

Evidence evidence(const Evaluation& evaluation, const Probes& probes, std::span<const Lesion> lesions) {
  const size_t count = evaluation.layers.size();
  if (probes.layers.size() != count || lesions.size() != count) {
    fail("evidence: the evaluation has ", count, " layers, the probes ", probes.layers.size(), ", the lesions ",
         lesions.size(), "; give those of one network");
  }
  Evidence all = {.input_readout = probes.input.readout, .input_probe = probes.input.accuracy};
  // Of a difference of two counts over the same images, of which only those that changed tell (McNemar 1947).
  const auto error = [](int64_t gained, int64_t lost, int64_t images) {
    return std::sqrt(static_cast<double>(gained + lost)) / static_cast<double>(images);
  };
  for (size_t l = 0; l < count; ++l) {
    const ProbeReport& probe = probes.layers[l];
    const Lesion& lesion = lesions[l];
    all.layers.push_back({.readout = probe.readout,
                          .readout_error = error(probe.readout_gained, probe.readout_lost, probes.test_count),
                          .probe = probe.accuracy,
                          .probe_error = error(probe.probe_gained, probe.probe_lost, probes.test_count),
                          .kl_to_final = evaluation.layers[l].kl_to_final,
                          .lesion_change = lesion.accuracy_change,
                          .lesion_error = error(lesion.gained, lesion.lost, lesion.count),
                          .lesion_logit = lesion.centred_logit_change,
                          .direct_logit = lesion.centred_contribution});
  }
  return all;
}

const char* role_name(Role role) {
  switch (role) {
    case Role::kExtracts:
      return "extracts";
    case Role::kMixed:
      return "mixed";
    case Role::kClassifies:
      return "classifies";
    case Role::kCannotTell:
      return "cannot tell";
  }
  return "";
}

std::string role_rule() {
  return sentence(
      "A layer informs if the accuracy of a linear probe on its output is above that on its input by more than ",
      kErrors,
      " standard errors (of the difference on the same test images). It writes if the accuracy of the class dimensions "
      "rises by more than ",
      kErrors,
      " standard errors and, after the first layer, their divergence from the final likelihood falls. Its share of "
      "either is its rise over the sum of all rises; what does not count has a share of 0. A layer extracts if its "
      "share of informing is at least ",
      kFactor, " times its share of writing, classifies if it is the other way round by ", kFactor,
      " times, and is mixed between. It cannot be told where a layer neither informs nor writes, where the network "
      "does not do worse without it (neither accuracy, by more than ",
      kErrors, " standard errors, nor the true class's logit falls), or where seeds disagree.");
}

std::vector<RoleReport> roles(std::span<const Evidence> seeds) {
  if (seeds.empty()) fail("roles: there is no seed; give the evidence of one or more");
  const size_t count = seeds[0].layers.size();
  std::vector<RoleReport> reports(count);
  for (const Evidence& seed : seeds) {
    if (seed.layers.size() != count) {
      fail("roles: one seed has ", count, " layers and another ", seed.layers.size(), "; give seeds of one setting");
    }
    const std::vector<Role> roles = roles_of(seed);
    const Rises all = all_rises(seed);
    const auto each = static_cast<double>(seeds.size());
    const auto share = [&](double rise, double of) { return of > 0 ? rise / of / each : 0; };
    for (size_t l = 0; l < count; ++l) {
      const Rises rises = rises_of(seed, l);
      reports[l].probe_rise += rises.probe / each;
      reports[l].readout_rise += rises.readout / each;
      reports[l].probe_share += share(rises.probe, all.probe);
      reports[l].readout_share += share(rises.readout, all.readout);
      reports[l].by_seed.push_back(roles[l]);
    }
  }
  for (size_t l = 0; l < count; ++l) {
    RoleReport& report = reports[l];
    report.layer = static_cast<int64_t>(l) + 1;
    report.role = seeds_differ(report) ? Role::kCannotTell : report.by_seed[0];
    report.sentence = role_sentence({&report, 1});
  }
  return reports;
}

std::vector<std::string> role_sentences(std::span<const RoleReport> layers) {
  std::vector<std::string> sentences;
  for (size_t begin = 0; begin < layers.size();) {
    size_t end = begin + 1;
    while (end < layers.size() && layers[end].role == layers[begin].role) ++end;
    sentences.push_back(role_sentence(layers.subspan(begin, end - begin)));
    begin = end;
  }
  return sentences;
}

}  // namespace idelta::nn
