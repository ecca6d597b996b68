// What predict() refuses, and what it says.
#include <cmath>
#include <limits>

#include "nn_support.h"

namespace idelta_test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

nn::Network random_network(const idelta::Context& context) {
  nn::Network network(context, pattern_options(2));
  randomise(network, 41);
  return network;
}

std::shared_ptr<const nn::Forms> compressed(const nn::Network& network) {
  return nn::compress(network, {.rank = 16}, nn::Dataset());
}
// ------------------------------------------------------------------------------------------

TEST(Predict, PixelsThatAreNotFiniteAreNamed) {
  nn::Network network = random_network(nn_context());
  network.set_forms(compressed(network));
  for (const float bad : {std::nanf(""), kInfinity, -kInfinity}) {
    nn::Dataset data = patterns(9, 31);
    data.images[5 * 64 + 20] = bad;
    for (const nn::PredictOptions& options :
         {nn::PredictOptions{.guarantee = true, .batch = 4}, nn::PredictOptions{.form = 0}, nn::PredictOptions{}}) {
      EXPECT_THROW(nn::predict(network, data, options), nn::NotFinite);
      expect_error([&] { nn::predict(network, data, options); }, {"predict: image 5 of patterns", "not finite"});
    }
  }
}

TEST(Predict, WhatItCannotDoIsNamedWithTheMend) {
  const idelta::Context context = nn_context();
  nn::Network network = random_network(context);
  const nn::Dataset data = patterns(20, 32);
  const auto refused = [&](const nn::PredictOptions& options, std::initializer_list<std::string> parts) {
    expect_error([&] { nn::predict(network, data, options); }, parts);
  };
  refused({.guarantee = true}, {"predict: ", "need cheaper forms", "compress it"});
  refused({.form = 0}, {"predict: form is 0", "no forms", "compress it first"});
  network.set_forms(compressed(network));
  refused({.form = 1}, {"predict: form is 1", "has 1 forms"});
  refused({.form = -2}, {"predict: form is -2"});
  refused({.batch = 0}, {"predict: batch is 0", "1 or more"});
  refused({.guarantee = true, .batch = -1}, {"predict: batch is -1"});
  EXPECT_NO_THROW(nn::predict(network, data, {.form = 9, .guarantee = true})) << "form is not read";
  network.set_compute(IDELTA_FORMAT_BF16);
  refused({.guarantee = true}, {"predict: ", "bf16", "set_compute(IDELTA_FORMAT_F32)"});
  network.set_compute(IDELTA_FORMAT_F32);

  const TemporaryFolder folder;
  nn::save_model(folder / "dropped", network, {.drop_dense = true});
  nn::Network dropped = nn::load_model(context, folder / "dropped");
  for (const nn::PredictOptions& options : {nn::PredictOptions{.guarantee = true}, nn::PredictOptions{}}) {
    expect_error([&] { nn::predict(dropped, data, options); }, {"predict: ", "dropped D", "dense model"});
  }
  EXPECT_EQ(nn::predict(network, data, {.form = 0}).labels, nn::predict(dropped, data, {.form = 0}).labels);
}

}  // namespace
}  // namespace idelta_test
