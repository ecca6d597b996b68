// Evaluation and decomposition: per-layer accuracy, likelihood, norms, completeness, contribution maps.
#include <algorithm>
#include <cmath>

#include "nn/norms.h"
#include "nn_support.h"

namespace idelta_test {
namespace {

class Decomposition : public ::testing::Test {
 protected:
  void SetUp() override { randomise(network_, 5, 0.1f); }

  // h^1 .. h^L of one image, forwarded alone.
  std::vector<std::vector<float>> alone(int64_t index) const {
    const int64_t pixels = data_.pixels();
    std::vector<float> h0(static_cast<size_t>(network_.n()));
    std::vector<std::vector<float>> h(static_cast<size_t>(network_.layers()), h0);
    std::vector<float*> outputs;
    for (std::vector<float>& v : h) outputs.push_back(v.data());
    network_.pad(std::span(data_.images).subspan(index * pixels, pixels), 1, h0.data());
    network_.forward(1, h0.data(), outputs);
    return h;
  }

  const idelta::Context context_ = nn_context();
  nn::Network network_{context_, pattern_options(3)};
  const nn::Dataset data_ = patterns(70, 1);
};

TEST_F(Decomposition, IsTheForwardPassOfThatImageAlone) {
  const int64_t indices[] = {69, 0, 31, 0};
  const std::vector<nn::ImageDecomposition> all = nn::decompose(network_, data_, indices);
  ASSERT_EQ(4u, all.size());
  for (size_t i = 0; i < all.size(); ++i) {
    const nn::ImageDecomposition& d = all[i];
    EXPECT_EQ(indices[i], d.index);
    EXPECT_EQ(data_.labels[indices[i]], d.label);
    ASSERT_EQ(64u, d.image.size());
    EXPECT_TRUE(std::equal(d.image.begin(), d.image.end(), data_.images.begin() + indices[i] * 64));
    const std::vector<std::vector<float>> h = alone(indices[i]);
    ASSERT_EQ(h.size(), d.contribution_maps.size());
    for (size_t l = 0; l < h.size(); ++l) {
      for (size_t p = 0; p < 64; ++p) EXPECT_EQ(h[l][p] - d.image[p], d.contribution_maps[l][p]);
      double sum = 0;
      for (const float likelihood : d.class_likelihoods[l]) {
        EXPECT_GT(likelihood, 0.0f);
        sum += likelihood;
      }
      EXPECT_NEAR(1.0, sum, 10 * 0x1p-24);
      const auto largest = std::max_element(d.class_likelihoods[l].begin(), d.class_likelihoods[l].end());
      EXPECT_EQ(largest - d.class_likelihoods[l].begin(), d.predictions[l]);
      // The likelihoods are those of these class dimensions: their logarithms differ as those do.
      EXPECT_NEAR(h[l][64] - h[l][65], std::log(d.class_likelihoods[l][0] / d.class_likelihoods[l][1]), 1e-5);
    }
  }
}

TEST_F(Decomposition, ImagesThatAreNotThereAreNamed) {
  for (const int64_t index : {int64_t{70}, int64_t{-1}}) {
    expect_error([&] { nn::decompose(network_, data_, {&index, 1}); }, {"image " + std::to_string(index), "0 to 69"});
  }
}

TEST_F(Decomposition, EvaluationAgreesWithSingleImages) {
  std::vector<int64_t> indices(70);
  for (size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<int64_t>(i);
  const std::vector<nn::ImageDecomposition> all = nn::decompose(network_, data_, indices);
  // Batches that divide the set, that do not, and one larger than it.
  for (const int64_t batch : {7, 32, 512}) {
    const nn::Evaluation evaluation = nn::evaluate(network_, data_, batch);
    EXPECT_EQ(70, evaluation.count);
    ASSERT_EQ(3u, evaluation.layers.size());
    const auto zeros = std::count(data_.labels.begin(), data_.labels.end(), 0);
    EXPECT_DOUBLE_EQ(static_cast<double>(zeros) / 70, evaluation.input_accuracy) << "equal entries: the first class";
    for (size_t l = 0; l < 3; ++l) {
      double correct = 0, cross_entropy = 0;
      for (const nn::ImageDecomposition& d : all) {
        correct += d.predictions[l] == d.label;
        cross_entropy -= std::log(d.class_likelihoods[l][d.label]);
      }
      EXPECT_DOUBLE_EQ(correct / 70, evaluation.layers[l].accuracy);
      EXPECT_NEAR(cross_entropy / 70, evaluation.layers[l].cross_entropy, 1e-6);
    }
    EXPECT_EQ(evaluation.layers.back().accuracy, nn::accuracy(network_, data_, batch));
  }
}

TEST_F(Decomposition, StepsAddUpToTheOutput) {
  randomise(network_, 6, 0.5f);  // large steps, so that the sums round
  const nn::Evaluation evaluation = nn::evaluate(network_, data_);
  EXPECT_LT(evaluation.completeness_ulp, 4.0);

  double worst = 0;
  for (int64_t i = 0; i < data_.count; ++i) {
    const std::vector<std::vector<float>> h = alone(i);
    std::vector<float> sum(h[0].size()), below(h[0].size());
    network_.pad(std::span(data_.images).subspan(i * 64, 64), 1, sum.data());
    below = sum;
    float largest = 0;
    for (const std::vector<float>& above : h) {
      for (size_t j = 0; j < sum.size(); ++j) sum[j] += above[j] - below[j];
      below = above;
    }
    for (const float v : below) largest = std::max(largest, std::fabs(v));
    const double ulp = static_cast<double>(std::nextafter(largest, HUGE_VALF)) - largest;
    for (size_t j = 0; j < sum.size(); ++j) {
      worst = std::max(worst, std::fabs(static_cast<double>(sum[j]) - below[j]) / ulp);
    }
  }
  EXPECT_GT(worst, 0.0) << "nothing was rounded, so nothing was tested";
  EXPECT_DOUBLE_EQ(worst, evaluation.completeness_ulp);
}

TEST_F(Decomposition, NormsAreThoseOfD) {
  // D = diag(3, -4, 0, ...): ||D||_2 = 4, ||D||_F = 5.
  const auto n = static_cast<size_t>(network_.n());
  std::vector<float> delta(n * n), bias(n);
  delta[0] = 3;
  delta[n + 1] = -4;
  network_.set_layer(1, delta, bias);
  const nn::Evaluation evaluation = nn::evaluate(network_, data_);
  EXPECT_NEAR(4.0, evaluation.layers[1].spectral_norm, 1e-5);
  EXPECT_NEAR(5.0 / std::sqrt(74.0), evaluation.layers[1].frobenius_ratio, 1e-12);
}

TEST_F(Decomposition, NumbersThatCannotBeAreNamedByLayerAndImage) {
  // Layer 2 makes of pixel 0 more than a float holds, for images whose pixel 0 is not small: 40 and later.
  nn::Dataset data = data_;
  for (int64_t i = 0; i < data.count; ++i) data.images[i * 64] = i < 40 ? 0.0f : 1.0f;
  const auto n = static_cast<size_t>(network_.n());
  const std::vector<float> zero(n * n), bias(n);
  std::vector<float> huge(n * n);
  huge[0] = 3e38f;
  // One that no class dimension shows, and one that does; a later entry that is finite hides neither.
  for (const size_t column : {size_t{0}, n - 2}) {
    SCOPED_TRACE(column);
    std::fill(huge.begin(), huge.end(), 0.0f);
    huge[column] = 3e38f;
    network_.set_layer(0, huge, bias);
    std::fill(huge.begin(), huge.end(), 0.0f);
    huge[column * n + column] = 3e38f;
    network_.set_layer(1, huge, bias);
    network_.set_layer(2, zero, bias);
    for (const int64_t batch : {7, 512}) {
      expect_error([&] { nn::evaluate(network_, data, batch); }, {"evaluate", "layer 2 of 3", "image 40 of patterns"});
      if (column == 0) continue;
      expect_error([&] { nn::accuracy(network_, data, batch); }, {"accuracy", "layer 2 of 3", "image 40 of patterns"});
    }
    const int64_t sound = 3, bad = 41;
    EXPECT_NO_THROW(nn::decompose(network_, data, {&sound, 1}));
    EXPECT_THROW(nn::decompose(network_, data, {&bad, 1}), nn::NotFinite);
    expect_error([&] { nn::decompose(network_, data, {&bad, 1}); }, {"decompose", "layer 2 of 3", "image 41"});
  }
}

TEST_F(Decomposition, PixelsThatAreNotFiniteAreBlamedOnTheData) {
  nn::Dataset data = data_;
  data.images[5 * 64 + 9] = std::nanf("");
  expect_error([&] { nn::evaluate(network_, data); }, {"image 5 of patterns", "pixel", "not finite"});
}

TEST_F(Decomposition, StepsWhoseSumOverflowsAreNamed) {
  nn::NetworkOptions options = pattern_options(2);
  options.identity_scale = -1;
  nn::Network network(context_, options);
  const auto n = static_cast<size_t>(network.n());
  std::vector<float> bias(n);
  bias[3] = 3e38f;  // h^1 there is 3e38, h^2 is -3e38: the step is more than a float holds
  network.set_layer(0, std::vector<float>(n * n), bias);
  EXPECT_NO_THROW(nn::accuracy(network, data_));
  expect_error([&] { nn::evaluate(network, data_); }, {"sum of the layers' steps", "image 0 of patterns"});
}

TEST_F(Decomposition, DataMustFitTheNetwork) {
  nn::Dataset other = data_;
  other.labels[5] = 12;
  expect_error([&] { nn::evaluate(network_, other); }, {"evaluate", "label 12", "10 classes"});
  expect_error([&] { nn::evaluate(network_, data_, 0); }, {"evaluate", "batch is 0"});
  expect_error([&] { nn::accuracy(network_, data_, 0); }, {"accuracy", "batch is 0"});
  expect_error([&] { nn::decompose(network_, nn::head(data_, 0), {}); }, {"decompose", "holds no images"});
}

TEST(SpectralNorm, OfKnownMatrices) {
  EXPECT_EQ(0.0, nn::spectral_norm(std::vector<float>(9), 3));
  // A rank-one matrix u v^T has the norm ||u|| ||v||; zero rows and columns change nothing.
  const float u[] = {1, 0, -2, 2}, v[] = {0, 3, 0, 4};
  std::vector<float> outer;
  for (const float a : u) {
    for (const float b : v) outer.push_back(a * b);
  }
  EXPECT_NEAR(15.0, nn::spectral_norm(outer, 4), 1e-5);
  // A shear: singular values are the golden ratio and its inverse.
  EXPECT_NEAR(1.6180339887, nn::spectral_norm(std::vector<float>{1, 1, 0, 1}, 2), 1e-6);
  EXPECT_NEAR(std::sqrt(3.0), nn::frobenius_norm(std::vector<float>{1, 1, 0, 1}), 1e-15);
}

TEST(SpectralNorm, ValuesThatAreNotFiniteAreAnError) {
  for (const float bad : {std::nanf(""), HUGE_VALF}) {
    expect_error([bad] { nn::spectral_norm(std::vector<float>{0, 0, bad, 0}, 2); }, {"not finite"});
  }
  // Each entry is a float, the norm, sqrt(2) times as large, is not.
  expect_error([] { nn::spectral_norm(std::vector<float>{3e38f, 3e38f, 0, 0}, 2); }, {"larger than a float holds"});
}

}  // namespace
}  // namespace idelta_test
