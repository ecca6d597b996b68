// A training run from within: trainer.cc runs the epochs, train_step.cc takes a step, checkpoint.cc saves and resumes,
// train_options.cc judges the options.
#ifndef IDELTA_NN_TRAINER_STATE_H
#define IDELTA_NN_TRAINER_STATE_H

#include <chrono>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "idelta/nn.hpp"
#include "loss.h"

namespace idelta::nn {

// Throws unless a run can have these options.
void check(const TrainOptions& options);

// Before its first step, without its rate.
idelta_optimizer optimizer_of(const TrainOptions& options);

// The images of a Dataset, which stay where they are when it is moved.
struct Images {
  std::string name;
  std::span<const float> images;
  std::span<const uint8_t> labels;
  int64_t count, pixels;
};

// images and data_hash, of images and labels, as they stand in TrainedWith::settings. The name of a set is none of
// them: the same images may be elsewhere tomorrow, and give the same model.
Settings data_settings(const Dataset& data);

// All memory of a run, allocated once.
struct Trainer::State {
  struct Slots {  // of one layer's optimiser
    std::vector<float> delta[2], bias[2];
  };

  // identity: data_settings(set).
  State(Network& net, const Dataset& set, const TrainOptions& opts, Settings identity);

  void shuffle();
  void gather(int64_t first, int64_t rows);
  Loss loss(int64_t rows);  // of the last layer
  void add_layer_loss(int64_t layer, int64_t rows);
  Loss step(int64_t rows, float learning_rate);
  void backward_and_update(int64_t rows);
  void update(int64_t layer, int64_t rows, const float* x, const float* dz);
  void check_first_outputs(int64_t rows);
  void check_finite(int64_t rows, float learning_rate);
  [[noreturn]] void fail_diverged(const std::string& what, float learning_rate) const;
  bool run_epoch(const Observer& observer);
  TrainedWith trained_with() const;
  Progress progress() const;

  // What the caller's Network holds, and where the caller's data is: either may be moved meanwhile.
  Network network;
  const std::vector<uint8_t> shuffled_labels;  // empty where the set's own are learned
  const Images data;
  const Settings data_identity;
  const TrainOptions options;
  int64_t batch;    // rows that the buffers hold
  int64_t batches;  // an epoch

  std::vector<float> h0;                    // batch x n
  std::vector<std::vector<float>> outputs;  // L of batch x n: h^1 .. h^L
  std::vector<float*> output_rows;          // their addresses, as Network::forward takes them
  // L of batch x n: of each layer's own cross-entropy, zero outside the class dimensions, which stays so. Those of
  // hidden layers are empty without a layer loss.
  std::vector<std::vector<float>> loss_gradients;
  double hidden_loss = 0;     // of the last batch: the sum over rows and hidden layers, by its weight
  std::vector<float> dz, dy;  // batch x n, of the layer at hand
  std::vector<uint8_t> labels;

  std::vector<Slots> slots;
  idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;

  std::mt19937_64 random;
  std::vector<int64_t> order;  // each epoch shuffles the order of the epoch before, so that seed and epoch tell it
  int64_t epoch = 0;           // the next or current one
  bool drawn = false;          // the order of this epoch
  int64_t next_image = 0;      // of this epoch
  double epoch_loss = 0, epoch_correct = 0;

  using Clock = std::chrono::steady_clock;
  Clock::time_point start;                      // of the current run()
  int64_t images_done = 0;                      // in it
  double run_seconds = 0, earlier_seconds = 0;  // in it, up to the last step; before it
};

}  // namespace idelta::nn

#endif  // IDELTA_NN_TRAINER_STATE_H
