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

// h^0 .. h^L of one image.
std::vector<std::vector<float>> outputs_of(const nn::Network& network, const nn::Dataset& data, int64_t image) {
  const int64_t pixels = data.pixels();
  std::vector<std::vector<float>> h(static_cast<size_t>(network.layers()) + 1,
                                    std::vector<float>(static_cast<size_t>(network.n())));
  std::vector<float*> outputs;
  for (size_t l = 1; l < h.size(); ++l) outputs.push_back(h[l].data());
  network.pad(std::span(data.images).subspan(image * pixels, pixels), 1, h[0].data());
  network.forward(1, h[0].data(), outputs);
  return h;
}

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
    EXPECT_NEAR(want.logit_change, all[l].logit_change, 1e-6);
    EXPECT_NEAR(want.centred_logit_change, all[l].centred_logit_change, 1e-6);
    EXPECT_NEAR(want.direct_contribution, all[l].direct_contribution, 1e-6);
    EXPECT_NEAR(want.centred_contribution, all[l].centred_contribution, 1e-6);
  }
  EXPECT_GT(changed, 5) << "hardly a prediction changed, so gained and lost were not tested";
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

}  // namespace
}  // namespace idelta_test
