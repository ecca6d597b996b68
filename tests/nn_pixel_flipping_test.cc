// Pixel flipping: which pixels go first, what takes their place, and what is measured.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "nn_support.h"

namespace idelta_test {
namespace {

class PixelFlipping : public ::testing::Test {
 protected:
  void SetUp() override {
    randomise(network_, 5);
    // As after training, the last layer changes class dimensions only.
    std::vector<float> delta = network_.delta(2), bias(network_.bias(2).begin(), network_.bias(2).end());
    for (size_t i = 0; i < delta.size(); ++i) {
      if (i % 74 < 64) delta[i] = 0.0f;
    }
    std::fill_n(bias.begin(), 64, 0.0f);
    network_.set_layer(2, delta, bias);
    options_.steps = 8;
    options_.random_orders = 2;
  }

  const nn::FlippingCurve& curve(const nn::Flipping& all, nn::Ordering ordering, nn::Baseline baseline) const {
    return *std::find_if(all.curves.begin(), all.curves.end(),
                         [&](const nn::FlippingCurve& c) { return c.ordering == ordering && c.baseline == baseline; });
  }

  // The curve by its definition: ranks sorted, images made anew for every step, decomposed alone.
  nn::FlippingCurve expected(nn::Ordering ordering, nn::Baseline baseline) const {
    nn::FlippingCurve want;
    want.likelihood.resize(9);
    want.same_prediction.resize(9);
    std::vector<double> mean(64);
    for (size_t i = 0; i < data_.images.size(); ++i) mean[i % 64] += data_.images[i] / 30.0;
    for (int64_t i = 0; i < data_.count; ++i) {
      const nn::ImageDecomposition whole = nn::decompose(network_, data_, {&i, 1}).front();
      const int predicted = whole.predictions.back();
      const std::vector<float> class_values = nn::class_map(network_, whole.image, predicted).map;
      std::vector<int64_t> order(64);
      std::iota(order.begin(), order.end(), int64_t{0});
      const auto value = [&](int64_t p) {
        if (ordering == nn::Ordering::kContribution) return std::fabs(whole.contribution_maps[2][p]);
        if (ordering == nn::Ordering::kPixelValue) return std::fabs(whole.image[p]);
        return ordering == nn::Ordering::kClassMap ? std::fabs(class_values[p]) : class_values[p];
      };
      std::sort(order.begin(), order.end(),
                [&](int64_t p, int64_t q) { return value(p) > value(q) || (value(p) == value(q) && p < q); });
      for (int64_t s = 0; s <= 8; ++s) {
        nn::Dataset changed = nn::head(data_, 1);
        changed.images = whole.image;
        for (int64_t k = 0; k < 8 * s; ++k) {
          changed.images[order[k]] = baseline == nn::Baseline::kZero ? 0.0f : static_cast<float>(mean[order[k]]);
        }
        const int64_t zero = 0;
        const nn::ImageDecomposition now = nn::decompose(network_, changed, {&zero, 1}).front();
        want.likelihood[s] += now.class_likelihoods.back()[predicted] / 30.0;
        want.same_prediction[s] += (now.predictions.back() == predicted) / 30.0;
      }
    }
    return want;
  }

  const idelta::Context context_ = nn_context();
  nn::Network network_{context_, pattern_options(3)};
  const nn::Dataset data_ = patterns(30, 1);
  nn::FlippingOptions options_;
};

TEST_F(PixelFlipping, CurvesAreTheirDefinition) {
  const nn::Flipping all = nn::pixel_flipping(network_, data_, options_);
  EXPECT_EQ(30, all.images);
  EXPECT_EQ(2, all.contribution_layer);
  EXPECT_EQ((std::vector<double>{0, .125, .25, .375, .5, .625, .75, .875, 1}), all.fractions);
  EXPECT_EQ(10u, all.curves.size());
  for (const nn::Ordering ordering : {nn::Ordering::kContribution, nn::Ordering::kClassMap,
                                      nn::Ordering::kSignedClassMap, nn::Ordering::kPixelValue}) {
    for (const nn::Baseline baseline : {nn::Baseline::kZero, nn::Baseline::kMeanImage}) {
      SCOPED_TRACE(std::string(nn::ordering_name(ordering)) + ", " + nn::baseline_name(baseline));
      const nn::FlippingCurve want = expected(ordering, baseline), &got = curve(all, ordering, baseline);
      double area = 0;
      for (size_t s = 0; s <= 8; ++s) {
        EXPECT_NEAR(want.likelihood[s], got.likelihood[s], 0x1p-24) << "decompose() rounds likelihoods";
        EXPECT_NEAR(want.same_prediction[s], got.same_prediction[s], 1e-12);
        area += got.likelihood[s] * (s == 0 || s == 8 ? 0.5 : 1.0) / 8;
      }
      EXPECT_NEAR(area, got.likelihood_area, 1e-12);
      EXPECT_EQ(1.0, got.same_prediction[0]);
    }
  }
}

TEST_F(PixelFlipping, EndsAreTheSameForEveryOrdering) {
  const nn::Flipping all = nn::pixel_flipping(network_, data_, options_);
  for (const nn::FlippingCurve& c : all.curves) {
    const nn::FlippingCurve& other = curve(all, nn::Ordering::kClassMap, c.baseline);
    EXPECT_NEAR(other.likelihood.front(), c.likelihood.front(), 1e-12);
    EXPECT_NEAR(other.likelihood.back(), c.likelihood.back(), 1e-12);
    if (c.ordering != nn::Ordering::kClassMap) {
      EXPECT_NE(other.likelihood[4], c.likelihood[4]);
    }
  }
}

TEST_F(PixelFlipping, IsTheSameBitsForEveryBatchThreadCountAndChoiceOfImages) {
  const nn::Flipping want = nn::pixel_flipping(network_, data_, options_);
  nn::Network alone(nn_context(1), pattern_options(3));
  for (int64_t l = 0; l < 3; ++l) alone.set_layer(l, network_.delta(l), network_.bias(l));
  nn::FlippingOptions options = options_;
  options.batch = 7;
  options.indices.resize(30);
  std::iota(options.indices.begin(), options.indices.end(), int64_t{0});
  const nn::Flipping got = nn::pixel_flipping(alone, data_, options);
  for (size_t i = 0; i < want.curves.size(); ++i) {
    EXPECT_EQ(want.curves[i].likelihood, got.curves[i].likelihood);
    EXPECT_EQ(want.curves[i].same_prediction, got.curves[i].same_prediction);
  }
  options.seed = 2;
  const nn::Flipping other = nn::pixel_flipping(network_, data_, options);
  const auto random = [this](const nn::Flipping& all) {
    return curve(all, nn::Ordering::kRandom, nn::Baseline::kZero).likelihood;
  };
  EXPECT_NE(random(want), random(other));
}

TEST_F(PixelFlipping, RandomOrdersOfAnImageDiffer) {
  const auto with = [this](int64_t orders) {
    nn::FlippingOptions options = options_;
    options.random_orders = orders;
    return curve(nn::pixel_flipping(network_, data_, options), nn::Ordering::kRandom, nn::Baseline::kZero)
        .likelihood[4];
  };
  // Were they one order, both would be means of the same likelihoods, of 30 and 60 roundings.
  EXPECT_GT(std::fabs(with(1) - with(2)), (30 + 60) * 0x1p-53);
}

// Spreads are over images: measured here of each image alone.
TEST_F(PixelFlipping, AreasHaveTheSpreadOfTheirImages) {
  const nn::Flipping all = nn::pixel_flipping(network_, data_, options_);
  std::vector<nn::Flipping> alone;
  for (int64_t i = 0; i < 30; ++i) {
    nn::FlippingOptions options = options_;
    options.indices = {i};
    alone.push_back(nn::pixel_flipping(network_, data_, options));
    EXPECT_EQ(0.0, alone.back().curves[0].likelihood_area_error) << "one image has no spread";
  }
  const auto spread = [](const std::vector<double>& values) {
    double mean = 0, squares = 0;
    for (const double v : values) mean += v / 30;
    for (const double v : values) squares += (v - mean) * (v - mean);
    return std::pair(mean, std::sqrt(squares / 29 / 30));
  };
  constexpr double kRounding = 200 * 0x1p-53;  // sums of 30 x 9 numbers below 1 in two orders, and their square roots
  for (const nn::FlippingCurve& got : all.curves) {
    SCOPED_TRACE(std::string(nn::ordering_name(got.ordering)) + ", " + nn::baseline_name(got.baseline));
    std::vector<double> areas, differences;
    for (const nn::Flipping& one : alone) {
      areas.push_back(curve(one, got.ordering, got.baseline).likelihood_area);
      differences.push_back(areas.back() - curve(one, nn::Ordering::kRandom, got.baseline).likelihood_area);
    }
    EXPECT_NEAR(spread(areas).first, got.likelihood_area, kRounding);
    EXPECT_NEAR(spread(areas).second, got.likelihood_area_error, kRounding);
    EXPECT_NEAR(spread(differences).first, got.beyond_random, kRounding);
    EXPECT_NEAR(spread(differences).second, got.beyond_random_error, kRounding);
    EXPECT_EQ(got.ordering == nn::Ordering::kRandom, got.beyond_random_error == 0);
  }
}

TEST_F(PixelFlipping, AFewImagesAreTheFirst) {
  nn::FlippingOptions options = options_;
  options.images = 4;
  const nn::Flipping few = nn::pixel_flipping(network_, data_, options);
  options.indices = {0, 1, 2, 3};
  EXPECT_EQ(4, few.images);
  EXPECT_EQ(few.curves[0].likelihood, nn::pixel_flipping(network_, data_, options).curves[0].likelihood);
}

TEST_F(PixelFlipping, ArgumentsThatCannotBeAreNamed) {
  nn::FlippingOptions options;
  options.steps = 0;
  expect_error([&] { nn::pixel_flipping(network_, data_, options); }, {"pixel_flipping", "steps is 0"});
  options = {};
  options.indices = {30};
  expect_error([&] { nn::pixel_flipping(network_, data_, options); }, {"pixel_flipping", "image 30", "0 to 29"});
}

}  // namespace
}  // namespace idelta_test
