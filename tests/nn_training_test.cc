// Training from the identity: it learns, it is reproducible, it keeps its word about schedule, stopping and divergence.
// Runs once an instruction set.
#include <bit>
#include <cmath>
#include <cstring>

#include "nn_support.h"

namespace idelta_test {
namespace {

nn::TrainOptions quick() {
  nn::TrainOptions options;
  options.epochs = 5;
  options.batch = 32;
  options.learning_rate = 0.03f;
  return options;
}

bool same_bits(const nn::Network& a, const nn::Network& b) {
  for (int64_t l = 0; l < a.layers(); ++l) {
    const std::vector<float> delta = a.delta(l);
    if (std::memcmp(delta.data(), b.delta(l).data(), delta.size() * sizeof(float)) != 0) return false;
    if (std::memcmp(a.bias(l).data(), b.bias(l).data(), a.bias(l).size_bytes()) != 0) return false;
  }
  return true;
}

// A network after two short epochs with an odd last batch.
nn::Network trained(const idelta::Context& context, uint64_t seed, idelta_format compute = IDELTA_FORMAT_F32) {
  nn::Network network(context, pattern_options(3));
  nn::TrainOptions options = quick();
  options.epochs = 2;
  options.seed = seed;
  options.compute = compute;
  const nn::Dataset data = patterns(32 * 4 + 5, 1);
  nn::Trainer(network, data, options).run();
  return network;
}

TEST(Training, LearnsWhatNoLinearClassifierCan) {
  const idelta::Context context = nn_context();
  nn::NetworkOptions options = pattern_options(4);
  options.activation = {IDELTA_ACTIVATION_HARD_TANH, 0.0f};
  nn::Network network(context, options);
  const nn::Dataset train = patterns(2000, 1), test = patterns(1000, 2);
  std::vector<double> losses;
  nn::Trainer trainer(network, train, quick());
  EXPECT_TRUE(trainer.run([&](const nn::Progress& p) {
    if (p.batch == p.batches) losses.push_back(p.loss);
    return true;
  }));
  ASSERT_EQ(5u, losses.size());
  EXPECT_LT(losses.back(), 0.5 * losses.front());

  const nn::Evaluation evaluation = nn::evaluate(network, test);
  EXPECT_GT(evaluation.layers.back().accuracy, 0.9) << "chance is 0.1, a linear classifier below about 0.5";
  for (const nn::LayerReport& report : evaluation.layers) {
    EXPECT_GT(report.accuracy, 0.2);
    EXPECT_GT(report.spectral_norm, 0.0);
  }
  EXPECT_TRUE(evaluation.closes());
}

TEST(Training, SameSeedGivesTheSameBitsAtAnyThreadCount) {
  const idelta::Context one = nn_context(1);
  const nn::Network expected = trained(one, 1);
  for (const int32_t threads : {1, 2, 3}) {
    const idelta::Context context = nn_context(threads);
    EXPECT_TRUE(same_bits(expected, trained(context, 1))) << threads << " threads";
  }
  EXPECT_FALSE(same_bits(expected, trained(one, 2))) << "the seed must matter";
}

struct Experiment {
  nn::Dataset data;
  nn::Network network;
};

// Before the first batch, after two of the first epoch, and from vector to vector.
TEST(Training, GoesOnWhereverNetworkAndDataAreMoved) {
  const idelta::Context context = nn_context();
  nn::TrainOptions options = quick();
  options.epochs = 2;
  const nn::Dataset data = patterns(32 * 4 + 5, 1);
  nn::Network still(context, pattern_options(3));
  nn::Trainer(still, data, options).run();

  std::vector<Experiment> experiments;
  experiments.push_back({data, nn::Network(context, pattern_options(3))});
  nn::Trainer first(experiments[0].network, experiments[0].data, options);
  Experiment moved = std::move(experiments[0]);
  EXPECT_FALSE(first.run([](const nn::Progress& p) { return p.batch < 2; }));
  nn::Trainer trainer = std::move(first);
  experiments[0] = std::move(moved);
  for (int i = 0; i < 5; ++i) experiments.push_back({data, nn::Network(context, pattern_options(1))});
  EXPECT_TRUE(trainer.run());
  EXPECT_TRUE(same_bits(still, experiments[0].network));
}

TEST(Training, LayerAccuracyRisesThroughTheDepthByDefault) {
  const idelta::Context context = nn_context();
  nn::Network network(context, pattern_options(4));
  const nn::Dataset train = patterns(2000, 1), test = patterns(1000, 2);
  nn::TrainOptions options = quick();
  options.epochs = 8;
  nn::Trainer(network, train, options).run();
  const nn::Evaluation evaluation = nn::evaluate(network, test);
  double below = evaluation.input_accuracy;
  for (const nn::LayerReport& report : evaluation.layers) {
    EXPECT_GT(report.accuracy, below);
    below = report.accuracy;
  }
  EXPECT_GT(below, 0.9);
}

TEST(Training, HowItComputedIsKnownAfterwards) {
  const idelta::Context context = nn_context();
  const nn::Network untrained(context, pattern_options(2));
  EXPECT_EQ("", untrained.trained_with().compute);
  EXPECT_EQ("f32", trained(context, 1).trained_with().compute);
  EXPECT_EQ("", trained(context, 1).trained_with().bf16_product);
  for (const idelta_bf16_product product : {IDELTA_BF16_PRODUCT_WIDENED, IDELTA_BF16_PRODUCT_ROUNDED}) {
    idelta::ContextOptions options = idelta::kContextOptions;
    options.isa = forced_isa();
    options.bf16_product = product;
    const idelta::Context asked(options);
    EXPECT_EQ(product, asked.bf16_product());
    const nn::Network network = trained(asked, 1, IDELTA_FORMAT_BF16);
    EXPECT_EQ("bf16", network.trained_with().compute);
    EXPECT_EQ(product == IDELTA_BF16_PRODUCT_ROUNDED ? "rounded" : "widened", network.trained_with().bf16_product);
  }
}

// The steps of bf16 are too coarse to gather updates in: D must stay fp32 and only what is computed with it may round.
TEST(Training, ReducedFormatsKeepDInFp32AndLearnAsWell) {
  const idelta::Context one = nn_context(1), three = nn_context(3);
  const nn::Network f32 = trained(one, 1), bf16 = trained(one, 1, IDELTA_FORMAT_BF16);
  EXPECT_EQ(IDELTA_FORMAT_BF16, bf16.compute());
  EXPECT_EQ(IDELTA_FORMAT_BF16, bf16.packed(1).info().format);
  EXPECT_FALSE(same_bits(f32, bf16));
  int64_t finer = 0;
  for (const float d : bf16.delta(1)) finer += (std::bit_cast<uint32_t>(d) & 0xffff) != 0 ? 1 : 0;
  EXPECT_GT(finer, bf16.n());
  const nn::Network threaded = trained(three, 1, IDELTA_FORMAT_BF16);
  EXPECT_TRUE(same_bits(bf16, threaded));
  const nn::Dataset test = patterns(1000, 2);
  EXPECT_NEAR(nn::accuracy(f32, test), nn::accuracy(bf16, test), 0.05);
}

TEST(Training, ComputeFormatDoesNotChangeTheParameters) {
  const idelta::Context context = nn_context();
  nn::Network network = trained(context, 1), before = trained(context, 1);
  for (const idelta_format format : {IDELTA_FORMAT_BF16, IDELTA_FORMAT_BF16X3, IDELTA_FORMAT_BF16, IDELTA_FORMAT_F32}) {
    network.set_compute(format);
    EXPECT_EQ(format, network.compute());
    EXPECT_TRUE(same_bits(before, network)) << idelta_format_name(format);
  }
  network.set_compute(IDELTA_FORMAT_BF16);
  const std::vector<float> D(static_cast<size_t>(network.n() * network.n()), 0x1.000002p-10f);
  network.set_layer(1, D, network.bias(1));
  EXPECT_EQ(D, network.delta(1));
}

// ReLU'(0) = 0: with padding 0 no gradient ever reaches the class dimensions of a hidden layer.
TEST(Training, ReluWithoutPaddingLeavesHiddenLayersAtChance) {
  const idelta::Context context = nn_context();
  const nn::Dataset data = patterns(640, 1);
  for (const float padding : {0.0f, 0.1f}) {
    nn::NetworkOptions options = pattern_options(3);
    options.activation.kind = IDELTA_ACTIVATION_RELU;
    options.class_padding = padding;
    nn::Network network(context, options);
    nn::Trainer(network, data, quick()).run();
    const nn::Evaluation evaluation = nn::evaluate(network, data);
    EXPECT_GT(evaluation.layers.back().accuracy, 0.3);
    for (size_t l = 0; l + 1 < evaluation.layers.size(); ++l) {
      if (padding == 0.0f) {
        EXPECT_EQ(evaluation.input_accuracy, evaluation.layers[l].accuracy);
        EXPECT_NEAR(std::log(10.0), evaluation.layers[l].cross_entropy, 1e-9);
      } else {
        EXPECT_GT(evaluation.layers[l].accuracy, evaluation.input_accuracy + 0.1);
      }
    }
  }
}

TEST(Training, EveryOptimizerLowersTheLoss) {
  const idelta::Context context = nn_context();
  const nn::Dataset data = patterns(320, 1);
  const std::pair<idelta_optimizer_kind, float> kinds[] = {{IDELTA_OPTIMIZER_SGD, 0.3f},
                                                           {IDELTA_OPTIMIZER_MOMENTUM, 0.03f},
                                                           {IDELTA_OPTIMIZER_NESTEROV, 0.03f},
                                                           {IDELTA_OPTIMIZER_ADAMW, 0.01f}};
  for (const auto& [kind, rate] : kinds) {
    nn::Network network(context, pattern_options(2));
    nn::TrainOptions options = quick();
    options.optimizer = kind;
    options.learning_rate = rate;
    options.epochs = 10;
    options.weight_decay = 1e-4f;
    nn::Trainer(network, data, options).run();
    EXPECT_LT(nn::evaluate(network, data).layers.back().cross_entropy, 0.9 * std::log(10.0)) << kind;
  }
}

TEST(Training, StopsWhenToldAndGoesOnWhereItWas) {
  const idelta::Context context = nn_context();
  const nn::Network expected = trained(context, 1);

  nn::Network network(context, pattern_options(3));
  nn::TrainOptions options = quick();
  options.epochs = 2;
  const nn::Dataset data = patterns(32 * 4 + 5, 1);
  nn::Trainer trainer(network, data, options);
  int stops = 0;
  std::vector<int64_t> batches;
  while (!trainer.run([&](const nn::Progress& p) {
    EXPECT_EQ(5, p.batches);
    EXPECT_EQ(2, p.epochs);
    EXPECT_EQ(static_cast<int64_t>(batches.size()) / 5, p.epoch);
    batches.push_back(p.batch);
    return batches.size() % 3 != 0;
  })) {
    ASSERT_LT(++stops, 10);
  }
  EXPECT_EQ((std::vector<int64_t>{1, 2, 3, 4, 5, 1, 2, 3, 4, 5}), batches);
  EXPECT_EQ(3, stops);
  EXPECT_TRUE(same_bits(expected, network)) << "stopping must not change the run";
}

TEST(Training, RateIsDividedByTenForTheLastEpochs) {
  nn::TrainOptions options;
  options.epochs = 6;
  options.decay_epochs = 2;
  EXPECT_FLOAT_EQ(0.003f, nn::effective_learning_rate(options, 10, 0)) << "the default falls with the depth";
  EXPECT_FLOAT_EQ(0.006f, nn::effective_learning_rate(options, 5, 3));
  EXPECT_FLOAT_EQ(0.0006f, nn::effective_learning_rate(options, 5, 4));
  options.learning_rate = 0.5f;
  EXPECT_FLOAT_EQ(0.05f, nn::effective_learning_rate(options, 10, 5));
}

TEST(Training, DivergenceIsAnErrorAndKeepsTheParametersFinite) {
  const idelta::Context context = nn_context();
  nn::NetworkOptions network_options = pattern_options(4);
  network_options.activation.kind = IDELTA_ACTIVATION_IDENTITY;
  nn::Network network(context, network_options);
  nn::TrainOptions options = quick();
  options.learning_rate = 1e4f;
  const nn::Dataset data = patterns(320, 1);
  nn::Trainer trainer(network, data, options);
  expect_error([&] { trainer.run(); }, {"loss is not finite", "epoch 1", "learning rate 10000", "lower rate"});
}

// With one step an epoch the loss is that of the parameters before it: ln 10, whatever the step did.
TEST(Training, DivergenceThatTheLossDoesNotShowIsAnError) {
  const idelta::Context context = nn_context();
  nn::Dataset data = patterns(320, 1);
  const auto fails = [&](auto change, std::initializer_list<std::string> parts) {
    nn::NetworkOptions network_options = pattern_options(4);
    nn::TrainOptions options = quick();
    options.epochs = 1;
    options.batch = data.count;
    change(options, network_options);
    nn::Network network(context, network_options);
    nn::Trainer trainer(network, data, options);
    expect_error([&] { trainer.run(); }, parts);
  };
  fails([](auto& o, auto&) { o.learning_rate = 3e38f, o.batch = 160; }, {"is not finite in epoch 1", "lower rate"});
  fails([](auto&, auto& n) { n.identity_scale = 1e30f; }, {"layer 2", "before the first step", "identity scale 1e+30"});
  fails([](auto& o, auto& n) { n.class_padding = 3e38f, o.epochs = 5; }, {"not finite in epoch", "padding nearer 0"});
  // D is finite here, but not what it makes of the images.
  for (float& v : data.images) v *= 100.0f;
  fails([](auto& o, auto&) { o.learning_rate = 1e36f; }, {"the output of layer", "is not finite in epoch 1", "1e+36"});
}

// Every step would multiply D by 1 - rate decay.
TEST(Training, DecayThatCarriesDPastZeroIsRefusedWithBothNumbers) {
  const idelta::Context context = nn_context();
  nn::Network network(context, pattern_options(2));
  const nn::Dataset data = patterns(10, 1);
  for (const idelta_optimizer_kind kind : {IDELTA_OPTIMIZER_SGD, IDELTA_OPTIMIZER_ADAMW}) {
    nn::TrainOptions options = quick();
    options.optimizer = kind;
    options.learning_rate = 0.5f;
    options.weight_decay = 2;
    expect_error([&] { nn::Trainer(network, data, options); }, {"weight_decay is 2", "learning_rate of 0.5", "lower"});
    options.weight_decay = 1.9f;
    EXPECT_NO_THROW(nn::Trainer(network, data, options));
    options.learning_rate = 0;  // the default of two layers is 0.015
    options.weight_decay = 3e38f;
    expect_error([&] { nn::Trainer(network, data, options); }, {"weight_decay is 3e+38", "learning_rate of 0.015"});
  }
}

// Saturated activations bound every number, so that all stay finite.
TEST(Training, LossFarAboveAGuessAtTheEndIsAnError) {
  const idelta::Context context = nn_context();
  nn::NetworkOptions network_options = pattern_options(4);
  network_options.activation = {IDELTA_ACTIVATION_HARD_TANH, 0.0f};
  const nn::Dataset data = patterns(320, 1);
  nn::Network network(context, network_options);
  nn::TrainOptions options = quick();
  options.learning_rate = 1e3f;
  nn::Trainer trainer(network, data, options);
  EXPECT_FALSE(trainer.run([](const nn::Progress& p) { return p.epoch + 1 < p.epochs; })) << "not before the end";
  expect_error([&] { trainer.run(); }, {"mean loss of the last epoch is", "a guess has 2.30", "give a lower rate"});
}

TEST(Training, LossALittleAboveAGuessIsAWarning) {
  EXPECT_TRUE(nn::warnings(quick(), pattern_options(4), std::log(10.0)).empty());
  EXPECT_EQ(1u, nn::warnings(quick(), pattern_options(4), 3.0).size());
}

// AdamW divides by the root of the squared gradient: once that is infinite, D stands still, finite and wrong.
TEST(Training, OptimiserStateThatOverflowsIsAnError) {
  const idelta::Context context = nn_context();
  nn::Dataset data = patterns(32, 1);
  for (float& v : data.images) v *= 1e25f;
  nn::NetworkOptions network_options = pattern_options(1);
  nn::Network network(context, network_options);
  nn::TrainOptions options = quick();
  options.optimizer = IDELTA_OPTIMIZER_ADAMW;
  options.learning_rate = 1e-30f;
  options.epochs = 1;
  nn::Trainer trainer(network, data, options);
  expect_error([&] { trainer.run(); }, {"optimiser's state of layer 1 is not finite in epoch 1"});
}

TEST(Training, StoppedRunIsCheckedToo) {
  const idelta::Context context = nn_context();
  nn::Network network(context, pattern_options(4));
  nn::TrainOptions options = quick();
  options.learning_rate = 3e38f;
  const nn::Dataset data = patterns(320, 1);
  nn::Trainer trainer(network, data, options);
  expect_error([&] { trainer.run([](const nn::Progress&) { return false; }); }, {"is not finite in epoch 1"});
}

TEST(Training, PixelsThatAreNotFiniteAreNotCalledDivergence) {
  const idelta::Context context = nn_context();
  nn::Network network(context, pattern_options(2));
  nn::Dataset data = patterns(32, 1);
  data.images[70] = std::nanf("");
  nn::Trainer trainer(network, data, quick());
  expect_error([&] { trainer.run(); }, {"images of patterns", "not finite"});
}

TEST(Training, WrongArgumentsAreNamed) {
  const idelta::Context context = nn_context();
  nn::Network network(context, pattern_options(2));
  const nn::Dataset data = patterns(10, 1);
  const auto fails = [&](auto change, std::initializer_list<std::string> parts) {
    nn::TrainOptions options = quick();
    nn::Dataset set = data;
    change(options, set);
    expect_error([&] { nn::Trainer(network, set, options); }, parts);
  };
  fails([](auto& o, auto&) { o.epochs = 0; }, {"epochs is 0"});
  fails([](auto& o, auto&) { o.batch = 0; }, {"batch is 0"});
  fails([](auto& o, auto&) { o.decay_epochs = 6; }, {"decay_epochs is 6"});
  fails([](auto& o, auto&) { o.learning_rate = -1; }, {"learning_rate is -1"});
  fails([](auto& o, auto&) { o.learning_rate = std::nanf(""); }, {"learning_rate is nan"});
  fails([](auto& o, auto&) { o.momentum = 1; }, {"momentum = 1.0"});
  fails([](auto& o, auto&) { o.weight_decay = -1; }, {"weight_decay is -1"});
  fails([](auto& o, auto&) { o.layer_loss = -1; }, {"layer_loss is -1"});
  fails([](auto& o, auto&) { o.layer_loss = HUGE_VALF; }, {"layer_loss is inf"});
  fails([](auto& o, auto&) { o.optimizer = static_cast<idelta_optimizer_kind>(9); }, {"kind = 9", "adamw"});
  fails([](auto& o, auto&) { o.compute = IDELTA_FORMAT_AUTO; }, {"compute is auto"});
  fails([](auto& o, auto&) { o.compute = IDELTA_FORMAT_LOW_RANK; }, {"compute is low_rank", "no training"});
  fails([](auto& o, auto&) { o.compute = static_cast<idelta_format>(77); }, {"compute", "77"});
  fails([](auto& o, auto&) { o.learning_rate = HUGE_VALF; }, {"learning_rate is inf"});
  fails([](auto& o, auto&) { o.momentum = std::nanf(""); }, {"momentum = nan"});
  fails([](auto& o, auto&) { o.weight_decay = std::nanf(""); }, {"weight_decay is nan"});
  fails([](auto&, auto& d) { d = nn::head(d, 0); }, {"holds no images"});
  fails([](auto&, auto& d) { d.height = 4, d.width = 16; }, {"4 x 16", "8 x 8"});
  fails([](auto&, auto& d) { d.images.pop_back(); }, {"639 pixels"});
  fails([](auto&, auto& d) { d.labels[3] = 10; }, {"label 10", "10 classes"});

  nn::Trainer trainer(network, data, quick());
  expect_error([&] { trainer.step(data.images, {}, 0.1f); }, {"0 labels"});
  expect_error([&] { trainer.step(std::span(data.images).first(64), data.labels, 0.1f); }, {"images has 64"});
}

}  // namespace
}  // namespace idelta_test
