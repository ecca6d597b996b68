// Whether the steps of the layers add up to the outputs, in every format and with every activation, and whether the
// check would see it if they did not.
#include <algorithm>
#include <cmath>

#include "nn/completeness.h"
#include "nn_support.h"

namespace idelta_test {
namespace {

struct Case {
  idelta_activation activation;
  float identity_scale, class_padding;
};

constexpr Case kCases[] = {
    {{IDELTA_ACTIVATION_IDENTITY, 0.0f}, 1.0f, 0.0f},   {{IDELTA_ACTIVATION_RELU, 0.0f}, 1.0f, 0.1f},
    {{IDELTA_ACTIVATION_LEAKY_RELU, 0.1f}, 1.0f, 0.0f}, {{IDELTA_ACTIVATION_LEAKY_RELU, 0.1f}, 0.9f, -0.3f},
    {{IDELTA_ACTIVATION_HARD_TANH, 0.0f}, 1.0f, 0.0f},  {{IDELTA_ACTIVATION_HARD_TANH, 0.0f}, 1.1f, 0.25f},
    {{IDELTA_ACTIVATION_TANH, 0.0f}, 1.0f, 0.0f},       {{IDELTA_ACTIVATION_TANH, 0.0f}, 0.9f, 0.5f},
};

nn::Network network_of(const idelta::Context& context, const Case& c, int64_t layers) {
  nn::NetworkOptions options = pattern_options(layers);
  options.activation = c.activation;
  options.identity_scale = c.identity_scale;
  options.class_padding = c.class_padding;
  nn::Network network(context, options);
  randomise(network, 5, 0.05f);
  return network;
}

template <class See>
void each_case(int64_t layers, const See& see) {
  const idelta::Context context = nn_context();
  for (const Case& c : kCases) {
    for (const idelta_format format : {IDELTA_FORMAT_F32, IDELTA_FORMAT_BF16, IDELTA_FORMAT_LOW_RANK}) {
      nn::Network network = network_of(context, c, layers);
      network.set_compute(format, format == IDELTA_FORMAT_LOW_RANK ? 20 : 0);
      SCOPED_TRACE(idelta_activation_name(c.activation.kind));
      SCOPED_TRACE(c.identity_scale);
      SCOPED_TRACE(idelta_format_name(format));
      see(network);
    }
  }
}

void expect_closed(const nn::Evaluation& evaluation) {
  EXPECT_TRUE(evaluation.closes());
  for (size_t l = 0; l < evaluation.closure.size(); ++l) {
    const nn::Closure& closure = evaluation.closure[l];
    SCOPED_TRACE(l + 1);
    EXPECT_LE(closure.layer_share, 1.0);
    EXPECT_LT(closure.layer_ulp, 4.0);
    EXPECT_LE(closure.sum_ulp, closure.bound_ulp);
    // By at most 5 x 2^-24 a layer of an entry, which is no more than 5 ulp of the largest one.
    EXPECT_LT(closure.bound_ulp, 5.01 * static_cast<double>(l + 1));
  }
}

TEST(Completeness, HoldsForTenLayersInEveryFormat) {
  const nn::Dataset data = patterns(40, 1);
  nn::Closure worst;
  each_case(10, [&](const nn::Network& network) {
    const nn::Evaluation evaluation = nn::evaluate(network, data);
    ASSERT_EQ(10u, evaluation.closure.size());
    expect_closed(evaluation);
    EXPECT_LT(evaluation.worst_closure().sum_ulp, 4.0);
    nn::raise(worst, evaluation.worst_closure());
  });
  EXPECT_GT(worst.sum_ulp, 0.0) << "nothing was rounded, so nothing was tested";
  EXPECT_GT(worst.layer_share, 0.5) << "the bound of a layer is more than twice of what it rounds";
}

// A hundred layers round a hundred times: the sum misses by more than 4 ulp, and by no more than was proved.
TEST(Completeness, HoldsForAHundredLayersThoughTheirRoundingsAddUp) {
  const nn::Dataset data = patterns(20, 1);
  const idelta::Context context = nn_context();
  double worst = 0;
  for (const size_t c : {size_t{2}, size_t{7}}) {  // leaky_relu, tanh
    const nn::Evaluation evaluation = nn::evaluate(network_of(context, kCases[c], 100), data);
    expect_closed(evaluation);
    worst = std::max(worst, evaluation.worst_closure().sum_ulp);
  }
  EXPECT_GT(worst, 4.0) << "a fixed limit would do";
}

// The kernel's tanh errs by up to 2 ulp. Near a fixed point of tanh(a z) each layer repeats the same error, so here the
// sum grows like its bound: h = 0.71 is one for a = 1.25.
TEST(Completeness, OfTanhNearItsFixedPointStaysWithinItsRoundings) {
  expect_closed(
      nn::evaluate(network_of(nn_context(), {{IDELTA_ACTIVATION_TANH, 0.0f}, 1.25f, 0.5f}, 10), patterns(40, 1)));
}

// The arrays that decompose() writes, summed here: contribution, activation change and step are what they say.
TEST(Completeness, HoldsForTheArraysThatAReaderGets) {
  constexpr int64_t kRows = 12, kLayers = 6;
  const nn::Dataset data = patterns(kRows, 2);
  each_case(kLayers, [&](const nn::Network& network) {
    const int64_t n = network.n(), size = kRows * n, classes = network.options().classes;
    std::vector<float> h0(size), h(kLayers * size), kernel(kLayers * size), contributions(kLayers * size),
        changes(kLayers * size), steps(kLayers * size);
    std::vector<float*> outputs, kernel_rows;
    for (int64_t l = 0; l < kLayers; ++l) {
      outputs.push_back(h.data() + l * size);
      kernel_rows.push_back(kernel.data() + l * size);
    }
    network.pad(data.images, kRows, h0.data());
    network.forward(kRows, h0.data(), outputs, kernel_rows);
    nn::decompose(network, kRows, data.images.data(),
                  {.contributions = contributions.data(), .activation_changes = changes.data(), .steps = steps.data()},
                  5);
    EXPECT_EQ(kernel, contributions);

    const double a = network.options().identity_scale;
    std::vector<double> sums(h0.begin(), h0.end()), logits(kRows * classes, network.options().class_padding);
    for (int64_t l = 0; l < kLayers; ++l) {
      const float* const below = l == 0 ? h0.data() : outputs[l - 1];
      for (int64_t i = 0; i < size; ++i) {
        const int64_t at = l * size + i;
        const double step = (a - 1) * below[i] + contributions[at] + changes[at];
        EXPECT_NEAR(step, steps[at], 0x1p-23 * (std::fabs(step) + std::fabs(changes[at]))) << l;
        sums[i] += step;
        if (i % n >= n - classes) logits[i / n * classes + i % n - (n - classes)] += steps[at];
      }
    }
    for (int64_t row = 0; row < kRows; ++row) {
      const float* const last = outputs.back() + row * n;
      float largest = 0;
      for (int64_t j = 0; j < n; ++j) {
        largest = std::max(largest, std::fabs(h0[row * n + j]));
        for (const float* output : outputs) largest = std::max(largest, std::fabs(output[row * n + j]));
      }
      const double ulp = std::ldexp(1.0, std::ilogb(largest) - 23);
      for (int64_t j = 0; j < n; ++j) EXPECT_NEAR(last[j], sums[row * n + j], 4 * ulp) << row << " " << j;
      // The steps were rounded, too: half an ulp of each, which is no larger than that of the largest entry.
      for (int64_t c = 0; c < classes; ++c) {
        EXPECT_NEAR(last[n - classes + c], logits[row * classes + c], (4 + 0.5 * kLayers) * ulp) << row << " " << c;
      }
    }
  });
}

// What Completeness makes of one layer whose contribution or output is not the network's.
class CompletenessCheck : public ::testing::Test {
 protected:
  void SetUp() override {
    network_.pad(data_.images, 1, h0_.data());
    nn::forward_layer(network_, 0, 1, h0_.data(), h_.data(), contribution_.data());
  }

  nn::Closure closure() const {
    nn::Completeness steps(network_);
    std::vector<nn::StepSize> sizes;
    steps.start(1, h0_.data());
    steps.add({0, 1, data_.labels.data(), nullptr}, {1, h0_.data(), contribution_.data(), h_.data()}, sizes);
    return sizes[0].closure;
  }

  const idelta::Context context_ = nn_context();
  const nn::Network network_ = network_of(context_, kCases[2], 2);
  const nn::Dataset data_ = patterns(1, 3);
  std::vector<float> h0_ = std::vector<float>(74), h_ = h0_, contribution_ = h0_;
};

TEST_F(CompletenessCheck, PassesWhatTheKernelMade) {
  EXPECT_TRUE(closure().holds());
  EXPECT_LE(closure().sum_ulp, 0.5);
  EXPECT_EQ(closure().sum_ulp, closure().layer_ulp) << "the first layer is the sum";
}

TEST_F(CompletenessCheck, SeesAContributionThatIsWrongInOneEntry) {
  for (const size_t j : {size_t{0}, size_t{33}, size_t{73}}) {
    const float right = contribution_[j];
    contribution_[j] += 1e-4f;
    EXPECT_FALSE(closure().holds()) << j;
    EXPECT_GT(closure().layer_ulp, 50.0) << j;
    contribution_[j] = right;
  }
}

// By a millionth: 16 units of 2^-24 of an entry that is nothing but its contribution, against a bound of 2. Four ulp of
// the largest entry would not show it.
TEST_F(CompletenessCheck, SeesContributionsThatAreWrongByAMillionth) {
  for (float& c : contribution_) c *= 1 + 1e-6f;
  EXPECT_FALSE(closure().holds());
  EXPECT_GT(closure().layer_share, 4.0);
  EXPECT_LT(closure().layer_ulp, 4.0);
}

TEST_F(CompletenessCheck, SeesASlopeThatIsWrongByAThousandth) {
  nn::NetworkOptions options = network_.options();
  options.activation.slope *= 1.001f;
  nn::Network other(context_, options);
  randomise(other, 5, 0.05f);
  std::vector<float> same = contribution_;
  nn::forward_layer(other, 0, 1, h0_.data(), h_.data(), same.data());
  ASSERT_EQ(contribution_, same);
  EXPECT_FALSE(closure().holds());
}

TEST_F(CompletenessCheck, SeesAnotherActivation) {
  const nn::Network other = network_of(context_, kCases[1], 2);
  nn::forward_layer(other, 0, 1, h0_.data(), h_.data());
  EXPECT_FALSE(closure().holds());
  EXPECT_GT(closure().layer_ulp, 1000.0);
}

TEST_F(CompletenessCheck, SeesAnOutputThatIsWrongInOneEntry) {
  h_[73] += 1e-4f;
  EXPECT_FALSE(closure().holds());
  EXPECT_GT(closure().layer_ulp, 50.0);
}

// Each condition by itself.
TEST(Closure, HoldsWithinEachOfItsLimitsAlone) {
  const nn::Closure good = {.sum_ulp = 11, .bound_ulp = 60, .layer_ulp = 2.4, .layer_share = 0.9};
  EXPECT_TRUE(good.holds());
  nn::Closure bad = good;
  bad.sum_ulp = 60.1;
  EXPECT_FALSE(bad.holds());
  bad = good;
  bad.layer_ulp = 4;
  EXPECT_FALSE(bad.holds());
  bad = good;
  bad.layer_share = 1.01;
  EXPECT_FALSE(bad.holds());
}

}  // namespace
}  // namespace idelta_test
