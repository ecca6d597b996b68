// Training, and checkpoints of it.
#ifndef IDELTA_NN_TRAINING_HPP
#define IDELTA_NN_TRAINING_HPP

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "idelta/nn/data.hpp"
#include "idelta/nn/network.hpp"

namespace idelta::nn {

struct TrainOptions {
  int64_t epochs = 3;
  int64_t batch = 128;
  float learning_rate = 0.0f;  // 0: 0.03 / layers
  int64_t decay_epochs = 0;    // the rate is divided by 10 for this many last epochs
  idelta_optimizer_kind optimizer = IDELTA_OPTIMIZER_MOMENTUM;
  float momentum = 0.9f;
  float weight_decay = 0.0f;  // on D, never on W
  // Of every product while training, gradients too; D, its updates, all sums and the residual stream stay fp32.
  idelta_format compute = IDELTA_FORMAT_F32;
  uint64_t seed = 1;  // of the shuffling; the same seed gives the same bits at any thread count
  // Weight of every hidden layer's cross-entropy, of its own class dimensions, beside the last layer's in the loss.
  float layer_loss = 0.0f;
  // If not 0, the labels of the training set are permuted by this seed: a control, in which no layer can tell more of
  // new images than chance.
  uint64_t shuffled_labels = 0;

  bool operator==(const TrainOptions&) const = default;
};

// Names of the options and their values, as text that reads back to the same bits.
Settings settings(const TrainOptions& options);

// "epochs is 3, not 5": the first value in `wanted` that `found` has otherwise or lacks; empty if there is none.
std::string difference(const Settings& found, const Settings& wanted);

float effective_learning_rate(const TrainOptions& options, int64_t layers, int64_t epoch);

// Sentences about a run that has ended with this mean loss of its last epoch: one above ln C, the loss of a guess.
std::vector<std::string> warnings(const TrainOptions& options, const NetworkOptions& network, double loss);

struct Progress {
  int64_t epoch = 0, epochs = 0;   // epoch counts from 0
  int64_t batch = 0, batches = 0;  // of this epoch, done
  double loss = 0, accuracy = 0;   // running means of this epoch, of the last layer
  double images_per_second = 0, seconds = 0, seconds_left = 0;
};

// What a run has come to is of no use: numbers that are not finite, or a loss far above that of a guess.
class Diverged : public NotFinite {
 public:
  using NotFinite::NotFinite;
};

// One training run, which leaves the network computing in options.compute; state survives between calls of run(), so
// that a caller may stop, look and go on. A loss that is not finite throws Diverged, before the parameters change.
// Parameters, optimiser state and the outputs for the last batch are checked to be finite after every epoch and when
// run() stops; what is not throws, with the epoch, the rate and what to change. So does a run that ends with a mean
// loss of its last epoch above 10 ln C: ln C is the loss of a guess.
//
// It shares the network's parameters, and trains them wherever the Network is moved. Of the data it keeps the addresses
// of images and labels: the set may be moved, but must outlive it and keep its size.
//
// A checkpoint is a safetensors file of all that the rest of a run depends on: D, b and the optimiser's state in rows
// and fp32, options, position, and hashes of everything and of the data set. The run that goes on from it gives the
// bits of the one that was not interrupted, on any instruction set and thread count that compute the same bits.
class Trainer {
 public:
  Trainer(Network& network, const Dataset& data, const TrainOptions& options);
  Trainer(Trainer&&) noexcept;
  Trainer& operator=(Trainer&&) noexcept;
  ~Trainer();

  // The run of a checkpoint goes on, with its options. `network` must have the options of the one that was saved, and
  // gets its parameters; `data` must be the same images and labels, under any name. What is otherwise, and a file that
  // is damaged, is refused by a sentence that names it, and leaves the network as it was but for a file that cannot be
  // read whole.
  static Trainer resume(Network& network, const Dataset& data, const std::string& checkpoint);

  // Whole or not at all, like save_model; also from within an Observer.
  void save(const std::string& checkpoint) const;

  const Network& network() const;  // as it is trained
  const TrainOptions& options() const;
  Progress progress() const;  // of the epoch that was begun last
  double seconds() const;     // in run(), that of the checkpoint it began from included

  // Called after every batch; returning false stops after that batch with the network whole.
  using Observer = std::function<bool(const Progress&)>;

  // Runs the epochs that are left; true if none is left, false if the observer stopped it.
  bool run(const Observer& observer = {});

  // One step on at most a batch of given images, besides those of run(); the mean loss before it, with that of hidden
  // layers.
  double step(std::span<const float> images, std::span<const uint8_t> labels, float learning_rate);

 private:
  struct State;
  explicit Trainer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// What a checkpoint says of itself; its tensors are neither read nor checked.
struct CheckpointInfo {
  NetworkOptions network;
  TrainOptions train;
  Settings settings;  // as in TrainedWith: those of `train`, and images, data_hash and steps so far
  int64_t images = 0;
  int64_t epoch = 0, image = 0;  // where the run goes on; epoch counts from 0
};
CheckpointInfo read_checkpoint(const std::string& path);

// What trained_with().settings of a network will be once `options` were run to their end on `data`.
Settings finished_settings(const TrainOptions& options, const Dataset& data);

}  // namespace idelta::nn

#endif  // IDELTA_NN_TRAINING_HPP
