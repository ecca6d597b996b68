// Class maps against an affine map that is found otherwise, and neurons against their sums.
#include <cmath>

#include "nn_double_network.h"
#include "nn_support.h"

namespace idelta_test {
namespace {

constexpr idelta_activation kActivations[] = {{IDELTA_ACTIVATION_IDENTITY, 0.0f},
                                              {IDELTA_ACTIVATION_RELU, 0.0f},
                                              {IDELTA_ACTIVATION_LEAKY_RELU, 0.1f},
                                              {IDELTA_ACTIVATION_HARD_TANH, 0.0f},
                                              {IDELTA_ACTIVATION_TANH, 0.0f}};

// Of four layers of sums of 74 terms in fp32, at random: sqrt(4 * 74) = 17 units of numbers below 3.
constexpr double kRoundings = 17 * 0x1p-24 * 3;

nn::Network network_of(const idelta::Context& context, const idelta_activation& activation) {
  nn::NetworkOptions options = pattern_options(4);
  options.activation = activation;
  options.identity_scale = 1.1f;
  options.class_padding = 0.2f;
  nn::Network network(context, options);
  randomise(network, 8, 0.1f);
  return network;
}

// The logits of h^0, every bend(layer, j, z) in place of act(z).
template <class Bend>
std::vector<double> logits_of(const DoubleNetwork& network, std::vector<double> h, const Bend& bend) {
  for (size_t l = 0; l < network.delta.size(); ++l) h = network.layer(l, h, bend);
  return {h.end() - network.options().classes, h.end()};
}
std::vector<double> logits_of(const DoubleNetwork& network, const std::vector<double>& h) {
  return logits_of(network, h, [&](size_t l, size_t, double z) { return network.activate(l, z); });
}

class ClassMap : public ::testing::Test {
 protected:
  std::span<const float> image(int64_t i) const { return std::span(data_.images).subspan(i * 64, 64); }

  const idelta::Context context_ = nn_context();
  const nn::Dataset data_ = patterns(9, 4);
};

TEST_F(ClassMap, AndItsRestAreTheLogit) {
  for (const idelta_activation& activation : kActivations) {
    SCOPED_TRACE(idelta_activation_name(activation.kind));
    const nn::Network network = network_of(context_, activation);
    const DoubleNetwork exact(network);
    for (int64_t i = 0; i < data_.count; ++i) {
      const std::vector<double> logits = logits_of(exact, exact.padded(image(i)));
      for (const int c : {0, 7, 9}) {
        const nn::ClassMap map = nn::class_map(network, image(i), c);
        double sum = map.rest, magnitude = std::fabs(map.rest);
        for (const float v : map.map) sum += v, magnitude += std::fabs(v);
        EXPECT_NEAR(logits[c], map.logit, kRoundings);
        // Forward and back, four layers of sums of 74 terms, random roundings: measured below 4 units of the sum.
        EXPECT_NEAR(map.logit, sum, 32 * 0x1p-24 * (magnitude + 1)) << i << " " << c;
      }
    }
  }
}

TEST_F(ClassMap, OfPiecewiseLinearNetworksIsTheLocalJacobianTimesTheImage) {
  for (const idelta_activation& activation : kActivations) {
    if (activation.kind == IDELTA_ACTIVATION_TANH) continue;
    SCOPED_TRACE(idelta_activation_name(activation.kind));
    const nn::Network network = network_of(context_, activation);
    const DoubleNetwork exact(network);
    const nn::ClassMap map = nn::class_map(network, image(2), 4);
    std::vector<double> h0 = exact.padded(image(2));
    for (size_t p = 0; p < 64; ++p) {
      constexpr double kStep = 1e-7;
      const double x = h0[p];
      h0[p] = x + kStep;
      const double above = logits_of(exact, h0)[4];
      h0[p] = x - kStep;
      const double below = logits_of(exact, h0)[4];
      h0[p] = x;
      EXPECT_NEAR((above - below) / (2 * kStep) * x, map.map[p], kRoundings) << p;
    }
  }
}

TEST_F(ClassMap, OfTanhHoldsTheSecantsOfThisImage) {
  const nn::Network network = network_of(context_, kActivations[4]);
  const DoubleNetwork exact(network);
  const std::vector<double> h0 = exact.padded(image(5)), dark = exact.padded(std::vector<float>(64));
  std::vector<std::vector<double>> secants(4, std::vector<double>(74));
  logits_of(exact, h0, [&](size_t l, size_t j, double z) {
    const double y = exact.activate(l, z);
    secants[l][j] = y / z;
    return y;
  });
  const auto held = [&](size_t l, size_t j, double z) { return secants[l][j] * z; };
  const double rest = logits_of(exact, dark, held)[3];
  const nn::ClassMap map = nn::class_map(network, image(5), 3);
  EXPECT_NEAR(rest, map.rest, kRoundings);
  for (size_t p = 0; p < 64; ++p) {
    std::vector<double> alone = dark;
    alone[p] = h0[p];
    EXPECT_NEAR(logits_of(exact, alone, held)[3] - rest, map.map[p], kRoundings) << p;
  }
}

TEST_F(ClassMap, HasTheSameBitsInAnyBatchAndAtAnyThreadCount) {
  std::vector<int> classes;
  for (int i = 0; i < 9; ++i) classes.push_back(i);
  std::vector<float> maps(9 * 64), logits(9);
  std::vector<double> rests(9);
  for (const int32_t threads : {1, 2}) {
    const nn::Network network = network_of(nn_context(threads), kActivations[2]);
    for (const int64_t batch : {1, 4, 512}) {
      nn::class_maps(network, 9, data_.images.data(), classes.data(),
                     {.maps = maps.data(), .rests = rests.data(), .logits = logits.data()}, batch);
      for (int64_t i = 0; i < 9; ++i) {
        const nn::ClassMap alone = nn::class_map(network, image(i), classes[i]);
        EXPECT_TRUE(std::equal(alone.map.begin(), alone.map.end(), maps.begin() + i * 64));
        EXPECT_EQ(alone.rest, rests[i]);
        EXPECT_EQ(alone.logit, logits[i]);
      }
    }
  }
}

TEST_F(ClassMap, OfAnUntrainedNetworkIsZero) {
  const nn::Network network(context_, pattern_options(3));
  const nn::ClassMap map = nn::class_map(network, image(0), 1);
  for (const float v : map.map) EXPECT_EQ(0.0f, v);
  EXPECT_EQ(0.0, map.rest);
}

TEST_F(ClassMap, ArgumentsThatCannotBeAreNamed) {
  nn::Network network = network_of(context_, kActivations[2]);
  expect_error([&] { nn::class_map(network, image(0), 10); }, {"class of image 0 is 10", "0 to 9"});
  expect_error([&] { nn::class_map(network, image(0), -1); }, {"class of image 0 is -1"});
  expect_error([&] { nn::class_map(network, image(0).subspan(1), 0); }, {"63 entries", "give 64"});
  std::vector<float> huge(74 * 74), bias(74);
  huge[0] = huge[74] = 3e38f;
  network.set_layer(1, huge, bias);
  const std::vector<float> images(2 * 64, 1.0f);
  const int classes[] = {0, 0};
  EXPECT_THROW(nn::class_maps(network, 2, images.data(), classes, {}), nn::NotFinite);
}

TEST_F(ClassMap, NeuronsAreTheSumOfTheirTerms) {
  for (const idelta_activation& activation : kActivations) {
    const nn::Network network = network_of(context_, activation);
    for (const int64_t layer : {0, 1, 3}) {
      for (const int64_t neuron : {0, 40, 73}) {
        const nn::NeuronSplit split = nn::neuron_split(network, image(1), layer, neuron);
        ASSERT_EQ(74u, split.terms.size());
        EXPECT_EQ(network.bias(layer)[neuron], split.bias);
        double sum = split.bias, magnitude = std::fabs(split.bias);
        for (const double term : split.terms) sum += term, magnitude += std::fabs(term);
        EXPECT_NEAR(sum, split.contribution, (74 + 3) * 0x1p-24 * magnitude);
        EXPECT_NE(0.0f, split.contribution);
      }
    }
    const std::vector<float> D = network.delta(0);
    EXPECT_EQ(static_cast<double>(D[17 * 74 + 40]) * image(1)[17],
              nn::neuron_split(network, image(1), 0, 40).terms[17]);
  }
  const nn::Network network = network_of(context_, kActivations[0]);
  expect_error([&] { nn::neuron_split(network, image(0), 4, 0); }, {"layer is 4", "0 to 3"});
  expect_error([&] { nn::neuron_split(network, image(0), 0, 74); }, {"neuron is 74", "0 to 73"});
}

TEST_F(ClassMap, TopNeuronsAreThoseOfTheLargestMeanTerms) {
  const nn::Network network = network_of(context_, kActivations[2]);
  const auto found = nn::top_neurons(network, data_, 5, 4);
  ASSERT_EQ(4u, found.size());
  for (int64_t l = 0; l < 4; ++l) {
    std::vector<double> means(74), magnitudes(74);
    for (int64_t i = 0; i < data_.count; ++i) {
      const nn::NeuronSplit split = nn::neuron_split(network, image(i), l, 64 + data_.labels[i]);
      for (size_t j = 0; j < 74; ++j) {
        means[j] += split.terms[j] / 9;
        magnitudes[j] += std::fabs(split.terms[j]) / 9;
      }
    }
    ASSERT_EQ(5u, found[l].size());
    for (size_t k = 0; k < 5; ++k) {
      const nn::NeuronTerm& term = found[l][k];
      EXPECT_NEAR(means[term.neuron], term.mean, 1e-14);
      EXPECT_NEAR(magnitudes[term.neuron], term.mean_magnitude, 1e-14);
      EXPECT_EQ(static_cast<int64_t>(k), std::count_if(magnitudes.begin(), magnitudes.end(),
                                                       [&](double m) { return m > term.mean_magnitude + 1e-14; }));
    }
    for (const int64_t batch : {1, 512}) {
      const auto again = nn::top_neurons(network, data_, 5, batch);
      for (size_t k = 0; k < 5; ++k) {
        EXPECT_EQ(found[l][k].neuron, again[l][k].neuron);
        EXPECT_EQ(found[l][k].mean_magnitude, again[l][k].mean_magnitude);
        EXPECT_EQ(found[l][k].mean, again[l][k].mean);
      }
    }
  }
}

}  // namespace
}  // namespace idelta_test
