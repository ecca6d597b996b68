// The loss and its gradient, alone and through a whole network, against finite differences.
#include <cmath>

#include "nn/loss.h"
#include "nn_double_network.h"
#include "nn_support.h"

namespace idelta_test {
namespace {

TEST(Loss, IsTheCrossEntropyOfTheClassDimensions) {
  // Two rows, n = 5, the last 3 are class dimensions.
  const std::vector<float> h = {9, 9, 1, 2, 3, 9, 9, 0, 0, 0};
  const uint8_t labels[] = {2, 1};
  const nn::Loss loss = nn::softmax_cross_entropy(2, 5, 3, h.data(), labels);
  const double sum = std::exp(1.0) + std::exp(2.0) + std::exp(3.0);
  EXPECT_NEAR(std::log(sum) - 3.0 + std::log(3.0), loss.cross_entropy, 1e-14);
  EXPECT_EQ(1, loss.correct) << "a tie goes to the first class";
}

TEST(Loss, IsSafeForHugeValues) {
  const std::vector<float> h = {3e38f, -3e38f, 0.0f};
  const uint8_t right = 0, wrong = 1;
  std::vector<float> gradient(3);
  EXPECT_EQ(0.0, nn::softmax_cross_entropy(1, 3, 3, h.data(), &right, gradient.data()).cross_entropy);
  EXPECT_EQ((std::vector<float>{0, 0, 0}), gradient);
  EXPECT_TRUE(std::isfinite(nn::softmax_cross_entropy(1, 3, 3, h.data(), &wrong, gradient.data()).cross_entropy));
  EXPECT_EQ((std::vector<float>{1, -1, 0}), gradient);
}

TEST(Loss, NaNIsNoClass) {
  const float nan = std::nanf(""), inf = HUGE_VALF;
  EXPECT_EQ(-1, nn::argmax(std::vector<float>{nan, 1, 2}));
  EXPECT_EQ(-1, nn::argmax(std::vector<float>{0, nan, 2}));
  EXPECT_EQ(2, nn::argmax(std::vector<float>{0, -inf, inf}));
  // The loss of the second row is finite, since the likelihood of its class 1 is 0.
  const std::vector<float> h = {0, 1, 2, 0, -inf, 2, 0, nan, 2};
  const uint8_t labels[] = {2, 2, 2};
  EXPECT_EQ(-1, nn::softmax_cross_entropy(1, 3, 3, h.data(), labels).not_finite);
  EXPECT_EQ(1, nn::softmax_cross_entropy(2, 3, 3, h.data(), labels).not_finite);
  EXPECT_EQ(1, nn::softmax_cross_entropy(3, 3, 3, h.data(), labels).not_finite);
}

TEST(Loss, GradientIsThatOfTheMeanAndLeavesTheRestAlone) {
  constexpr int64_t kRows = 4, kWidth = 7, kClasses = 3;
  constexpr double kStep = 1e-3;
  Random random(3);
  std::vector<float> h(kRows * kWidth), gradient(h.size(), 42.0f);
  for (float& v : h) v = random.uniform(-2, 2);
  const uint8_t labels[kRows] = {0, 2, 1, 2};
  nn::softmax_cross_entropy(kRows, kWidth, kClasses, h.data(), labels, gradient.data());
  for (size_t i = 0; i < h.size(); ++i) {
    if (i % kWidth < kWidth - kClasses) {
      EXPECT_EQ(42.0f, gradient[i]);
      continue;
    }
    const float middle = h[i], low = middle - static_cast<float>(kStep), high = middle + static_cast<float>(kStep);
    h[i] = high;
    const double above = nn::softmax_cross_entropy(kRows, kWidth, kClasses, h.data(), labels).cross_entropy;
    h[i] = low;
    const double below = nn::softmax_cross_entropy(kRows, kWidth, kClasses, h.data(), labels).cross_entropy;
    h[i] = middle;
    const double slope = (above - below) / (static_cast<double>(high) - low) / kRows;
    // Of the quotient: the third derivative of log sum exp is below 0.1; the steps above and below differ by 2^-22 at
    // most, and the second derivative is below 1/4. The gradient itself is a float below 1/4.
    constexpr double kQuotient = (kStep * kStep / 6 * 0.1 + 0x1p-22 / 8) / kRows;
    EXPECT_NEAR(slope, gradient[i], kQuotient + 0x1p-26) << i;
  }
}

// The mean over a data set of the last layer's cross-entropy, and of the others' by their weight.
double loss(const DoubleNetwork& network, const nn::Dataset& data, double layer_loss) {
  double total = 0;
  for (int64_t i = 0; i < data.count; ++i) {
    std::vector<double> h = network.padded(std::span(data.images).subspan(i * data.pixels(), data.pixels()));
    for (size_t l = 0; l < network.delta.size(); ++l) {
      h = network.layer(l, h);
      double sum = 0;
      for (size_t c = data.pixels(); c < h.size(); ++c) sum += std::exp(h[c]);
      total += (l + 1 == network.delta.size() ? 1 : layer_loss) * (std::log(sum) - h[data.pixels() + data.labels[i]]);
    }
  }
  return total / static_cast<double>(data.count);
}

// One SGD step at rate 1 is minus the gradient; its slope is that of the definition in double.
void expect_true_gradient(idelta_activation activation, float identity_scale, int64_t layers, float layer_loss) {
  SCOPED_TRACE(testing::Message() << "activation " << activation.kind << ", " << layers << " layers, layer loss "
                                  << layer_loss);
  const idelta::Context context = nn_context();
  nn::NetworkOptions options;
  options.layers = layers;
  options.height = 2;
  options.width = 3;
  options.classes = 3;
  options.identity_scale = identity_scale;
  options.activation = activation;
  options.class_padding = 0.2f;
  nn::Network network(context, options);
  randomise(network, 11, 0.4f);
  DoubleNetwork exact(network);

  Random random(12);
  nn::Dataset data = {"random", 5, 2, 3, 3, {}, {0, 1, 2, 1, 0}};
  for (int i = 0; i < 5 * 6; ++i) data.images.push_back(random.uniform(0, 1));

  nn::TrainOptions train;
  train.optimizer = IDELTA_OPTIMIZER_SGD;
  train.batch = 5;
  train.layer_loss = layer_loss;
  nn::Trainer trainer(network, data, train);
  EXPECT_NEAR(loss(exact, data, layer_loss), trainer.step(data.images, data.labels, 1.0f), 1e-6);

  const auto check = [&](std::vector<double>& values, std::span<const float> after) {
    constexpr double kStep = 1e-5;
    for (size_t i = 0; i < values.size(); ++i) {
      const double before = values[i];
      values[i] = before + kStep;
      const double above = loss(exact, data, layer_loss);
      values[i] = before - kStep;
      const double below = loss(exact, data, layer_loss);
      values[i] = before;
      EXPECT_NEAR((above - below) / (2 * kStep), before - after[i], 2e-6) << i;
    }
  };
  for (int64_t l = 0; l < layers; ++l) {
    SCOPED_TRACE(testing::Message() << "layer " << l);
    check(exact.delta[l], network.delta(l));
    check(exact.bias[l], network.bias(l));
  }
}

TEST(NetworkGradient, IsTheSlopeOfTheLoss) {
  for (const idelta_activation activation :
       {idelta_activation{IDELTA_ACTIVATION_IDENTITY, 0}, idelta_activation{IDELTA_ACTIVATION_RELU, 0},
        idelta_activation{IDELTA_ACTIVATION_LEAKY_RELU, 0.1f}, idelta_activation{IDELTA_ACTIVATION_HARD_TANH, 0},
        idelta_activation{IDELTA_ACTIVATION_TANH, 0}}) {
    for (const int64_t layers : {1, 2, 4}) {
      for (const float layer_loss : {0.0f, 0.7f}) expect_true_gradient(activation, 0.8f, layers, layer_loss);
    }
  }
}

}  // namespace
}  // namespace idelta_test
