// The network: it starts as the identity, pads, propagates, and says what is wrong or unwise about its options.
#include <cmath>

#include "nn_support.h"

namespace idelta_test {
namespace {

TEST(Network, StartsAsTheScaledIdentity) {
  const idelta::Context context = nn_context();
  nn::NetworkOptions options = pattern_options(3);
  options.identity_scale = 0.5f;
  options.class_padding = 0.25f;
  const nn::Network network(context, options);
  const nn::Dataset data = patterns(3, 1);
  const int64_t n = network.n();
  ASSERT_EQ(74, n);
  std::vector<float> h0(static_cast<size_t>(3 * n)), h1(h0), h2(h0), h3(h0);
  network.pad(data.images, 3, h0.data());
  for (int64_t i = 0; i < 3; ++i) {
    for (int64_t j = 0; j < n; ++j) EXPECT_EQ(j < 64 ? data.images[i * 64 + j] : 0.25f, h0[i * n + j]);
  }
  float* outputs[] = {h1.data(), h2.data(), h3.data()};
  network.forward(3, h0.data(), outputs);
  for (size_t i = 0; i < h0.size(); ++i) {
    EXPECT_EQ(h0[i] / 2, h1[i]);
    EXPECT_EQ(h0[i] / 8, h3[i]);
  }
}

TEST(Network, ForwardGivesEveryLayerAndItsContribution) {
  const idelta::Context context = nn_context();
  nn::NetworkOptions options = pattern_options(3);
  options.activation = {IDELTA_ACTIVATION_HARD_TANH, 0.0f};
  nn::Network network(context, options);
  randomise(network, 5, 0.2f);
  const nn::Dataset data = patterns(2, 1);
  const int64_t n = network.n();
  std::vector<std::vector<float>> h(4, std::vector<float>(static_cast<size_t>(2 * n))), z(3, h[0]);
  network.pad(data.images, 2, h[0].data());
  float* outputs[] = {h[1].data(), h[2].data(), h[3].data()};
  float* contributions[] = {z[0].data(), z[1].data(), z[2].data()};
  network.forward(2, h[0].data(), outputs, contributions);

  bool clipped = false;
  for (int64_t l = 0; l < 3; ++l) {
    const std::vector<float> D = network.delta(l);
    const std::span<const float> b = network.bias(l);
    for (int64_t i = 0; i < 2 * n; ++i) {
      double exact = b[i % n];
      for (int64_t k = 0; k < n; ++k) exact += static_cast<double>(h[l][i / n * n + k]) * D[k * n + i % n];
      EXPECT_NEAR(exact, z[l][i], 1e-5);
      const double sum = h[l][i] + exact;
      clipped = clipped || (l < 2 && std::fabs(sum) > 1);
      EXPECT_NEAR(l < 2 ? std::min(1.0, std::max(-1.0, sum)) : sum, h[l + 1][i], 1e-5);
    }
  }
  EXPECT_TRUE(clipped) << "the activation of hidden layers was not tested";

  // One buffer for all layers ends as h^L.
  std::vector<float> last(h[0].size());
  network.forward(2, h[0].data(), std::vector<float*>(3, last.data()));
  EXPECT_EQ(h[3], last);
}

TEST(Network, WrongArgumentsAreNamed) {
  const idelta::Context context = nn_context();
  const auto fails = [&](auto change, std::initializer_list<std::string> parts) {
    nn::NetworkOptions options = pattern_options(2);
    change(options);
    expect_error([&] { nn::Network(context, options); }, parts);
  };
  fails([](auto& o) { o.layers = 0; }, {"layers is 0"});
  fails([](auto& o) { o.height = -1; }, {"height is -1"});
  fails([](auto& o) { o.width = int64_t{1} << 40; }, {"width is 1099511627776"});
  fails([](auto& o) { o.height = o.width = 1 << 20; }, {"pixels"});
  fails([](auto& o) { o.classes = 1; }, {"classes is 1"});
  fails([](auto& o) { o.classes = 257; }, {"classes is 257"});
  fails([](auto& o) { o.identity_scale = std::nanf(""); }, {"identity_scale is nan"});
  fails([](auto& o) { o.class_padding = -HUGE_VALF; }, {"class_padding is -inf"});
  fails([](auto& o) { o.activation = {IDELTA_ACTIVATION_LEAKY_RELU, 1.0f}; }, {"slope = 1.0", "leaky_relu"});
  fails([](auto& o) { o.activation = {IDELTA_ACTIVATION_LEAKY_RELU, std::nanf("")}; }, {"slope = nan", "leaky_relu"});
  fails([](auto& o) { o.activation = {IDELTA_ACTIVATION_TANH, std::nanf("")}; }, {"slope of the activation is nan"});
  fails([](auto& o) { o.activation.kind = static_cast<idelta_activation_kind>(9); }, {"kind = 9", "hard_tanh"});

  nn::Network network(context, pattern_options(2));
  const std::vector<float> few(10);
  std::vector<float> h(74);
  expect_error([&] { network.set_layer(2, few, few); }, {"layer is 2", "0 to 1"});
  expect_error([&] { network.set_layer(1, few, few); }, {"delta has 10", "5476"});
  expect_error([&] { network.pad(few, 1, h.data()); }, {"images has 10", "64 pixels"});
  expect_error([&] { network.forward(1, h.data(), std::vector<float*>(1, h.data())); }, {"1 outputs", "give 2"});
}

TEST(Network, DefaultIsTheActivationWithWhichEveryLayerGains) {
  const nn::NetworkOptions options;
  EXPECT_EQ(IDELTA_ACTIVATION_LEAKY_RELU, options.activation.kind);
  EXPECT_EQ(0.1f, options.activation.slope);
  EXPECT_EQ(0.0f, options.class_padding);
}

TEST(Network, FormatThatIsRefusedLeavesTheNetworkAsItWas) {
  const idelta::Context context = nn_context();
  nn::Network network(context, pattern_options(2));
  randomise(network, 5);
  network.set_compute(IDELTA_FORMAT_BF16);
  const std::vector<float> before = network.delta(1);
  expect_error([&] { network.set_compute(IDELTA_FORMAT_LOW_RANK, 0); }, {"rank is 0", "low_rank", "1 or more"});
  expect_error([&] { network.set_compute(IDELTA_FORMAT_LOW_RANK, -3); }, {"rank is -3"});
  expect_error([&] { network.set_compute(IDELTA_FORMAT_F32, 4); }, {"rank is 4", "f32"});
  EXPECT_ANY_THROW(network.set_compute(static_cast<idelta_format>(77)));
  EXPECT_EQ(IDELTA_FORMAT_BF16, network.compute());
  EXPECT_EQ(IDELTA_FORMAT_BF16, network.packed(0).info().format);
  EXPECT_EQ(before, network.delta(1));
}

TEST(Network, UnwiseOptionsAreWarnedOf) {
  const auto warning = [](auto change) {
    nn::NetworkOptions options = pattern_options(10);
    change(options);
    std::string all;
    for (const std::string& sentence : nn::warnings(options)) all += sentence + "\n";
    return all;
  };
  const auto has = [](const std::string& all, const char* part) { return all.find(part) != std::string::npos; };
  EXPECT_EQ("", warning([](auto&) {}));
  const auto relu = [](auto& o) { o.activation.kind = IDELTA_ACTIVATION_RELU; };
  EXPECT_TRUE(has(warning(relu), "ReLU with class padding 0"));
  EXPECT_EQ("", warning([&](auto& o) { relu(o), o.class_padding = 0.1f; }));
  EXPECT_EQ("", warning([&](auto& o) { relu(o), o.layers = 1; })) << "the only layer is linear";
  EXPECT_TRUE(has(warning(relu), "leaky_relu or a padding of 0.1"));
  const auto hard_tanh = [](auto& o) { o.activation = {IDELTA_ACTIVATION_HARD_TANH, 0.0f}; };
  EXPECT_EQ("", warning(hard_tanh));
  EXPECT_TRUE(has(warning([&](auto& o) { hard_tanh(o), o.class_padding = 1; }), "clipped"));
  EXPECT_EQ("", warning([](auto& o) { o.class_padding = 1; })) << "leaky_relu clips nothing";
  EXPECT_TRUE(has(warning([](auto& o) { o.activation.kind = IDELTA_ACTIVATION_IDENTITY; }), "linear"));
  EXPECT_TRUE(has(warning([](auto& o) { o.identity_scale = 0.5f; }), "by 0.000976562"));
  EXPECT_TRUE(has(warning([](auto& o) { o.identity_scale = 2; }), "by 1024"));
}

TEST(Network, OutlivesTheHandleOfItsContextAndMoves) {
  auto context = std::make_unique<idelta::Context>(nn_context());
  std::vector<nn::Network> networks;
  for (int i = 0; i < 5; ++i) networks.emplace_back(*context, pattern_options(2));
  randomise(networks[0], 3);
  const std::vector<float> before = networks[0].delta(1);
  context.reset();
  nn::Network moved = std::move(networks[0]);
  EXPECT_EQ(before, moved.delta(1));
  networks[0] = std::move(moved);
  networks.erase(networks.begin() + 1, networks.end());
  EXPECT_EQ(before, networks[0].delta(1));
  networks[0].set_compute(IDELTA_FORMAT_BF16);
  EXPECT_EQ(before, networks[0].delta(1));
}

// Two copies would train one set of parameters.
static_assert(!std::is_copy_constructible_v<nn::Network> && std::is_nothrow_move_constructible_v<nn::Network>);

TEST(Network, RefusedFormatsLeaveItWhole) {
  nn::Network network(nn_context(), pattern_options(2));
  randomise(network, 3);
  const std::vector<float> before = network.delta(1);
  EXPECT_THROW(network.set_compute(static_cast<idelta_format>(77)), idelta::Error);
  EXPECT_EQ(IDELTA_FORMAT_F32, network.compute());
  EXPECT_EQ(before, network.delta(1));
}

}  // namespace
}  // namespace idelta_test
