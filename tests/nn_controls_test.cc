// Controls: networks whose contribution maps have nothing to say, and how alike maps are.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "nn/norms.h"
#include "nn_support.h"

namespace idelta_test {
namespace {

using Map = std::vector<float>;

TEST(RankCorrelation, OfHandComputedRanks) {
  // Ranks 1 2 3 4 5 against 2 1 4 3 5: 1 - 6 * 4 / (5 * 24).
  EXPECT_DOUBLE_EQ(0.8, nn::rank_correlation(Map{-3, 0, 1, 7, 90}, Map{2, 1, 4, 3, 5}).value());
  EXPECT_DOUBLE_EQ(-1.0, nn::rank_correlation(Map{1, 2, 3}, Map{0.3f, 0.2f, 0.1f}).value());
  // Ties: ranks 1.5 1.5 3 4 against 1 2 3.5 3.5, whose covariance is 4 and whose variances are 4.5 each.
  EXPECT_DOUBLE_EQ(4.0 / 4.5, nn::rank_correlation(Map{5, 5, 6, 7}, Map{0, 1, 2, 2}).value());
  // Zeros of both signs are equal.
  EXPECT_DOUBLE_EQ(1.0, nn::rank_correlation(Map{-0.0f, 0.0f, 1}, Map{0.0f, -0.0f, 9}).value());
}

TEST(RankCorrelation, OfAConstantMapIsUndefined) {
  EXPECT_FALSE(nn::rank_correlation(Map{0, 0, 0}, Map{1, 2, 3}).has_value());
  EXPECT_FALSE(nn::rank_correlation(Map{1, 2, 3}, Map{4, 4, 4}).has_value());
  EXPECT_FALSE(nn::rank_correlation(Map{1}, Map{2}).has_value());
}

TEST(RankCorrelation, RefusesWhatHasNoOrder) {
  expect_error([] { nn::rank_correlation(Map{1, 2}, Map{1}); }, {"rank_correlation", "2 and 1"});
  expect_error([] { nn::rank_correlation(Map{1, std::nanf("")}, Map{1, 2}); }, {"rank_correlation", "not finite"});
}

// SSIM by its definition, a window at a time, in two dimensions and with deviations from the window's own mean.
double ssim_by_definition(const Map& a, const Map& b, int64_t height, int64_t width, double range) {
  const auto size = [](int64_t side) { return side >= 11 ? int64_t{11} : side % 2 == 1 ? side : side - 1; };
  const int64_t tall = size(height), wide = size(width);
  std::vector<double> weights;
  double total = 0;
  for (int64_t i = 0; i < tall; ++i) {
    for (int64_t j = 0; j < wide; ++j) {
      const double di = double(i - tall / 2), dj = double(j - wide / 2);
      total += weights.emplace_back(std::exp(-(di * di + dj * dj) / (2 * 1.5 * 1.5)));
    }
  }
  double sum = 0;
  int64_t windows = 0;
  for (int64_t top = 0; top + tall <= height; ++top) {
    for (int64_t left = 0; left + wide <= width; ++left, ++windows) {
      const auto expectation = [&](const auto& value) {
        double mean = 0;
        for (int64_t k = 0; k < tall * wide; ++k) {
          mean += weights[k] / total * value((top + k / wide) * width + left + k % wide);
        }
        return mean;
      };
      const double ma = expectation([&](int64_t p) { return double(a[p]); });
      const double mb = expectation([&](int64_t p) { return double(b[p]); });
      const double va = expectation([&](int64_t p) { return (a[p] - ma) * (a[p] - ma); });
      const double vb = expectation([&](int64_t p) { return (b[p] - mb) * (b[p] - mb); });
      const double cov = expectation([&](int64_t p) { return (a[p] - ma) * (b[p] - mb); });
      const double c1 = std::pow(0.01 * range, 2), c2 = std::pow(0.03 * range, 2);
      sum += (2 * ma * mb + c1) * (2 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
    }
  }
  return sum / double(windows);
}

TEST(Ssim, IsItsDefinitionWindowByWindow) {
  Random random(3);
  const std::pair<int64_t, int64_t> sizes[] = {{11, 11}, {28, 28}, {13, 20}, {8, 8}, {7, 30}, {2, 3}};
  for (const auto& [height, width] : sizes) {
    SCOPED_TRACE(height);
    Map a(static_cast<size_t>(height * width)), b(a.size());
    for (float& v : a) v = random.uniform(-1, 1);
    for (size_t i = 0; i < b.size(); ++i) b[i] = 0.7f * a[i] + random.uniform(-0.5f, 0.5f);
    const double got = nn::ssim(a, b, height, width, 2.0);
    EXPECT_NEAR(ssim_by_definition(a, b, height, width, 2.0), got, 1e-12);
    EXPECT_EQ(got, nn::ssim(b, a, height, width, 2.0));
    EXPECT_DOUBLE_EQ(1.0, nn::ssim(a, a, height, width, 2.0));
  }
}

TEST(Ssim, OfConstantPicturesComparesTheirMeans) {
  // No variance: (2 * 0.5 * 1 + c1) / (0.25 + 1 + c1) with c1 = 0.01^2.
  EXPECT_NEAR(1.0001 / 1.2501, nn::ssim(Map(144, 0.5f), Map(144, 1.0f), 12, 12, 1.0), 1e-12);
}

TEST(Ssim, RefusesSizesAndRangesThatCannotBe) {
  expect_error([] { nn::ssim(Map(6), Map(6), 2, 2, 1.0); }, {"ssim", "6 values", "2 x 2"});
  expect_error([] { nn::ssim(Map(4), Map(4), 2, 2, 0.0); }, {"ssim", "range is 0"});
}

class Controls : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    trained_ = std::make_unique<nn::Network>(nn_context(), pattern_options(4));
    const nn::Dataset data = patterns(2000, 1);
    nn::TrainOptions options;
    options.epochs = 12;
    options.learning_rate = 0.02f;
    nn::Trainer(*trained_, data, options).run();
  }
  static void TearDownTestSuite() { trained_.reset(); }

  static std::unique_ptr<nn::Network> trained_;
  const nn::Dataset data_ = patterns(60, 2);
  const std::vector<int64_t> indices_ = [] {
    std::vector<int64_t> all(60);
    std::iota(all.begin(), all.end(), int64_t{0});
    return all;
  }();
  const nn::ReferenceMaps maps_{*trained_, data_, indices_};
};
std::unique_ptr<nn::Network> Controls::trained_;

TEST_F(Controls, TheTrainedNetworkHasLearned) { EXPECT_GT(nn::accuracy(*trained_, data_), 0.9); }

TEST_F(Controls, MapsOfTheUntrainedNetworkAreExactlyZero) {
  const nn::Network untrained = nn::untrained_control(*trained_);
  for (const nn::ImageDecomposition& image : nn::decompose(untrained, data_, indices_)) {
    for (const Map& map : image.contribution_maps) {
      EXPECT_TRUE(std::all_of(map.begin(), map.end(), [](float v) { return v == 0.0f; }));
    }
  }
  // So that nothing is said of their similarity.
  for (const nn::Similarity& layer : maps_.compare(untrained)) {
    EXPECT_FALSE(layer.rank_correlation.has_value());
    EXPECT_FALSE(layer.absolute_rank_correlation.has_value());
    EXPECT_FALSE(layer.ssim.has_value());
    EXPECT_EQ(60, layer.images);
    EXPECT_EQ(60, layer.undefined);
  }
}

TEST_F(Controls, RandomLayersHaveTheNormsOfTheTrainedOnes) {
  for (const nn::MatchedNorm norm : {nn::MatchedNorm::kFrobenius, nn::MatchedNorm::kSpectral}) {
    SCOPED_TRACE(nn::matched_norm_name(norm));
    const nn::Network random = nn::random_control(*trained_, 1, norm);
    for (int64_t l = 0; l < 4; ++l) {
      const std::vector<float> want = trained_->delta(l), got = random.delta(l);
      if (norm == nn::MatchedNorm::kFrobenius) {
        EXPECT_NEAR(1.0, nn::frobenius_norm(got) / nn::frobenius_norm(want), 0x1p-23) << "each entry was rounded once";
      } else {
        EXPECT_NEAR(1.0, nn::spectral_norm(got, 74) / nn::spectral_norm(want, 74), 3 * 74 * 0x1p-24)
            << "three norms in fp32, each to n roundings";
      }
      EXPECT_NEAR(nn::frobenius_norm(trained_->bias(l)), nn::frobenius_norm(random.bias(l)),
                  0x1p-23 * nn::frobenius_norm(trained_->bias(l)));
      // Gaussian: 68 % within one standard deviation; of 5476 the share has a standard error of 0.6 %.
      const double deviation = nn::frobenius_norm(got) / 74;
      const auto within = std::count_if(got.begin(), got.end(), [&](float v) { return std::fabs(v) < deviation; });
      EXPECT_NEAR(0.683, double(within) / (74 * 74), 0.025);
      // Layers do not share their numbers: those of one are no multiple of another's.
      if (l == 0) continue;
      EXPECT_GT(std::fabs(random.delta(0)[5] / got[5] - random.delta(0)[6] / got[6]), 1e-3);
    }
    EXPECT_NE(random.delta(0), nn::random_control(*trained_, 2, norm).delta(0));
    EXPECT_EQ(random.delta(0), nn::random_control(*trained_, 1, norm).delta(0));
  }
}

// The same parameters with the activation taken away.
nn::Network straight(const nn::Network& network) {
  nn::NetworkOptions options = network.options();
  options.activation = {IDELTA_ACTIVATION_IDENTITY, 0.0f};
  nn::Network made(network.context(), options);
  for (int64_t l = 0; l < network.layers(); ++l) made.set_layer(l, network.delta(l), network.bias(l));
  return made;
}

// Ranks of 64 pixels correlate by chance, with a spread of 1 / sqrt(63) = 0.13, and all images of a network alike: so
// this is the mean over eight networks, which spreads by 0.045. What is left with leaky_relu, which bends both
// networks' maps at the same pixels, goes with the activation.
TEST_F(Controls, RandomNetworksDoNotCorrelateWithTheTrainedOne) {
  constexpr int kSeeds = 8;
  const nn::Network linear_network = straight(*trained_);
  const nn::ReferenceMaps straight_maps(linear_network, data_, indices_);
  for (const nn::MatchedNorm norm : {nn::MatchedNorm::kFrobenius, nn::MatchedNorm::kSpectral}) {
    double bent[4] = {}, unbent[4] = {};
    for (int seed = 1; seed <= kSeeds; ++seed) {
      const nn::Network random = nn::random_control(*trained_, seed, norm);
      const auto as_is = maps_.compare(random);
      const auto linear = straight_maps.compare(straight(random));
      for (size_t l = 0; l < 4; ++l) {
        bent[l] += as_is[l].rank_correlation.value() / kSeeds;
        unbent[l] += linear[l].rank_correlation.value() / kSeeds;
        EXPECT_EQ(0, as_is[l].undefined);
      }
    }
    for (size_t l = 0; l < 4; ++l) {
      SCOPED_TRACE(testing::Message() << "as it is " << bent[l] << ", linear " << unbent[l]);
      EXPECT_LT(std::fabs(bent[l]), 0.2);
      EXPECT_LT(std::fabs(unbent[l]), 0.1);
    }
  }
  for (const nn::Similarity& layer : maps_.compare(*trained_)) {
    EXPECT_DOUBLE_EQ(1.0, layer.rank_correlation.value());
    EXPECT_DOUBLE_EQ(1.0, layer.absolute_rank_correlation.value());
    EXPECT_DOUBLE_EQ(1.0, layer.ssim.value());
  }
}

TEST_F(Controls, SimilarityIsTheMeanOverImages) {
  const nn::Network random = nn::random_control(*trained_, 1);
  const std::vector<nn::Similarity> layers = maps_.compare(random);
  const auto a = nn::decompose(*trained_, data_, indices_), b = nn::decompose(random, data_, indices_);
  for (size_t l = 0; l < 4; ++l) {
    double ranks = 0, absolute = 0, structure = 0;
    for (size_t i = 0; i < 60; ++i) {
      Map one = a[i].contribution_maps[l], other = b[i].contribution_maps[l];
      ranks += nn::rank_correlation(one, other).value() / 60;
      float largest[2] = {};
      for (size_t p = 0; p < 64; ++p) {
        largest[0] = std::max(largest[0], std::fabs(one[p]));
        largest[1] = std::max(largest[1], std::fabs(other[p]));
      }
      Map scaled[2] = {one, other};
      for (size_t p = 0; p < 64; ++p) {
        scaled[0][p] /= largest[0];
        scaled[1][p] /= largest[1];
        one[p] = std::fabs(one[p]);
        other[p] = std::fabs(other[p]);
      }
      absolute += nn::rank_correlation(one, other).value() / 60;
      structure += ssim_by_definition(scaled[0], scaled[1], 8, 8, 2.0) / 60;
    }
    EXPECT_NEAR(ranks, layers[l].rank_correlation.value(), 1e-12);
    EXPECT_NEAR(absolute, layers[l].absolute_rank_correlation.value(), 1e-12);
    EXPECT_NEAR(structure, layers[l].ssim.value(), 1e-12);
  }
}

TEST_F(Controls, RandomisationFromTheTopIsThatOfTheNetworksMadeSo) {
  const std::vector<nn::Similarity> steps = maps_.randomise_from_top(7);
  ASSERT_EQ(5u, steps.size());
  EXPECT_DOUBLE_EQ(1.0, steps[0].rank_correlation.value());
  for (int64_t k = 0; k <= 4; ++k) {
    const nn::Network made = nn::randomised_from_top(*trained_, k, 7);
    for (int64_t l = 0; l < 4; ++l) EXPECT_EQ(l < 4 - k, made.delta(l) == trained_->delta(l));
    const nn::Similarity want = maps_.compare(made).back();
    EXPECT_EQ(want.rank_correlation, steps[k].rank_correlation);
    EXPECT_EQ(want.ssim, steps[k].ssim);
  }
  EXPECT_LT(std::fabs(steps[4].rank_correlation.value()), 0.3) << "chance spreads by 0.13, as above";
}

TEST_F(Controls, FeaturesThatAreNoPictureHaveNoStructuralSimilarity) {
  nn::NetworkOptions options = pattern_options(2);
  options.height = 1;
  options.width = 64;
  nn::Dataset data = data_;
  data.height = 1;
  data.width = 64;
  nn::Network a(trained_->context(), options), b(trained_->context(), options);
  randomise(a, 1);
  randomise(b, 2);
  for (const nn::Similarity& layer : nn::ReferenceMaps(a, data, indices_).compare(b)) {
    EXPECT_TRUE(layer.rank_correlation.has_value());
    EXPECT_FALSE(layer.ssim.has_value());
  }
}

TEST_F(Controls, ArgumentsThatCannotBeAreNamed) {
  expect_error([&] { nn::randomised_from_top(*trained_, 5, 1); }, {"count is 5", "0 to 4"});
  expect_error([&] { nn::ReferenceMaps(*trained_, data_, {}); }, {"ReferenceMaps", "no image"});
  const int64_t bad = 60;
  expect_error([&] { nn::ReferenceMaps(*trained_, data_, {&bad, 1}); }, {"image 60", "0 to 59"});
  const nn::Network other(trained_->context(), pattern_options(3));
  expect_error([&] { maps_.compare(other); }, {"4 and 3 layers"});
}

}  // namespace
}  // namespace idelta_test
