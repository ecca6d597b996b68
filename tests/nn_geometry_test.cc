// Singular values, alignment, separation, ranks and nearest centres against plain arithmetic in fp64.
#include <algorithm>
#include <cmath>

#include "nn/moments.h"
#include "nn/norms.h"
#include "nn_support.h"

namespace idelta_test {
namespace {

using Matrix64 = std::vector<double>;  // row-major, square

// Cyclic Jacobi: the symmetric matrix becomes diagonal; returns its eigenvectors as columns.
Matrix64 diagonalise(Matrix64& A, size_t n) {
  Matrix64 V(n * n);
  for (size_t i = 0; i < n; ++i) V[i * n + i] = 1;
  for (int sweep = 0; sweep < 12; ++sweep) {
    for (size_t p = 0; p < n; ++p) {
      for (size_t q = p + 1; q < n; ++q) {
        if (A[p * n + q] == 0) continue;
        const double theta = (A[q * n + q] - A[p * n + p]) / (2 * A[p * n + q]);
        const double t = (theta < 0 ? -1 : 1) / (std::fabs(theta) + std::hypot(theta, 1.0));
        const double c = 1 / std::hypot(t, 1.0), s = t * c;
        const auto rotate = [&](double& x, double& y) {
          const double before = x;
          x = c * before - s * y;
          y = s * before + c * y;
        };
        for (size_t k = 0; k < n; ++k) rotate(A[k * n + p], A[k * n + q]);
        for (size_t k = 0; k < n; ++k) rotate(A[p * n + k], A[q * n + k]);
        for (size_t k = 0; k < n; ++k) rotate(V[k * n + p], V[k * n + q]);
      }
    }
  }
  return V;
}

// ---- Weights ------------------------------------------------------------------------------------------------------

class Weights : public ::testing::Test {
 protected:
  // D = sum_k values[k] e_{rows[k]} e_{columns[k]}^T
  void set(int64_t layer, const std::vector<float>& values, const std::vector<size_t>& rows,
           const std::vector<size_t>& columns) {
    std::vector<float> D(74 * 74);
    for (size_t k = 0; k < values.size(); ++k) D[rows[k] * 74 + columns[k]] = values[k];
    network_.set_layer(layer, D, std::vector<float>(74));
  }

  static nn::NetworkOptions options() {
    nn::NetworkOptions options = pattern_options(4);
    options.identity_scale = 0.5f;
    return options;
  }
  nn::Network network_{nn_context(), options()};
};

TEST_F(Weights, SingularValuesRankAndCosineAreThoseOfD) {
  set(0, {3, -4}, {0, 1}, {0, 1});
  set(1, {2, -2, 2, 2}, {5, 6, 7, 8}, {9, 5, 7, 30});
  set(2, {-0.5f, 0.25f}, {10, 11}, {10, 70});
  std::vector<std::pair<int64_t, int64_t>> seen;
  const nn::WeightGeometry geometry =
      nn::weight_geometry(network_, 2, [&](int64_t done, int64_t of) { seen.emplace_back(done, of); });
  ASSERT_EQ(4u, geometry.layers.size());
  EXPECT_EQ((std::vector<std::pair<int64_t, int64_t>>{{1, 4}, {2, 4}, {3, 4}, {4, 4}}), seen);

  const nn::WeightReport& first = geometry.layers[0];
  const double error = singular_value_error(2, 4);
  EXPECT_NEAR(4.0, first.spectral_norm, error);
  EXPECT_NEAR(5 / std::sqrt(74.0), first.frobenius_ratio, 1e-12);
  ASSERT_EQ(74u, first.singular_values.size());
  EXPECT_NEAR(4.0, first.singular_values[0], error);
  EXPECT_NEAR(3.0, first.singular_values[1], error);
  EXPECT_EQ(0.0f, first.singular_values[2]);
  // Shares 16/25 and 9/25. A share q errs by q (1 - q) times twice the relative errors of both values, its entropy by
  // that times log(16 / 9), and 2 is more than the rank.
  const double entropy_error = 0.64 * 0.36 * std::log(16.0 / 9) * 2 * (error / 4 + error / 3);
  EXPECT_NEAR(std::exp(-0.64 * std::log(0.64) - 0.36 * std::log(0.36)), first.effective_rank, 2 * entropy_error);
  // W = I/2 + D: diagonal 3.5, -3.5 and 72 times 0.5.
  EXPECT_NEAR(36 / std::sqrt((2 * 3.5 * 3.5 + 72 * 0.25) * 74), first.cosine_to_identity, 1e-12);

  // Equal shares have the largest entropy there is, so that what they err by counts squared: of that of relative errors
  // e, less than e itself.
  EXPECT_NEAR(4.0, geometry.layers[1].effective_rank, singular_value_error(4, 2) / 2);
  // The diagonal has 73 times 0.5 and once 2.5; -2, 2 and 2 lie beside it.
  EXPECT_NEAR((36.5 + 2.5) / std::sqrt((73 * 0.25 + 6.25 + 12) * 74), geometry.layers[1].cosine_to_identity, 1e-12);
  // Layer 4 is the identity.
  EXPECT_EQ(0.0, geometry.layers[3].effective_rank);
  EXPECT_EQ(0.0, geometry.layers[3].spectral_norm);
  EXPECT_NEAR(1.0, geometry.layers[3].cosine_to_identity, 1e-15);
}

TEST_F(Weights, AlignmentComparesTheSpacesOfTheLargestSingularVectors) {
  set(0, {4, 3, 1}, {0, 1, 2}, {20, 21, 22});
  set(1, {2, 3, 1}, {1, 2, 0}, {23, 24, 20});  // shares row 1 with the first, no column among the first two
  set(2, {5}, {0}, {21});                      // one vector, which lies in the first's spaces
  const nn::Alignment two = nn::weight_geometry(network_, 2).alignment;
  EXPECT_EQ(2, two.vectors);
  const double half = std::sqrt(0.5);
  const double left[] = {1, half, 1, 0, half, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0};
  const double right[] = {1, 0, 1, 0, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0};
  ASSERT_EQ(16u, two.left.size());
  ASSERT_EQ(16u, two.right.size());
  for (size_t i = 0; i < 16; ++i) {
    // Vectors of at most 3 entries: their products err like sums of as many.
    EXPECT_NEAR(left[i], two.left[i], singular_value_error(3, 1)) << i;
    EXPECT_NEAR(right[i], two.right[i], singular_value_error(3, 1)) << i;
  }
  EXPECT_DOUBLE_EQ(std::sqrt(2 / 74.0), two.random);
  expect_error([&] { nn::weight_geometry(network_, 0); }, {"vectors is 0", "1 to 74"});
  expect_error([&] { nn::weight_geometry(network_, 75); }, {"vectors is 75", "1 to 74"});
}

TEST_F(Weights, RandomSpacesHaveTheAlignmentThatIsStated) {
  randomise(network_, 3, 0.1f);
  const nn::Alignment alignment = nn::weight_geometry(network_, 10).alignment;
  double mean = 0;
  for (size_t i = 0; i < 4; ++i) {
    for (size_t j = 0; j < i; ++j) mean += (alignment.left[i * 4 + j] + alignment.right[i * 4 + j]) / 12;
    // sqrt(mean squared cosine) of a space with itself: orthonormal to n 2^-24.
    EXPECT_NEAR(1.0, alignment.left[i * 5], 74 * 0x1p-24);
    EXPECT_NEAR(1.0, alignment.right[i * 5], 74 * 0x1p-24);
  }
  // One alignment spreads by 0.026 (100 squared cosines, each of variance 2 / 74^2), the mean of twelve by 0.0075.
  EXPECT_NEAR(alignment.random, mean, 0.03);
}

TEST(SingularValues, VectorsRebuildTheMatrix) {
  // Row 2 and column 0 are zero and are stripped.
  const std::vector<float> A = {0, 1, 2, 3, 0, -1, 0, 1, 0, 0, 0, 0, 0, 2, 2, 4};
  const nn::SingularValues found = nn::singular_values(A, 4, 4);
  EXPECT_EQ(3, found.vectors);
  for (size_t i = 0; i < 4; ++i) {
    for (size_t j = 0; j < 4; ++j) {
      double sum = 0;
      for (size_t v = 0; v < 3; ++v) sum += found.values[v] * found.left[v * 4 + i] * found.right[v * 4 + j];
      // Backward stable: U S V^T is A to p(3) 2^-24 ||A||, and ||A||_F = sqrt(41).
      EXPECT_NEAR(A[i * 4 + j], sum, singular_value_error(3, std::sqrt(41.0)));
    }
  }
}

// ---- Features -----------------------------------------------------------------------------------------------------

// The features of a set in one layer, and what follows from them, term by term.
struct Plain {
  size_t n = 74, count = 0;
  std::vector<float> features;
  std::vector<uint8_t> labels;

  Plain(const nn::Network& network, const nn::Dataset& data, int64_t layer)
      : count(static_cast<size_t>(data.count)), features(count * n), labels(data.labels) {
    std::vector<std::vector<float>> outputs(static_cast<size_t>(network.layers()), features);
    std::vector<float*> rows;
    for (std::vector<float>& output : outputs) rows.push_back(output.data());
    network.pad(data.images, data.count, features.data());
    network.forward(data.count, features.data(), rows);
    if (layer > 0) features = outputs[layer - 1];
  }

  Matrix64 means() const {
    Matrix64 means(10 * n), counts(10);
    for (size_t i = 0; i < count; ++i) counts[labels[i]] += 1;
    for (size_t i = 0; i < features.size(); ++i)
      means[labels[i / n] * n + i % n] += features[i] / counts[labels[i / n]];
    return means;
  }
  // Of h - centre(i) for every image.
  template <class Centre>
  Matrix64 scatter(const Centre& centre) const {
    Matrix64 found(n * n);
    for (size_t i = 0; i < count; ++i) {
      const Matrix64 d = centre(i);
      for (size_t p = 0; p < n; ++p) {
        for (size_t q = 0; q < n; ++q) found[p * n + q] += d[p] * d[q] / static_cast<double>(count);
      }
    }
    return found;
  }
  Matrix64 mean() const {
    Matrix64 mean(n);
    for (size_t i = 0; i < features.size(); ++i) mean[i % n] += features[i] / static_cast<double>(count);
    return mean;
  }
  Matrix64 within() const {
    const Matrix64 mu = means();
    return scatter([&](size_t i) {
      Matrix64 d(n);
      for (size_t j = 0; j < n; ++j) d[j] = features[i * n + j] - mu[labels[i] * n + j];
      return d;
    });
  }
  Matrix64 between() const {
    const Matrix64 mu = means(), all = mean();
    return scatter([&](size_t i) {
      Matrix64 d(n);
      for (size_t j = 0; j < n; ++j) d[j] = mu[labels[i] * n + j] - all[j];
      return d;
    });
  }
  double separation() const {
    const Matrix64 S_w = within();
    Matrix64 S_b = between();
    const Matrix64 V = diagonalise(S_b, n);
    double trace = 0;
    for (size_t k = 0; k < n; ++k) {
      if (S_b[k * n + k] < 1e-9) continue;  // the rank is at most 9; roundings are below 1e-15
      double spread = 0;
      for (size_t p = 0; p < n; ++p) {
        for (size_t q = 0; q < n; ++q) spread += V[p * n + k] * S_w[p * n + q] * V[q * n + k];
      }
      trace += spread / S_b[k * n + k];
    }
    return trace;
  }
  double effective_rank() const {
    const Matrix64 all = mean();
    Matrix64 covariance = scatter([&](size_t i) {
      Matrix64 d(n);
      for (size_t j = 0; j < n; ++j) d[j] = features[i * n + j] - all[j];
      return d;
    });
    diagonalise(covariance, n);
    double sum = 0, entropy = 0;
    for (size_t k = 0; k < n; ++k) sum += covariance[k * n + k];
    for (size_t k = 0; k < n; ++k) {
      const double share = covariance[k * n + k] / sum;
      if (share > 0) entropy -= share * std::log(share);
    }
    return std::exp(entropy);
  }
  double nearest_centre_accuracy(const Matrix64& centres) const {
    double correct = 0;
    for (size_t i = 0; i < count; ++i) {
      Matrix64 distances(10);
      for (size_t c = 0; c < 10; ++c) {
        for (size_t j = 0; j < n; ++j) distances[c] += std::pow(features[i * n + j] - centres[c * n + j], 2);
      }
      correct += std::min_element(distances.begin(), distances.end()) - distances.begin() == labels[i];
    }
    return correct / static_cast<double>(count);
  }
};

class Features : public ::testing::Test {
 protected:
  void SetUp() override { randomise(network_, 5, 0.1f); }

  const idelta::Context context_ = nn_context();
  nn::Network network_{context_, pattern_options(2)};
  const nn::Dataset data_ = patterns(300, 1), sample_ = patterns(200, 2);
};

TEST_F(Features, AgreeWithPlainArithmetic) {
  const std::vector<nn::FeatureReport> reports = nn::feature_reports(network_, data_, sample_, 64);
  ASSERT_EQ(3u, reports.size());
  for (int64_t l = 0; l <= 2; ++l) {
    SCOPED_TRACE(l);
    const Plain plain(network_, data_, l), sample(network_, sample_, l);
    const double separation = plain.separation(), rank = plain.effective_rank();
    // The Gram matrix sums the images in fp32, whose partial sums grow: sqrt(300 / 3) = 10 roundings of 0.3 units of
    // 2^-24 are 3 2^-24 of it, and what is left once the mean is taken away is a twentieth or more.
    constexpr double kScatterError = 20 * 3 * 0x1p-24;
    EXPECT_NEAR(separation, reports[l].separation, kScatterError * separation);
    EXPECT_NEAR(rank, reports[l].effective_rank, kScatterError * rank);
    EXPECT_DOUBLE_EQ(plain.nearest_centre_accuracy(sample.means()), reports[l].nearest_centre_accuracy);
  }
  const std::vector<nn::FeatureReport> own = nn::feature_reports(network_, data_, data_);
  const Plain plain(network_, data_, 2);
  EXPECT_DOUBLE_EQ(plain.nearest_centre_accuracy(plain.means()), own[2].nearest_centre_accuracy);
  EXPECT_EQ(reports[2].separation, own[2].separation);
  EXPECT_NE(reports[2].nearest_centre_accuracy, own[2].nearest_centre_accuracy);
}

TEST_F(Features, OfTwoPointsAClassAreFoundByHand) {
  // Classes 0 and 1 at pixel 0 = 1 and 3, each image 0.5 beside its centre: S_w = 1/4, S_b = 1 there, nothing else.
  nn::Dataset data = {"four", 4, 8, 8, 10, std::vector<float>(4 * 64), {0, 0, 1, 1}, {}, {}};
  for (size_t i = 0; i < 4; ++i) data.images[i * 64] = (i < 2 ? 1.0f : 3.0f) + (i % 2 ? 0.5f : -0.5f);
  const nn::Network identity(context_, pattern_options(1));
  for (const nn::FeatureReport& report : nn::feature_reports(identity, data, data)) {
    EXPECT_NEAR(0.25, report.separation, 1e-12);
    EXPECT_NEAR(1.0, report.effective_rank, 1e-9);
    EXPECT_EQ(1.0, report.nearest_centre_accuracy);
  }
  // Features that are all the same have no rank, no separation, and only one nearest centre.
  std::fill(data.images.begin(), data.images.end(), 0.0f);
  for (const nn::FeatureReport& report : nn::feature_reports(identity, data, data)) {
    EXPECT_EQ(0.0, report.separation);
    EXPECT_EQ(0.0, report.effective_rank);
    EXPECT_EQ(0.5, report.nearest_centre_accuracy);
  }
}

TEST_F(Features, MomentsHaveTheSameBitsInAnyBatchGroupAndAtAnyThreadCount) {
  const nn::Dataset data = patterns(1100, 3);  // more than two blocks of the Gram matrix
  std::vector<nn::LayerMoments> expected;
  const auto moments = [&](const nn::Network& network, int64_t batch, double most_bytes) {
    std::vector<nn::LayerMoments> found;
    nn::each_layers_moments(
        "test", network, data, batch, nn::Moments::kClassSumsAndGram,
        [&](int64_t layer, const nn::LayerMoments& m) {
          EXPECT_EQ(static_cast<int64_t>(found.size()), layer);
          found.push_back(m);
        },
        most_bytes);
    return found;
  };
  for (const int32_t threads : {1, 2}) {
    nn::Network network(nn_context(threads), pattern_options(2));
    randomise(network, 5, 0.1f);
    for (const int64_t batch : {100, 512, 2000}) {
      for (const double most_bytes : {1.0, 2.5e5, 1e9}) {  // one layer a pass, two, all three
        const std::vector<nn::LayerMoments> found = moments(network, batch, most_bytes);
        ASSERT_EQ(3u, found.size());
        if (expected.empty()) expected = found;
        for (size_t l = 0; l < 3; ++l) {
          EXPECT_EQ(expected[l].counts, found[l].counts);
          EXPECT_EQ(expected[l].class_sums, found[l].class_sums);
          EXPECT_EQ(expected[l].gram, found[l].gram);
        }
      }
    }
  }
  const Plain plain(network_, data, 1);
  for (const size_t p : {size_t{0}, size_t{40}, size_t{73}}) {
    for (size_t q = 0; q < 74; ++q) {
      double sum = 0, magnitude = 0;
      for (size_t i = 0; i < plain.count; ++i) {
        const double product = static_cast<double>(plain.features[i * 74 + p]) * plain.features[i * 74 + q];
        sum += product, magnitude += std::fabs(product);
      }
      EXPECT_NEAR(sum, expected[1].gram[p * 74 + q], 512 * 0x1p-24 * magnitude) << p << " " << q;
    }
  }
}

TEST_F(Features, ErrorsNameTheCallAndTheSet) {
  nn::Dataset other = sample_;
  other.labels[5] = 12;
  expect_error([&] { nn::feature_reports(network_, data_, other); }, {"feature_reports", "label 12"});
  expect_error([&] { nn::feature_reports(network_, data_, sample_, 0); }, {"feature_reports", "batch is 0"});
  other = data_;
  other.images[7 * 64] = HUGE_VALF;
  expect_error([&] { nn::feature_reports(network_, other, sample_); }, {"feature_reports", "image 7 of patterns"});
}

}  // namespace
}  // namespace idelta_test
