// Roles of layers: lesions, linear probes, the rule.
#include <algorithm>
#include <cmath>

#include "nn_support.h"

namespace idelta_test {
namespace {

class Roles : public ::testing::Test {
 protected:
  void SetUp() override { randomise(network_, 5, kMagnitude); }

  static constexpr float kMagnitude = 0.3f;  // so large that one layer less changes predictions

  const idelta::Context context_ = nn_context();
  nn::Network network_{context_, pattern_options(4)};
  const nn::Dataset data_ = patterns(70, 1);
};

double centred(const std::vector<float>& h, int label) {
  double mean = 0;
  for (size_t c = 64; c < 74; ++c) mean += h[c] / 10.0;
  return h[64 + label] - mean;
}

// The lesion by its definition: a network whose layer is replaced, image by image.
TEST_F(Roles, ALesionIsTheNetworkWithThatLayerZero) {
  const auto n = static_cast<size_t>(network_.n());
  const std::vector<nn::Lesion> all = nn::lesions(network_, data_, 32);
  ASSERT_EQ(4u, all.size());
  int64_t changed = 0;
  for (int64_t l = 0; l < 4; ++l) {
    SCOPED_TRACE(l);
    nn::Network lesioned(context_, pattern_options(4));
    randomise(lesioned, 5, kMagnitude);
    lesioned.set_layer(l, std::vector<float>(n * n), std::vector<float>(n));
    nn::Lesion want;
    for (int64_t i = 0; i < data_.count; ++i) {
      const int label = data_.labels[i];
      const auto whole = outputs_of(network_, data_, i), without = outputs_of(lesioned, data_, i);
      const auto right = [label](const std::vector<float>& h) {
        return std::max_element(h.begin() + 64, h.end()) - h.begin() == 64 + label;
      };
      want.accuracy += right(without.back()) / 70.0;
      want.gained += right(without.back()) && !right(whole.back());
      want.lost += !right(without.back()) && right(whole.back());
      want.logit_change += (without.back()[64 + label] - whole.back()[64 + label]) / 70.0;
      want.centred_logit_change += (centred(without.back(), label) - centred(whole.back(), label)) / 70.0;
      want.direct_contribution += (whole[l + 1][64 + label] - whole[l][64 + label]) / 70.0;
      want.centred_contribution += (centred(whole[l + 1], label) - centred(whole[l], label)) / 70.0;
    }
    EXPECT_NEAR(want.accuracy, all[l].accuracy, 1e-12);
    EXPECT_NEAR(want.accuracy - nn::accuracy(network_, data_), all[l].accuracy_change, 1e-12);
    EXPECT_EQ(want.gained, all[l].gained);
    EXPECT_EQ(want.lost, all[l].lost);
    changed += all[l].gained + all[l].lost;
    // Differences of floats, exact or rounded once at their size, and fp64 sums of them: magnitudes are below 16.
    constexpr double kRounding = 16 * 0x1p-24;
    EXPECT_NEAR(want.logit_change, all[l].logit_change, kRounding);
    EXPECT_NEAR(want.centred_logit_change, all[l].centred_logit_change, kRounding);
    EXPECT_NEAR(want.direct_contribution, all[l].direct_contribution, kRounding);
    EXPECT_NEAR(want.centred_contribution, all[l].centred_contribution, kRounding);
  }
  EXPECT_GT(changed, 2) << "hardly a prediction changed, so gained and lost were not tested";
}

TEST_F(Roles, LesionsAreTheSameBitsForEveryBatchAndThreadCount) {
  const std::vector<nn::Lesion> want = nn::lesions(network_, data_, 70);
  nn::Network alone(nn_context(1), pattern_options(4));
  randomise(alone, 5, kMagnitude);
  for (const std::vector<nn::Lesion>& got : {nn::lesions(network_, data_, 9), nn::lesions(alone, data_, 512)}) {
    for (size_t l = 0; l < 4; ++l) {
      EXPECT_EQ(want[l].accuracy, got[l].accuracy);
      EXPECT_EQ(want[l].centred_logit_change, got[l].centred_logit_change);
      EXPECT_EQ(want[l].centred_contribution, got[l].centred_contribution);
    }
  }
}

TEST_F(Roles, AnUntrainedNetworkLosesNothing) {
  for (const nn::Lesion& lesion : nn::lesions(nn::Network(context_, pattern_options(3)), data_)) {
    EXPECT_EQ(0.0, lesion.accuracy_change);
    EXPECT_EQ(0.0, lesion.logit_change);
    EXPECT_EQ(0.0, lesion.direct_contribution);
  }
}

TEST_F(Roles, LesionsThatOverflowAreNamed) {
  // Layer 1 makes 1e37 of class dimension 64, layer 2 takes it away, layer 3 multiplies what is left by 100.
  const auto n = static_cast<size_t>(network_.n());
  const size_t entry = 64 * n + 64;
  std::vector<float> delta(n * n), none(n), bias(n);
  nn::Network network(context_, pattern_options(4));
  bias[64] = 1e37f;
  network.set_layer(0, delta, bias);
  delta[entry] = -1.0f;
  network.set_layer(1, delta, none);
  delta[entry] = 99.0f;
  network.set_layer(2, delta, none);
  EXPECT_THROW(nn::lesions(network, data_), nn::NotFinite);
  expect_error([&] { nn::lesions(network, data_); }, {"lesions", "without layer 2", "image 0 of patterns"});
  // And where the whole network does.
  network.set_layer(1, delta, none);
  expect_error([&] { nn::lesions(network, data_); }, {"lesions", "layer 2 of 4", "image 0 of patterns"});
  expect_error([&] { nn::lesions(network_, data_, 0); }, {"lesions", "batch is 0"});
}

// Ridge regression by gradient descent on its own objective, sum ||y - mean y - (h - mean h) W||^2 + lambda ||W||^2:
// another way to the same classes.
class SlowProbe {
 public:
  SlowProbe(const std::vector<std::vector<float>>& h, const std::vector<uint8_t>& labels, double regularisation)
      : n_(h[0].size()), mean_(n_), weights_(n_ * 10), shares_(10) {
    const auto count = double(h.size());
    for (const auto& row : h) {
      for (size_t j = 0; j < n_; ++j) mean_[j] += row[j] / count;
    }
    for (const uint8_t label : labels) shares_[label] += 1 / count;
    double trace = 0;
    for (const auto& row : h) {
      for (size_t j = 0; j < n_; ++j) trace += (row[j] - mean_[j]) * (row[j] - mean_[j]);
    }
    const double lambda = regularisation * trace / double(n_);
    for (int step = 0; step < 100; ++step) {
      std::vector<double> gradient(weights_);
      for (double& g : gradient) g *= lambda;
      for (size_t i = 0; i < h.size(); ++i) {
        const std::vector<double> out = scores(h[i]);
        for (size_t j = 0; j < n_; ++j) {
          for (size_t c = 0; c < 10; ++c) gradient[j * 10 + c] += (out[c] - (c == labels[i])) * (h[i][j] - mean_[j]);
        }
      }
      for (size_t k = 0; k < weights_.size(); ++k) weights_[k] -= gradient[k] / (trace + lambda);
    }
  }
  std::vector<double> scores(const std::vector<float>& h) const {
    std::vector<double> out = shares_;
    for (size_t j = 0; j < n_; ++j) {
      for (size_t c = 0; c < 10; ++c) out[c] += (h[j] - mean_[j]) * weights_[j * 10 + c];
    }
    return out;
  }

 private:
  size_t n_;
  std::vector<double> mean_, weights_, shares_;
};

// So large a penalty that gradient descent converges fast.
constexpr double kRegularisation = 20;

TEST_F(Roles, AProbeIsRidgeRegressionOntoOneHotLabels) {
  const nn::Dataset train = patterns(150, 3);
  const nn::Probes probes = nn::probe(network_, train, data_, {.regularisation = kRegularisation});
  EXPECT_EQ(150, probes.train_count);
  EXPECT_EQ(70, probes.test_count);
  for (size_t l = 0; l <= 4; ++l) {
    SCOPED_TRACE(l);
    std::vector<std::vector<float>> h;
    for (int64_t i = 0; i < 150; ++i) h.push_back(outputs_of(network_, train, i)[l]);
    const SlowProbe slow(h, train.labels, kRegularisation);
    int correct = 0, read = 0;
    for (int64_t i = 0; i < 70; ++i) {
      const std::vector<float> row = outputs_of(network_, data_, i)[l];
      const std::vector<double> out = slow.scores(row);
      correct += std::max_element(out.begin(), out.end()) - out.begin() == data_.labels[i];
      read += std::max_element(row.begin() + 64, row.end()) - row.begin() - 64 == data_.labels[i];
    }
    const nn::ProbeReport& got = l == 0 ? probes.input : probes.layers[l - 1];
    EXPECT_NEAR(correct / 70.0, got.accuracy, 1e-12);
    EXPECT_NEAR(read / 70.0, got.readout, 1e-12);
  }
}

TEST_F(Roles, ChangesOfAProbeAddUpToItsAccuracy) {
  const nn::Probes probes = nn::probe(network_, patterns(400, 3), data_);
  const nn::ProbeReport* before = &probes.input;
  for (const nn::ProbeReport& layer : probes.layers) {
    EXPECT_NEAR(layer.accuracy - before->accuracy, double(layer.probe_gained - layer.probe_lost) / 70, 1e-12);
    EXPECT_NEAR(layer.readout - before->readout, double(layer.readout_gained - layer.readout_lost) / 70, 1e-12);
    before = &layer;
  }
  EXPECT_GT(probes.layers[0].probe_gained + probes.layers[0].probe_lost, 0);
}

TEST_F(Roles, ProbesAreTheSameForEveryBatchAndThreadCount) {
  const nn::Dataset train = patterns(400, 3);
  const nn::Probes want = nn::probe(network_, train, data_);
  nn::Network alone(nn_context(1), pattern_options(4));
  randomise(alone, 5, kMagnitude);
  for (const nn::Probes& got : {nn::probe(network_, train, data_, {.batch = 33}), nn::probe(alone, train, data_)}) {
    for (size_t l = 0; l < 4; ++l) {
      EXPECT_EQ(want.layers[l].accuracy, got.layers[l].accuracy);
      EXPECT_EQ(want.layers[l].probe_gained, got.layers[l].probe_gained);
    }
  }
}

// Features that never change: blank images in an untrained network have no scatter at all.
TEST_F(Roles, ProbesOfFeaturesThatSayNothingNameTheMostFrequentClass) {
  nn::Dataset blank = data_;
  std::fill(blank.images.begin(), blank.images.end(), 0.0f);
  const auto largest = std::count(blank.labels.begin(), blank.labels.end(), [&] {
    std::vector<int64_t> counts(10);
    for (const uint8_t label : blank.labels) ++counts[label];
    return std::max_element(counts.begin(), counts.end()) - counts.begin();
  }());
  const nn::Probes probes = nn::probe(nn::Network(context_, pattern_options(2)), blank, blank);
  EXPECT_DOUBLE_EQ(double(largest) / 70, probes.input.accuracy);
  EXPECT_DOUBLE_EQ(double(largest) / 70, probes.layers[1].accuracy);
  expect_error([&] { nn::probe(network_, data_, data_, {.regularisation = 0}); }, {"probe", "regularisation is 0"});
}

// Layers that inform, write, do both, neither, or are not missed, each clearly.
nn::Evidence made_evidence() {
  nn::Evidence all = {.input_readout = 0.1, .input_probe = 0.6};
  const auto add = [&all](double probe, double readout, double kl) {
    all.layers.push_back({.readout = readout,
                          .readout_error = 0.004,
                          .probe = probe,
                          .probe_error = 0.004,
                          .kl_to_final = kl,
                          .lesion_change = -0.05,
                          .lesion_error = 0.004,
                          .lesion_logit = -1});
  };
  add(0.80, 0.10, 2.0);   // 1: information only
  add(0.85, 0.30, 1.5);   // 2: a sixth of the information, a quarter of the writing
  add(0.855, 0.70, 0.5);  // 3: writing only; the probe's rise is within its error
  add(0.86, 0.705, 0.4);  // 4: both within their errors
  add(0.90, 0.90, 0.1);   // 5: missed by nobody, below
  all.layers[4].lesion_change = -0.001;
  all.layers[4].lesion_logit = 0.2;
  return all;
}

TEST(RoleRule, FollowsItsWords) {
  const nn::Evidence one = made_evidence();
  const std::vector<nn::RoleReport> got = nn::roles({&one, 1});
  using enum nn::Role;
  const nn::Role want[] = {kExtracts, kMixed, kClassifies, kCannotTell, kCannotTell};
  ASSERT_EQ(5u, got.size());
  for (size_t l = 0; l < 5; ++l) EXPECT_EQ(want[l], got[l].role) << got[l].sentence;
  EXPECT_EQ(
      "Layer 1 mainly extracts: 67 % of the linear probe's rise (+20.0 points), 0 % of the class dimensions' (+0.0).",
      got[0].sentence);
  const std::vector<std::string> sentences = nn::role_sentences(got);
  ASSERT_EQ(4u, sentences.size());
  EXPECT_NE(std::string::npos, sentences[3].find("Layers 4 and 5 cannot be told")) << sentences[3];
  EXPECT_NE(std::string::npos, nn::role_rule().find("2 standard errors"));
}

TEST(RoleRule, WritingThatLeadsAwayFromTheFinalLikelihoodDoesNotCount) {
  nn::Evidence one = made_evidence();
  one.layers[2].kl_to_final = 1.6;
  EXPECT_EQ(nn::Role::kCannotTell, nn::roles({&one, 1})[2].role);
}

TEST(RoleRule, SeedsThatDisagreeTellNothing) {
  const nn::Evidence seeds[] = {made_evidence(), made_evidence()};
  EXPECT_EQ(nn::Role::kExtracts, nn::roles(seeds)[0].role);
  nn::Evidence changed[] = {made_evidence(), made_evidence()};
  changed[1].input_readout = 0.0;  // now layer 1 writes, too
  changed[1].input_probe = 0.79;
  const nn::RoleReport first = nn::roles(changed)[0];
  EXPECT_EQ(nn::Role::kCannotTell, first.role);
  EXPECT_EQ((std::vector<nn::Role>{nn::Role::kExtracts, nn::Role::kMixed}), first.by_seed);
  EXPECT_NE(std::string::npos, first.sentence.find("seeds disagree")) << first.sentence;
}

TEST(RoleRule, RefusesWhatIsNotOneSetting) {
  expect_error([] { nn::roles({}); }, {"roles", "no seed"});
  nn::Evidence seeds[] = {made_evidence(), made_evidence()};
  seeds[1].layers.pop_back();
  expect_error([&] { nn::roles(seeds); }, {"5 layers", "4"});
}

TEST_F(Roles, EvidenceTakesItsNumbersFromWhatWasMeasured) {
  const nn::Evaluation evaluation = nn::evaluate(network_, data_);
  const nn::Probes probes = nn::probe(network_, patterns(400, 3), data_);
  std::vector<nn::Lesion> lesions = nn::lesions(network_, data_);
  const nn::Evidence all = nn::evidence(evaluation, probes, lesions);
  EXPECT_EQ(probes.input.accuracy, all.input_probe);
  EXPECT_EQ(probes.input.readout, all.input_readout);
  EXPECT_NE(all.input_probe, all.input_readout);
  const auto error = [](int64_t gained, int64_t lost) { return std::sqrt(double(gained + lost)) / 70; };
  for (size_t l = 0; l < 4; ++l) {
    const nn::LayerEvidence& layer = all.layers[l];
    const nn::ProbeReport& probe = probes.layers[l];
    EXPECT_EQ(evaluation.layers[l].accuracy, layer.readout);
    EXPECT_EQ(probe.accuracy, layer.probe);
    EXPECT_DOUBLE_EQ(error(probe.readout_gained, probe.readout_lost), layer.readout_error);
    EXPECT_DOUBLE_EQ(error(probe.probe_gained, probe.probe_lost), layer.probe_error);
    EXPECT_EQ(evaluation.layers[l].kl_to_final, layer.kl_to_final);
    EXPECT_EQ(lesions[l].accuracy_change, layer.lesion_change);
    EXPECT_DOUBLE_EQ(error(lesions[l].gained, lesions[l].lost), layer.lesion_error);
    EXPECT_EQ(lesions[l].centred_logit_change, layer.lesion_logit);
    EXPECT_EQ(lesions[l].centred_contribution, layer.direct_logit);
  }
  lesions.pop_back();
  expect_error([&] { nn::evidence(evaluation, probes, lesions); }, {"evidence", "4 layers", "lesions 3"});
}

}  // namespace
}  // namespace idelta_test
