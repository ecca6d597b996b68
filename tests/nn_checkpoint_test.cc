// Checkpoints: a run that goes on from one ends with the bits of the run that was not interrupted, wherever it was
// interrupted; what does not belong to it, or is damaged, is refused. Runs once an instruction set.
#include <cmath>
#include <utility>

#include "nn_support.h"

namespace idelta_test {
namespace {

struct Case {
  idelta_optimizer_kind optimizer;
  float rate;
  idelta_format compute;
};

nn::TrainOptions options_of(const Case& c) {
  nn::TrainOptions options;
  options.epochs = 3;
  options.decay_epochs = 1;
  options.batch = 32;
  options.optimizer = c.optimizer;
  options.learning_rate = c.rate;
  options.compute = c.compute;
  options.weight_decay = 0.01f;
  options.layer_loss = 0.2f;
  options.shuffled_labels = 5;
  return options;
}

constexpr Case kMomentum = {IDELTA_OPTIMIZER_MOMENTUM, 0.03f, IDELTA_FORMAT_F32};

class Checkpoint : public testing::Test {
 protected:
  // An odd last batch: 5 batches an epoch, 15 in all.
  const nn::Dataset data_ = patterns(32 * 4 + 5, 1);
  TemporaryFolder folder_;
  const std::string path_ = folder_ / "run.checkpoint";

  Bytes model_bytes(nn::Network& network) {
    network.set_compute(IDELTA_FORMAT_F32);
    nn::save_model(folder_ / "model.safetensors", network);
    return read_bytes(folder_ / "model.safetensors");
  }

  Bytes without_a_break(const nn::TrainOptions& options) {
    nn::Network network(nn_context(1), pattern_options(3));
    nn::Trainer(network, data_, options).run();
    return model_bytes(network);
  }

  // Stops after so many batches, and saves either from within the observer or afterwards.
  void interrupt(nn::Trainer& trainer, int64_t batches, bool from_within = false) {
    EXPECT_FALSE(trainer.run([&](const nn::Progress&) {
      if (--batches > 0) return true;
      if (from_within) trainer.save(path_);
      return false;
    }));
    if (!from_within) trainer.save(path_);
  }

  // A checkpoint after so many batches of a run with these options.
  void make_checkpoint(const nn::TrainOptions& options, int64_t batches) {
    nn::Network network(nn_context(1), pattern_options(3));
    nn::Trainer trainer(network, data_, options);
    interrupt(trainer, batches);
  }
};

TEST_F(Checkpoint, ResumedRunHasTheBitsOfOneWithoutABreak) {
  for (const idelta_format compute : {IDELTA_FORMAT_F32, IDELTA_FORMAT_BF16}) {
    for (const auto& [optimizer, rate] : {std::pair{IDELTA_OPTIMIZER_SGD, 0.3f},
                                          {IDELTA_OPTIMIZER_MOMENTUM, 0.03f},
                                          {IDELTA_OPTIMIZER_NESTEROV, 0.03f},
                                          {IDELTA_OPTIMIZER_ADAMW, 0.01f}}) {
      const nn::TrainOptions options = options_of({optimizer, rate, compute});
      const Bytes expected = without_a_break(options);
      // Inside the first epoch, at its end, inside the last, whose rate is lower, before its last batch.
      for (const int64_t batches : {1, 5, 12, 14}) {
        SCOPED_TRACE(testing::Message() << "optimiser " << optimizer << ", format " << compute << ", " << batches);
        make_checkpoint(options, batches);
        nn::Network network(nn_context(3), pattern_options(3));
        randomise(network, 1);  // which the checkpoint replaces
        nn::Trainer trainer = nn::Trainer::resume(network, data_, path_);
        EXPECT_TRUE(trainer.options() == options);
        EXPECT_TRUE(trainer.run());
        EXPECT_TRUE(expected == model_bytes(network));
      }
    }
  }
}

TEST_F(Checkpoint, MayBeWrittenByAnObserverAndAgainAfterAResume) {
  const nn::TrainOptions options = options_of(kMomentum);
  const Bytes expected = without_a_break(options);
  nn::Network network(nn_context(), pattern_options(3));
  nn::Trainer trainer(network, data_, options);
  std::vector<double> losses;
  for (const int64_t batches : {5, 1, 4, 3}) {  // the end of an epoch, its first batch, the end of the next, inside
    interrupt(trainer, batches, true);
    nn::Network next(nn_context(2), pattern_options(3));
    trainer = nn::Trainer::resume(next, data_, path_);
    network = std::move(next);
  }
  EXPECT_EQ(2, trainer.progress().epoch);
  EXPECT_EQ(3, trainer.progress().batch);
  EXPECT_TRUE(trainer.run());
  EXPECT_TRUE(expected == model_bytes(network));
}

TEST_F(Checkpoint, KeepsRunningMeansAndTime) {
  const nn::TrainOptions options = options_of(kMomentum);
  nn::Network network(nn_context(), pattern_options(3));
  nn::Trainer trainer(network, data_, options);
  interrupt(trainer, 7);
  nn::Network other(nn_context(), pattern_options(3));
  const nn::Trainer resumed = nn::Trainer::resume(other, data_, path_);
  EXPECT_EQ(trainer.progress().loss, resumed.progress().loss);
  EXPECT_EQ(trainer.progress().accuracy, resumed.progress().accuracy);
  EXPECT_EQ(2, resumed.progress().batch);
  EXPECT_GT(resumed.seconds(), 0);
  EXPECT_EQ(trainer.seconds(), resumed.seconds());
}

TEST_F(Checkpoint, SaysWhatItIs) {
  const nn::TrainOptions options = options_of(kMomentum);
  make_checkpoint(options, 7);
  const nn::CheckpointInfo info = nn::read_checkpoint(path_);
  EXPECT_TRUE(info.train == options);
  EXPECT_EQ("", nn::difference(nn::settings(info.network), nn::settings(pattern_options(3))));
  EXPECT_EQ(data_.count, info.images);
  EXPECT_EQ(1, info.epoch);
  EXPECT_EQ(64, info.image);
  EXPECT_EQ("7", info.settings.at("steps"));
}

TEST_F(Checkpoint, OfAFinishedRunHasNothingLeftToDo) {
  const nn::TrainOptions options = options_of(kMomentum);
  nn::Network network(nn_context(), pattern_options(3));
  nn::Trainer trainer(network, data_, options);
  EXPECT_TRUE(trainer.run());
  trainer.save(path_);
  nn::Network other(nn_context(), pattern_options(3));
  nn::Trainer resumed = nn::Trainer::resume(other, data_, path_);
  EXPECT_TRUE(resumed.run([](const nn::Progress&) -> bool { throw std::logic_error("trained on"); }));
  EXPECT_TRUE(model_bytes(network) == model_bytes(other));
}

// F32 gives the same bits on every instruction set, and the file knows nothing of panels, whose width differs.
TEST_F(Checkpoint, GoesOnWithAnotherInstructionSet) {
  for (const idelta_optimizer_kind optimizer : {IDELTA_OPTIMIZER_MOMENTUM, IDELTA_OPTIMIZER_ADAMW}) {
    const nn::TrainOptions options = options_of({optimizer, 0.01f, IDELTA_FORMAT_F32});
    make_checkpoint(options, 7);
    nn::Network network(idelta::Context::with(IDELTA_ISA_SCALAR, 2), pattern_options(3));
    nn::Trainer::resume(network, data_, path_).run();
    EXPECT_TRUE(without_a_break(options) == model_bytes(network));
  }
}

TEST_F(Checkpoint, OfOtherDataNetworkOrProductsIsRefusedByName) {
  make_checkpoint(options_of(kMomentum), 7);
  const auto fails = [&](const nn::NetworkOptions& options, const nn::Dataset& data,
                         std::initializer_list<std::string> parts) {
    nn::Network network(nn_context(), options);
    expect_error([&] { nn::Trainer::resume(network, data, path_); }, parts);
    for (const float d : network.delta(0)) ASSERT_EQ(0.0f, d) << "the network must be left alone";
  };
  fails(pattern_options(4), data_, {path_, "network", "layers is 3, not 4"});
  nn::NetworkOptions padded = pattern_options(3);
  padded.class_padding = 0.1f;
  fails(padded, data_, {path_, "class_padding is 0, not 0.1"});
  fails(pattern_options(3), nn::head(data_, 100), {path_, "data (patterns)", "images is 133, not 100"});
  nn::Dataset other = data_;
  std::swap(other.labels[0], other.labels[1]);
  while (other.labels == data_.labels) ++other.labels[0];
  fails(pattern_options(3), other, {path_, "data (patterns)", "data_hash is"});

  nn::Dataset renamed = data_;
  renamed.name = "the same, elsewhere";
  nn::Network network(nn_context(), pattern_options(3));
  EXPECT_NO_THROW(nn::Trainer::resume(network, renamed, path_));
}

TEST_F(Checkpoint, OfProductsThatAreComputedOtherwiseIsRefused) {
  const auto context_with = [](idelta_bf16_product product) {
    idelta::ContextOptions options = idelta::kContextOptions;
    options.isa = forced_isa();
    options.bf16_product = product;
    return idelta::Context(options);
  };
  nn::Network network(context_with(IDELTA_BF16_PRODUCT_WIDENED), pattern_options(3));
  nn::Trainer trainer(network, data_, options_of({IDELTA_OPTIMIZER_MOMENTUM, 0.03f, IDELTA_FORMAT_BF16}));
  interrupt(trainer, 2);
  nn::Network other(context_with(IDELTA_BF16_PRODUCT_ROUNDED), pattern_options(3));
  expect_error([&] { nn::Trainer::resume(other, data_, path_); }, {path_, "bf16_product is widened, not rounded"});
}

TEST_F(Checkpoint, ThatIsNoneIsRefused) {
  nn::Network network(nn_context(), pattern_options(3));
  nn::save_model(path_, network);
  expect_error([&] { nn::Trainer::resume(network, data_, path_); }, {path_, "no checkpoint"});
  expect_error([&] { nn::read_checkpoint(path_); }, {path_, "no checkpoint"});
  expect_error([&] { nn::read_checkpoint(folder_ / "missing"); }, {"missing"});
  make_checkpoint(options_of(kMomentum), 1);
  expect_error([&] { nn::load_model(nn_context(), path_); }, {path_, "idelta-checkpoint"});
}

TEST_F(Checkpoint, ThatIsDamagedAnywhereIsRefused) {
  make_checkpoint(options_of({IDELTA_OPTIMIZER_ADAMW, 0.01f, IDELTA_FORMAT_F32}), 2);
  const Bytes whole = read_bytes(path_);
  const idelta::Context context = nn_context(1);
  const auto refused = [&](const Bytes& bytes) {
    write_bytes(path_, bytes);
    nn::Network network(context, pattern_options(3));
    try {
      nn::Trainer::resume(network, data_, path_);
      return false;
    } catch (const std::exception& e) {
      return std::string(e.what()).find(path_) != std::string::npos;
    }
  };
  EXPECT_FALSE(refused(whole));
  for (size_t at = 0; at < whole.size(); at += at < 8000 ? 211 : 9973) {
    Bytes damaged = whole;
    damaged[at] ^= 1;
    EXPECT_TRUE(refused(damaged)) << "byte " << at;
  }
  for (const size_t size : {size_t{0}, size_t{7}, size_t{4000}, whole.size() - 1}) {
    EXPECT_TRUE(refused(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)))) << size;
  }
}

TEST_F(Checkpoint, OfARunThatDivergedIsNotWritten) {
  make_checkpoint(options_of(kMomentum), 1);
  const Bytes before = read_bytes(path_);
  nn::Network network(nn_context(), pattern_options(3));
  const nn::Trainer trainer(network, data_, options_of(kMomentum));
  std::vector<float> delta = network.delta(1);
  delta[7] = HUGE_VALF;
  network.set_layer(1, delta, network.bias(1));
  expect_error([&] { trainer.save(path_); }, {path_, "layers.1.delta", "not finite at entry 7"});
  EXPECT_TRUE(before == read_bytes(path_)) << "a failed save must leave the old file whole";
}

TEST_F(Checkpoint, ModelsRecordEverySettingOfTheirTraining) {
  const nn::TrainOptions options = options_of(kMomentum);
  nn::Network network(nn_context(), pattern_options(3));
  nn::Trainer(network, data_, options).run();
  EXPECT_TRUE(nn::finished_settings(options, data_) == network.trained_with().settings);
  nn::save_model(folder_ / "model.safetensors", network);
  const nn::Network loaded = nn::load_model(nn_context(), folder_ / "model.safetensors");
  EXPECT_TRUE(loaded.trained_with().settings == network.trained_with().settings);
  EXPECT_EQ("5", loaded.trained_with().settings.at("shuffled_labels"));
  EXPECT_EQ("15", loaded.trained_with().settings.at("steps"));
}

TEST(ShuffledLabels, TeachNothingThatHoldsOfNewImages) {
  const nn::Dataset train = patterns(1000, 1), test = patterns(1000, 2);
  nn::Network network(nn_context(), pattern_options(3));
  nn::TrainOptions options = options_of(kMomentum);
  options.layer_loss = 0;
  options.epochs = 8;
  nn::Trainer(network, train, options).run();
  for (const nn::LayerReport& report : nn::evaluate(network, test).layers) EXPECT_LT(report.accuracy, 0.2);
  options.shuffled_labels = 0;
  nn::Network taught(nn_context(), pattern_options(3));
  nn::Trainer(taught, train, options).run();
  EXPECT_GT(nn::accuracy(taught, test), 0.6);
}

}  // namespace
}  // namespace idelta_test
