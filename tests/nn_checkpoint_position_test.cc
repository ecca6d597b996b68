// Checkpoints whose position cannot be, with hashes that fit it, as only a hand writes them.
#include <chrono>

#include "nn/hash.h"
#include "nn/model_forms.h"
#include "nn/safetensors.h"
#include "nn_support.h"

namespace idelta_test {
namespace {

class CheckpointPosition : public ::testing::Test {
 protected:
  void SetUp() override {
    nn::Network network(context_, pattern_options(2));
    nn::TrainOptions options;
    options.batch = 32;
    nn::Trainer trainer(network, data_, options);
    int batches = 0;
    EXPECT_FALSE(trainer.run([&](const nn::Progress&) { return ++batches < 6; }));
    trainer.save(path_);
  }

  // The same checkpoint with other values in its metadata.
  void rewrite(const nn::MetadataMap& changes) {
    nn::SafetensorsFile file(path_);
    nn::MetadataMap metadata = file.header().metadata;
    for (const auto& [key, value] : changes) {
      ASSERT_EQ(1u, metadata.count(key)) << key;
      metadata[key] = value;
    }
    metadata["hash"] = nn::hex(nn::metadata_hash(metadata));
    std::vector<std::vector<float>> values;
    std::vector<nn::TensorValues> tensors;
    for (const auto& [name, info] : file.header().tensors) {
      values.emplace_back((info.end - info.begin) / sizeof(float));
      file.read(name, values.back());
      tensors.push_back({name, info.shape, values.back()});
    }
    nn::write_safetensors(path_, metadata, tensors);
  }

  void resume() {
    nn::Network network(context_, pattern_options(2));
    nn::Trainer::resume(network, data_, path_);
  }

  const idelta::Context context_ = nn_context();
  const nn::Dataset data_ = patterns(32 * 4 + 5, 1);  // 5 batches an epoch
  TemporaryFolder folder_;
  const std::string path_ = folder_ / "run.checkpoint";
};

TEST_F(CheckpointPosition, IsTakenAsItWasSaved) {
  rewrite({{"epoch", "1"}, {"image", "32"}});
  EXPECT_NO_THROW(resume());
}

TEST_F(CheckpointPosition, ThatTheOptionsDoNotLeadToIsRefused) {
  const nn::MetadataMap cases[] = {
      {{"epoch", "4"}},                                                                // of 3
      {{"epoch", "-1"}},                                                               //
      {{"epoch", "3"}},                                                                // with a batch of a fourth
      {{"image", "133"}},                                                              // of 133
      {{"image", "33"}},                                                               // within a batch
      {{"epoch", "2"}},                                                                // after 6 steps
      {{"epoch", "2"}, {"training.epochs", "9000000000"}, {"training.steps", "-11"}},  //
  };
  for (const nn::MetadataMap& changes : cases) {
    SetUp();
    rewrite(changes);
    SCOPED_TRACE(changes.begin()->first + " " + changes.begin()->second);
    expect_error([&] { resume(); }, {path_, "is no place of such a run", "copy it again"});
  }
}

// Shuffling would be repeated for days.
TEST_F(CheckpointPosition, ThatNoRunCanReachIsRefusedAtOnce) {
  rewrite({{"epoch", "4000000000"}, {"training.epochs", "9000000000"}, {"training.steps", "90000000000"}});
  const auto began = std::chrono::steady_clock::now();
  expect_error([&] { resume(); }, {path_, "is no place of such a run"});
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
}

}  // namespace
}  // namespace idelta_test
