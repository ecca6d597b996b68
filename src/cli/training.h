// What train and study share: the options of network and optimiser, both sets of the data, checkpoints now and then.
#ifndef IDELTA_CLI_TRAINING_H
#define IDELTA_CLI_TRAINING_H

#include <CLI/CLI.hpp>
#include <chrono>
#include <new>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "idelta/nn.hpp"
#include "inputs.h"
#include "verbs.h"

namespace idelta::cli {

struct TrainingFlags {
  nn::NetworkOptions network;
  nn::TrainOptions train;
  DataFlags data;
  std::string activation = "leaky_relu", optimizer = "momentum";
  int64_t limit = 0;
};

// --activation, --padding, --identity-scale; --batch, --optimizer, --momentum, --weight-decay, --layer-loss, --limit.
void add_network_flags(CLI::App& verb, TrainingFlags& flags);
void add_step_flags(CLI::App& verb, TrainingFlags& flags);

// With the names that flags hold as text; a UsageError for one that is unknown.
void settle(TrainingFlags& flags);

struct Sets {
  nn::Dataset train, test;
};

// Both sets at once: a test set that cannot be read should be known before the training, not after it. At most `most`
// training images.
Sets load_sets(const DataFlags& data, int64_t most);

// Of a network for these sets.
nn::NetworkOptions network_options(const TrainingFlags& flags, const Sets& sets);

// Of a model file, and of a checkpoint: the header is small beside the tensors.
int64_t model_bytes(const nn::NetworkOptions& options);
int64_t checkpoint_bytes(const nn::NetworkOptions& options, idelta_optimizer_kind optimizer);

// make(), of which what the nn layer refuses is the user's, not a failure of the run.
template <class Make>
auto usage_checked(const Make& make) -> decltype(make()) {
  try {
    return make();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw UsageError(error.what());
  }
}

// Writes a checkpoint after each epoch, or whenever so many seconds have gone by, whichever was asked for.
class Checkpoints {
 public:
  static constexpr double kEachEpoch = 0;

  // An empty path: never.
  Checkpoints(std::string path, double seconds) : path_(std::move(path)), seconds_(seconds) {}

  // From within an observer. A checkpoint that cannot be written is a warning: the training is worth more.
  void after_batch(const nn::Trainer& trainer, const nn::Progress& progress);

  // Now, and elsewhere if it cannot be here.
  void save(const nn::Trainer& trainer) const;

  const std::string& path() const { return path_; }

 private:
  using Clock = std::chrono::steady_clock;

  std::string path_;
  double seconds_;
  Clock::time_point last_ = Clock::now();
};

}  // namespace idelta::cli

#endif  // IDELTA_CLI_TRAINING_H
