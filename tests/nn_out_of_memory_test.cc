// Every request for memory of a call on a network, refused once: the call says so, files and networks are as they were,
// and it gives the usual bits when it is made again. And a thousand steps of training ask for none.
#include <cstring>
#include <optional>

#include "nn_support.h"
#include "support/out_of_memory.h"

namespace idelta_test {
namespace {

constexpr int64_t kCount = 12, kPixels = 60, kClasses = 3, kWidth = kPixels + kClasses;

using Words = std::vector<uint32_t>;

// By exception: std::bad_alloc, or what the library's status says.
template <class Call>
Ended ended(const Call& call) {
  try {
    call();
    return Ended::kDone;
  } catch (const std::bad_alloc&) {
    return Ended::kNoMemory;
  } catch (const idelta::Error& error) {
    return error.status() == IDELTA_OUT_OF_MEMORY ? Ended::kNoMemory : Ended::kOtherwise;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "said: %s\n", error.what());
    return Ended::kOtherwise;
  }
}

template <class Values>
void append(Words& words, const Values& values) {
  for (const auto& value : values) {
    Words one((sizeof value + 3) / 4);
    std::memcpy(one.data(), &value, sizeof value);
    words.insert(words.end(), one.begin(), one.end());
  }
}

Words parameters(const nn::Network& network) {
  Words all;
  for (int64_t l = 0; l < network.layers(); ++l) append(all, network.delta(l)), append(all, network.bias(l));
  return all;
}

// Bytes of a file; none where there is no file.
Words file_words(const std::string& path) {
  Words all;
  if (std::filesystem::exists(path)) append(all, read_bytes(path));
  return all;
}

nn::Dataset small_set() {
  Random random(3);
  nn::Dataset data = {"small", kCount, 5, 12, kClasses, {}, {}};
  for (int64_t i = 0; i < kCount; ++i) {
    data.labels.push_back(static_cast<uint8_t>(i % kClasses));
    for (int64_t p = 0; p < kPixels; ++p) data.images.push_back(random.uniform(0, 1));
  }
  return data;
}

nn::NetworkOptions small_options() {
  nn::NetworkOptions options;
  options.layers = 2;
  options.height = 5;
  options.width = 12;
  options.classes = kClasses;
  return options;
}

nn::TrainOptions small_training(idelta_optimizer_kind optimizer = IDELTA_OPTIMIZER_ADAMW) {
  nn::TrainOptions options;
  options.batch = 5;
  options.learning_rate = 0.01f;
  options.optimizer = optimizer;
  return options;
}

class NetworkMemory : public testing::Test {
 protected:
  void TearDown() override { EXPECT_GT(found_none_, 0) << "memory was never short: nothing was tested"; }

  void survive(const std::string& name, std::function<void()> prepare, const std::function<void()>& call,
               std::function<Words()> results, size_t least = 0) {
    found_none_ +=
        survived_refusals({name, std::move(prepare), [&] { return ended(call); }, std::move(results), least});
  }
  // Of a call that uses nlohmann-json or LAPACK, which end the program where they have no memory for a few bytes: the
  // parameters of a layer and more are refused.
  void survive_without_parameters(const std::string& name, std::function<void()> prepare,
                                  const std::function<void()>& call, std::function<Words()> results) {
    survive(name, std::move(prepare), call, std::move(results), kWidth * kWidth * sizeof(float));
  }

  nn::Network random_network() const {
    nn::Network network(context_, small_options());
    randomise(network, 7);
    return network;
  }

  const idelta::Context context_ = nn_context(1);
  const nn::Dataset data_ = small_set();
  const TemporaryFolder folder_;
  const std::string model_ = folder_ / "model", checkpoint_ = folder_ / "checkpoint";
  int64_t found_none_ = 0;
};

TEST_F(NetworkMemory, NetworkIsNotMade) {
  std::optional<nn::Network> network;
  const auto made = [&] { return network ? parameters(*network) : Words(); };
  survive(
      "new network", [&] { network.reset(); }, [&] { network.emplace(context_, small_options()); }, made);
  nn::save_model(model_, random_network());
  survive_without_parameters(
      "load", [&] { network.reset(); }, [&] { network.emplace(nn::load_model(context_, model_)); }, made);
}

TEST_F(NetworkMemory, CompressedNetworkIsNotLoaded) {
  nn::Network compressed = random_network();
  compressed.set_forms(nn::compress(compressed, {.rank = 4}, data_));
  for (const bool drop : {false, true}) {
    nn::save_model(model_, compressed, {.drop_dense = drop});
    std::optional<nn::Network> network;
    survive_without_parameters(
        "load of a compressed model", [&] { network.reset(); },
        [&] { network.emplace(nn::load_model(context_, model_)); },
        [&] { return network ? parameters(*network) : Words(); });
  }
}

TEST_F(NetworkMemory, FileStaysAsItWas) {
  const nn::Network network = random_network();
  const nn::Network old(context_, small_options());
  survive_without_parameters(
      "save", [&] { nn::save_model(model_, old); }, [&] { nn::save_model(model_, network); },
      [&] { return file_words(model_); });
  nn::Network trained = random_network();
  const nn::Trainer trainer(trained, data_, small_training());
  survive_without_parameters(
      "checkpoint", [&] { nn::save_model(checkpoint_, old); }, [&] { trainer.save(checkpoint_); },
      [&] { return file_words(checkpoint_); });
  EXPECT_EQ(2u, folder_.entries()) << "something was left beside the files";
}

TEST_F(NetworkMemory, NetworkIsNotChanged) {
  std::optional<nn::Network> network;
  const auto prepare = [&] { network.emplace(random_network()); };
  const auto changed = [&] {
    Words all = parameters(*network);
    all.push_back(static_cast<uint32_t>(network->compute()));
    return all;
  };
  const std::vector<float> delta(kWidth * kWidth, 0.01f), bias(kWidth, 0.02f);
  survive(
      "set_compute", prepare, [&] { network->set_compute(IDELTA_FORMAT_BF16); }, changed);
  survive(
      "set_layer", [&] { prepare(), network->set_compute(IDELTA_FORMAT_BF16); },
      [&] { network->set_layer(1, delta, bias); }, changed);
  // A factorisation makes hundreds of requests, each of which out_of_memory_test.cc refuses.
  survive_without_parameters(
      "set_compute", prepare, [&] { network->set_compute(IDELTA_FORMAT_LOW_RANK, 4); }, changed);
}

TEST_F(NetworkMemory, TrainerIsNotMadeAndStepsWholeOrNotAtAll) {
  std::optional<nn::Network> network;
  std::optional<nn::Trainer> trainer;
  const auto fresh = [&] {
    trainer.reset();
    network.emplace(random_network());
  };
  const auto state = [&] {
    Words all = parameters(*network);
    append(all, std::vector<int64_t>{trainer ? 1 : 0, network->compute()});
    for (const auto& [name, value] : network->trained_with().settings) append(all, value);
    return all;
  };
  for (const idelta_format compute : {IDELTA_FORMAT_F32, IDELTA_FORMAT_BF16}) {
    nn::TrainOptions options = small_training();
    options.compute = compute;
    survive(
        "new trainer", fresh, [&] { trainer.emplace(*network, data_, options); }, state);
    const auto begin = [&] { fresh(), trainer.emplace(*network, data_, options); };
    const std::span images = std::span(data_.images).first(5 * kPixels);
    const std::span labels = std::span(data_.labels).first(5);
    survive(
        "first step", begin, [&] { trainer->step(images, labels, 0.01f); }, state);
  }
}

// Whatever was found too large: the rest of the run gives the bits of one that had all memory.
TEST_F(NetworkMemory, RunGoesOnAfterItFoundTooLittle) {
  const nn::TrainOptions options = small_training();
  nn::Network whole = random_network();
  nn::Trainer(whole, data_, options).run();
  int64_t which = 1;
  for (bool happened = true; happened; ++which) {
    std::thread([&] {
      take_smallest_workspace();
      nn::Network network = random_network();
      nn::Trainer trainer(network, data_, options);
      const auto run = [&] {
        const ScopedRefusal refusal(which, Refuse::kOne);
        const Ended how = ended([&] { trainer.run(); });
        happened = refusal.happened();
        return how;
      };
      if (run() == Ended::kNoMemory) {
        ++found_none_;
        EXPECT_TRUE(trainer.run());
      }
      EXPECT_TRUE(parameters(whole) == parameters(network)) << "request " << which;
    }).join();
  }
}

TEST_F(NetworkMemory, RunIsNotResumedUntilThereIsMemory) {
  nn::Network network = random_network();
  nn::Trainer trainer(network, data_, small_training());
  trainer.step(std::span(data_.images).first(5 * kPixels), std::span(data_.labels).first(5), 0.01f);
  trainer.save(checkpoint_);
  nn::Network resumed = random_network();
  std::optional<nn::Trainer> made;
  survive_without_parameters(
      "resume", [&] { made.reset(); }, [&] { made.emplace(nn::Trainer::resume(resumed, data_, checkpoint_)); },
      [&] { return made ? parameters(resumed) : Words(); });
}

TEST_F(NetworkMemory, NothingIsFoundOut) {
  nn::Network network = random_network();
  network.set_forms(nn::compress(network, {.rank = 4}, data_));
  for (const bool guarantee : {false, true}) {
    std::optional<nn::Predictions> labels;
    survive(
        "predict", [&] { labels.reset(); },
        [&] { labels = nn::predict(network, data_, {.guarantee = guarantee, .batch = 5}); },
        [&] {
          Words words;
          if (labels) append(words, labels->labels), append(words, labels->bounds);
          return words;
        });
  }
  std::optional<nn::Evaluation> evaluation;
  survive_without_parameters(
      "evaluate", [&] { evaluation.reset(); }, [&] { evaluation = nn::evaluate(network, data_, {.batch = 5}); },
      [&] {
        Words words;
        for (size_t l = 0; evaluation && l < evaluation->layers.size(); ++l) {
          append(words, std::vector<double>{evaluation->layers[l].cross_entropy, evaluation->layers[l].spectral_norm});
        }
        return words;
      });
  std::shared_ptr<const nn::Forms> forms;
  survive_without_parameters(
      "compress", [&] { forms.reset(); }, [&] { forms = nn::compress(network, {.sigma = 0.01}, data_); },
      [&] {
        Words words;
        for (size_t l = 0; forms && l < forms->layers().size(); ++l) append(words, forms->layers()[l].U);
        return words;
      });
}

TEST_F(NetworkMemory, ThousandStepsOfTrainingNeedNone) {
  for (const int32_t threads : {1, 2}) {
    for (const idelta_format compute : {IDELTA_FORMAT_F32, IDELTA_FORMAT_BF16}) {
      nn::Network network(nn_context(threads), pattern_options(3));
      const nn::Dataset data = patterns(64, 1);
      nn::TrainOptions options = small_training();
      options.batch = 16;
      options.epochs = 252;  // of 4 batches
      options.compute = compute;
      nn::Trainer trainer(network, data, options);
      int64_t steps = 0, at_last_batch = 0, made = 0;
      std::thread([&] {
        EXPECT_TRUE(trainer.run([&](const nn::Progress& progress) {
          const int64_t now = allocations().requests;
          // Between epochs all parameters are checked, in copies.
          if (steps > 1 && progress.batch > 1) made += now - at_last_batch;
          ++steps;
          at_last_batch = allocations().requests;
          return true;
        }));
      }).join();
      EXPECT_GT(steps, 1000);
      EXPECT_EQ(0, made) << idelta_format_name(compute) << " with " << threads << " threads";
      found_none_ += steps;
    }
  }
}

}  // namespace
}  // namespace idelta_test
