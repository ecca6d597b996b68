// Evaluation and decomposition: per-layer accuracy, likelihood, norms, completeness, contribution maps.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "nn/norms.h"
#include "nn_support.h"

namespace idelta_test {
namespace {

class Decomposition : public ::testing::Test {
 protected:
  void SetUp() override { randomise(network_, 5, 0.1f); }

  // h^1 .. h^L of one image.
  std::vector<std::vector<float>> alone(int64_t index) const {
    std::vector<std::vector<float>> h = outputs_of(network_, data_, index);
    h.erase(h.begin());
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
      // Both likelihoods and their quotient were rounded, and so is a difference of numbers of this size.
      const double difference = double(h[l][64]) - h[l][65];
      const double likelihoods = std::log(double(d.class_likelihoods[l][0]) / d.class_likelihoods[l][1]);
      EXPECT_NEAR(difference, likelihoods, 2 * 0x1p-24);
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
    const nn::Evaluation evaluation = nn::evaluate(network_, data_, {.batch = batch});
    EXPECT_EQ(70, evaluation.count);
    ASSERT_EQ(3u, evaluation.layers.size());
    const auto zeros = std::count(data_.labels.begin(), data_.labels.end(), 0);
    EXPECT_DOUBLE_EQ(static_cast<double>(zeros) / 70, evaluation.input_accuracy) << "equal entries: the first class";
    for (size_t l = 0; l < 3; ++l) {
      double correct = 0, cross_entropy = 0;
      for (const nn::ImageDecomposition& d : all) {
        correct += d.predictions[l] == d.label;
        cross_entropy -= std::log(double(d.class_likelihoods[l][d.label]));
      }
      EXPECT_DOUBLE_EQ(correct / 70, evaluation.layers[l].accuracy);
      EXPECT_NEAR(cross_entropy / 70, evaluation.layers[l].cross_entropy, 0x1p-23) << "likelihoods were rounded";
    }
    EXPECT_EQ(evaluation.layers.back().accuracy, nn::accuracy(network_, data_, batch));
  }
}

// What evaluate() says of a layer and an image, from what decompose() gives, by the formulas.
TEST_F(Decomposition, ReportsAreMeansOfWhatImagesShow) {
  std::vector<int64_t> indices(70);
  std::iota(indices.begin(), indices.end(), 0);
  const std::vector<nn::ImageDecomposition> all = nn::decompose(network_, data_, indices);
  const nn::Evaluation evaluation = nn::evaluate(network_, data_, {.batch = 32});
  const auto norm = [](const std::vector<float>& v) {
    return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0));
  };
  constexpr double kRounding = 16 * 0x1p-24;  // what decompose() gives is rounded to float; all is below 16
  for (size_t l = 0; l < 3; ++l) {
    nn::LayerReport mean;
    for (const nn::ImageDecomposition& d : all) {
      std::vector<float> logits = alone(d.index)[l];
      logits.erase(logits.begin(), logits.begin() + 64);
      for (size_t c = 0; c < 10; ++c) {
        const double p = d.class_likelihoods[l][c], q = d.class_likelihoods[2][c];
        mean.entropy -= p * std::log(p) / 70;
        mean.kl_to_final += q * std::log(q / p) / 70;
      }
      const float own = logits[d.label];
      logits[d.label] = -HUGE_VALF;
      mean.margin += (own - *std::max_element(logits.begin(), logits.end())) / 70;
      mean.direct_contribution += d.steps[l][64 + d.label] / 70;
      mean.contribution_norm += norm(d.contributions[l]) / 70;
      mean.activation_change_norm += norm(d.activation_changes[l]) / 70;
      mean.step_norm += norm(d.steps[l]) / 70;
    }
    const nn::LayerReport& report = evaluation.layers[l];
    EXPECT_NEAR(mean.entropy, report.entropy, kRounding);
    EXPECT_NEAR(mean.kl_to_final, report.kl_to_final, kRounding);
    EXPECT_NEAR(mean.margin, report.margin, kRounding);
    EXPECT_NEAR(mean.direct_contribution, report.direct_contribution, kRounding);
    EXPECT_NEAR(mean.contribution_norm, report.contribution_norm, kRounding);
    EXPECT_NEAR(mean.activation_change_norm, report.activation_change_norm, kRounding);
    EXPECT_NEAR(mean.step_norm, report.step_norm, kRounding);
    EXPECT_GT(report.entropy, 0.0);
    EXPECT_EQ(l == 2, report.activation_change_norm == 0) << "the last layer is linear";
    EXPECT_EQ(l == 2, report.kl_to_final == 0);
  }
  EXPECT_LT(evaluation.telescoping_error, 4 * 3 * 0x1p-53) << "three sums and differences of numbers below 1";
  EXPECT_GT(evaluation.telescoping_error, 0.0) << "nothing was rounded, so nothing was tested";
}

TEST_F(Decomposition, ReadOutsSayWhenAnImageIsDecided) {
  const std::vector<nn::ReadOut> read_outs = nn::read_outs(network_, data_, 32);
  const nn::Evaluation evaluation = nn::evaluate(network_, data_);
  ASSERT_EQ(70u, read_outs.size());
  std::vector<int64_t> decided(3);
  for (int64_t i = 0; i < 70; ++i) {
    const nn::ReadOut& image = read_outs[i];
    const nn::ImageDecomposition d = nn::decompose(network_, data_, {&i, 1})[0];
    EXPECT_EQ(d.label, image.label);
    EXPECT_TRUE(
        std::equal(d.predictions.begin(), d.predictions.end(), image.predictions.begin(), image.predictions.end()));
    EXPECT_EQ(d.class_likelihoods[2][d.predictions[2]], image.final_likelihood);
    std::vector<float> logits = alone(i)[2];
    std::sort(logits.begin() + 64, logits.end());
    EXPECT_FLOAT_EQ(logits[73] - logits[72], image.final_margin);

    const std::vector<int>& p = d.predictions;
    EXPECT_EQ(p[1] != p[2] ? 3 : p[0] != p[2] ? 2 : 1, image.first_final_layer);
    ++decided[image.first_final_layer - 1];
  }
  EXPECT_EQ(decided, evaluation.decided);
  for (const int64_t images : decided) EXPECT_GT(images, 0) << "a case is not tested";
}

// One walk of the set gives what three separate ones do.
TEST_F(Decomposition, AnEvaluationHandsOverReadOutsAndMapsOnItsWay) {
  constexpr int64_t kBatch = 32, kLayers = 3;
  std::vector<float> all(kLayers * 70 * 64), all_steps(kLayers * 70 * 74), maps(kLayers * kBatch * 64),
      steps(kLayers * kBatch * 74);
  nn::decompose(network_, 70, data_.images.data(), {.contribution_maps = all.data(), .steps = all_steps.data()});
  std::vector<nn::ReadOut> read_outs(3);
  std::vector<int64_t> done;
  int64_t taken = 0;
  const auto same = [&](const std::vector<float>& want, const std::vector<float>& got, int64_t width, int64_t first,
                        int64_t rows) {
    for (int64_t l = 0; l < kLayers; ++l) {
      EXPECT_TRUE(std::equal(got.begin() + l * rows * width, got.begin() + (l + 1) * rows * width,
                             want.begin() + (l * 70 + first) * width));
    }
  };
  const nn::Evaluation evaluation = nn::evaluate(network_, data_,
                                                 {.batch = kBatch,
                                                  .norms = false,
                                                  .read_outs = &read_outs,
                                                  .maps = {.contribution_maps = maps.data(), .steps = steps.data()},
                                                  .with_maps =
                                                      [&](int64_t first, int64_t rows) {
                                                        EXPECT_EQ(taken, first);
                                                        taken += rows;
                                                        same(all, maps, 64, first, rows);
                                                        same(all_steps, steps, 74, first, rows);
                                                      },
                                                  .progress =
                                                      [&](int64_t images, int64_t count) {
                                                        EXPECT_EQ(70, count);
                                                        done.push_back(images);
                                                      }});
  EXPECT_EQ(70, taken);
  EXPECT_EQ((std::vector<int64_t>{32, 64, 70}), done);
  const std::vector<nn::ReadOut> expected = nn::read_outs(network_, data_);
  ASSERT_EQ(expected.size(), read_outs.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(expected[i].predictions, read_outs[i].predictions);
    EXPECT_EQ(expected[i].first_final_layer, read_outs[i].first_final_layer);
    EXPECT_EQ(expected[i].final_margin, read_outs[i].final_margin);
  }
  EXPECT_EQ(0.0, evaluation.layers[0].spectral_norm) << "nobody wanted it";
  EXPECT_EQ(nn::evaluate(network_, data_).layers[0].step_norm, evaluation.layers[0].step_norm);
}

TEST_F(Decomposition, AnEvaluationThatIsStoppedGivesNothing) {
  int chunks = 0;
  const auto stop_at = [&](int last) {
    return nn::evaluate_unless([&] { return ++chunks == last; }, network_, data_, {.batch = 32});
  };
  EXPECT_FALSE(stop_at(2).has_value());
  EXPECT_EQ(2, chunks);
  chunks = 0;
  EXPECT_FALSE(stop_at(5).has_value()) << "between the norms of two layers";
  chunks = 0;
  EXPECT_TRUE(stop_at(100).has_value());
}

TEST_F(Decomposition, HasTheSameBitsInAnyBatchAndAtAnyThreadCount) {
  const nn::Evaluation expected = nn::evaluate(network_, data_, {.batch = 70});
  const std::vector<nn::ReadOut> expected_read_outs = nn::read_outs(network_, data_, 70);
  for (const int32_t threads : {1, 2}) {
    nn::Network network(nn_context(threads), pattern_options(3));
    randomise(network, 5, 0.1f);
    for (const int64_t batch : {1, 32, 512}) {
      const nn::Evaluation evaluation = nn::evaluate(network, data_, {.batch = batch});
      EXPECT_EQ(expected.telescoping_error, evaluation.telescoping_error);
      EXPECT_EQ(expected.decided, evaluation.decided);
      for (size_t l = 0; l < 3; ++l) {
        EXPECT_EQ(0, std::memcmp(&expected.layers[l], &evaluation.layers[l], sizeof(nn::LayerReport))) << l;
        EXPECT_EQ(0, std::memcmp(&expected.closure[l], &evaluation.closure[l], sizeof(nn::Closure))) << l;
      }
      const std::vector<nn::ReadOut> read_outs = nn::read_outs(network, data_, batch);
      for (size_t i = 0; i < read_outs.size(); ++i) {
        EXPECT_EQ(expected_read_outs[i].predictions, read_outs[i].predictions);
        EXPECT_EQ(expected_read_outs[i].final_margin, read_outs[i].final_margin);
      }
    }
  }
}

TEST_F(Decomposition, ArraysHoldEveryImageInEveryLayer) {
  constexpr int64_t kRows = 7;
  std::vector<float> maps(3 * kRows * 64), contributions(3 * kRows * 74), changes(contributions.size()),
      steps(contributions.size()), likelihoods(3 * kRows * 10);
  std::vector<int32_t> predictions(3 * kRows);
  for (const int64_t batch : {1, 3, 512}) {
    nn::decompose(
        network_, kRows, data_.images.data(),
        {maps.data(), contributions.data(), changes.data(), steps.data(), likelihoods.data(), predictions.data()},
        batch);
    for (int64_t i = 0; i < kRows; ++i) {
      const nn::ImageDecomposition d = nn::decompose(network_, data_, {&i, 1})[0];
      const auto same = [i](const std::vector<float>& one, const std::vector<float>& arrays, size_t l) {
        return std::equal(one.begin(), one.end(), arrays.begin() + (l * kRows + i) * one.size());
      };
      for (size_t l = 0; l < 3; ++l) {
        EXPECT_TRUE(same(d.contribution_maps[l], maps, l));
        EXPECT_TRUE(same(d.contributions[l], contributions, l));
        EXPECT_TRUE(same(d.activation_changes[l], changes, l));
        EXPECT_TRUE(same(d.steps[l], steps, l));
        EXPECT_TRUE(same(d.class_likelihoods[l], likelihoods, l));
        EXPECT_EQ(d.predictions[l], predictions[l * kRows + i]);
      }
    }
  }
  // One array by itself, without the others' cost.
  std::vector<int32_t> alone(predictions.size());
  nn::decompose(network_, kRows, data_.images.data(), {.predictions = alone.data()});
  EXPECT_EQ(predictions, alone);
  expect_error([&] { nn::decompose(network_, -1, data_.images.data(), {}); }, {"decompose", "rows is -1"});
  expect_error([&] { nn::decompose(network_, 1, data_.images.data(), {}, 0); }, {"decompose", "batch is 0"});
}

// A file that dropped D gives a network of U V; all statistics are of that one.
TEST_F(Decomposition, OfANetworkWithoutDIsThatOfItsFactors) {
  const TemporaryFolder folder;
  const std::string path = folder / "model.safetensors";
  network_.set_forms(nn::compress(network_, {.rank = 16}, data_));
  nn::save_model(path, network_, {.drop_dense = true});
  const nn::Network factors = nn::load_model(context_, path);
  ASSERT_FALSE(factors.has_dense());
  const nn::Evaluation evaluation = nn::evaluate(factors, data_);
  EXPECT_TRUE(evaluation.closes());
  for (const nn::WeightReport& report : nn::weight_geometry(factors).layers) {
    EXPECT_LE(report.effective_rank, 16.001);
    EXPECT_LT(report.singular_values[16], singular_value_error(74, report.singular_values[0]));
  }
  const nn::ClassMap map = nn::class_map(factors, std::span(data_.images).first(64), 3);
  EXPECT_NEAR(map.logit, std::accumulate(map.map.begin(), map.map.end(), map.rest), 1e-5);
  const nn::NeuronSplit split = nn::neuron_split(factors, std::span(data_.images).first(64), 1, 70);
  double magnitudes = std::fabs(split.bias);
  for (const double term : split.terms) magnitudes += std::fabs(term);
  EXPECT_NEAR(split.contribution, std::accumulate(split.terms.begin(), split.terms.end(), split.bias),
              (74 + 16 + 3) * 0x1p-24 * magnitudes)
      << "sums over n, then over the rank";
  EXPECT_EQ(70u, nn::read_outs(factors, data_).size());
  EXPECT_EQ(4u, nn::feature_reports(factors, data_, data_).size());
  EXPECT_EQ(3u, nn::top_neurons(factors, data_, 4).size());
}

TEST_F(Decomposition, NormsAreThoseOfD) {
  // D = diag(3, -4, 0, ...): ||D||_2 = 4, ||D||_F = 5.
  const auto n = static_cast<size_t>(network_.n());
  std::vector<float> delta(n * n), bias(n);
  delta[0] = 3;
  delta[n + 1] = -4;
  network_.set_layer(1, delta, bias);
  const nn::Evaluation evaluation = nn::evaluate(network_, data_);
  EXPECT_NEAR(4.0, evaluation.layers[1].spectral_norm, singular_value_error(2, 4));
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
      expect_error([&] { nn::evaluate(network_, data, {.batch = batch}); },
                   {"evaluate", "layer 2 of 3", "image 40 of patterns"});
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

TEST_F(Decomposition, StepsThatNoFloatHoldsAreNamed) {
  nn::NetworkOptions options = pattern_options(2);
  options.identity_scale = -1;
  nn::Network network(context_, options);
  const auto n = static_cast<size_t>(network.n());
  std::vector<float> bias(n);
  bias[3] = 3e38f;  // h^1 there is 3e38, h^2 is -3e38: the step is more than a float holds, though not than fp64
  network.set_layer(0, std::vector<float>(n * n), bias);
  EXPECT_NO_THROW(nn::accuracy(network, data_));
  EXPECT_NEAR(6e38, nn::evaluate(network, data_).layers[1].step_norm, 1e33);
  const int64_t image = 4;
  expect_error([&] { nn::decompose(network, data_, {&image, 1}); }, {"a layer's step", "image 4 of patterns"});
}

TEST_F(Decomposition, DataMustFitTheNetwork) {
  nn::Dataset other = data_;
  other.labels[5] = 12;
  expect_error([&] { nn::evaluate(network_, other); }, {"evaluate", "label 12", "10 classes"});
  expect_error([&] { nn::evaluate(network_, data_, {.batch = 0}); }, {"evaluate", "batch is 0"});
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
  EXPECT_NEAR(15.0, nn::spectral_norm(outer, 4), singular_value_error(3, 15));
  // A shear: singular values are the golden ratio and its inverse.
  EXPECT_NEAR(1.6180339887, nn::spectral_norm(std::vector<float>{1, 1, 0, 1}, 2), singular_value_error(2, 1.618));
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
