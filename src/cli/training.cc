#include "training.h"

#include <algorithm>
#include <cmath>

#include "files.h"
#include "files/path_error.h"
#include "inputs.h"
#include "names.h"
#include "output.h"
#include "table.h"

namespace idelta::cli {

void add_network_flags(CLI::App& verb, TrainingFlags& flags) {
  verb.add_option("--activation", flags.activation, idelta_activation_names() + std::string("; leaky_relu:0.1"))
      ->option_text("NAME [leaky_relu]");
  verb.add_option("--padding", flags.network.class_padding, "value the class dimensions start from")
      ->option_text("X [0]")
      ->check(real_number_from(-HUGE_VAL));
  verb.add_option("--identity-scale", flags.network.identity_scale, "a in W = a I + D")
      ->option_text("X [1]")
      ->check(real_number_from(-HUGE_VAL));
}

void add_step_flags(CLI::App& verb, TrainingFlags& flags) {
  verb.add_option("--batch", flags.train.batch, "images a step")->option_text("N [128]")->check(whole_number_from(1));
  verb.add_option("--optimizer", flags.optimizer, idelta_optimizer_names())->option_text("NAME [momentum]");
  verb.add_option("--momentum", flags.train.momentum, "momentum; beta1 of adamw")
      ->option_text("X [0.9]")
      ->check(real_number_from(0));
  verb.add_option("--weight-decay", flags.train.weight_decay, "pulls D towards 0, W towards a I")
      ->option_text("X [0]")
      ->check(real_number_from(0));
  verb.add_option("--layer-loss", flags.train.layer_loss,
                  "weight of each hidden layer's own loss beside the last one's")
      ->option_text("X [0]")
      ->check(real_number_from(0));
  verb.add_option("--limit", flags.limit, "only the first N training images; 0: all")
      ->option_text("N [0]")
      ->check(whole_number_from(0));
}

void settle(TrainingFlags& flags) {
  flags.network.activation = parse_activation(flags.activation);
  flags.train.optimizer = parse_optimizer(flags.optimizer);
}

namespace {

void require_classes(const nn::Dataset& train, int64_t most) {
  const auto [least, largest] = std::minmax_element(train.labels.begin(), train.labels.end());
  if (*least != *largest) return;
  const bool cut = train.count == most;
  throw FileError(train.labels_path + ": every label" +
                  (cut ? format(" of the first %lld, which --limit leaves,", (long long)train.count) : "") +
                  format(" is %d, a single class, of which nothing can be learned; give labels of two classes or more",
                         int{*least}) +
                  (cut ? ", or a higher --limit" : ""));
}

// What a network is told of the set that it learns from.
nn::NetworkOptions data_options(const nn::Dataset& train, nn::NetworkOptions options = {}) {
  options.height = train.height;
  options.width = train.width;
  options.classes = train.classes;
  options.feature_names = train.feature_names;
  options.class_names = train.class_names;
  options.label_name = train.label_name;
  options.scaling = train.scaling;
  return options;
}

}  // namespace

Sets load_sets(const DataFlags& data, int64_t most) {
  Sets sets;
  sets.train = load_data(data, nn::Split::kTrain, nullptr, most);
  const nn::NetworkOptions of_train = data_options(sets.train);
  sets.test = load_data(data, nn::Split::kTest, &of_train);
  const nn::Dataset &train = sets.train, &test = sets.test;
  if (train.height != test.height || train.width != test.width) {
    throw FileError(
        format("%s holds images of %lld x %lld, but %s, to train on, of %lld x %lld; give four files of one "
               "set",
               test.images_path.c_str(), (long long)test.height, (long long)test.width, train.images_path.c_str(),
               (long long)train.height, (long long)train.width));
  }
  require_classes(train, most);
  return sets;
}

nn::NetworkOptions network_options(const TrainingFlags& flags, const Sets& sets) {
  nn::NetworkOptions options = data_options(sets.train, flags.network);
  if (sets.test.classes > options.classes) {
    options.classes = sets.test.classes;
    options.class_names = sets.test.class_names;
  }
  return options;
}

int64_t model_bytes(const nn::NetworkOptions& options) {
  return options.layers * (options.n() * options.n() + options.n()) * int64_t{sizeof(float)};
}

int64_t checkpoint_bytes(const nn::NetworkOptions& options, idelta_optimizer_kind optimizer) {
  return model_bytes(options) * (1 + idelta_optimizer_state_arrays(optimizer));
}

void Checkpoints::after_batch(const nn::Trainer& trainer, const nn::Progress& progress) {
  if (path_.empty()) return;
  const double since = std::chrono::duration<double>(Clock::now() - last_).count();
  if (seconds_ == kEachEpoch ? progress.batch < progress.batches : since < seconds_) return;
  try {
    trainer.save(path_);
  } catch (const files::PathError& error) {
    warn(std::string("no checkpoint: ") + error.what() + "; training goes on");
  }
  last_ = Clock::now();
}

void Checkpoints::save(const nn::Trainer& trainer) const {
  if (path_.empty()) return;
  save_or_rescue(path_, [&](const std::string& path) { trainer.save(path); });
}

}  // namespace idelta::cli
