// Training.
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
};

float effective_learning_rate(const TrainOptions& options, int64_t layers, int64_t epoch);

// Sentences about a run that has ended with this mean loss of its last epoch: one above ln C, the loss of a guess.
std::vector<std::string> warnings(const TrainOptions& options, const NetworkOptions& network, double loss);

struct Progress {
  int64_t epoch = 0, epochs = 0;   // epoch counts from 0
  int64_t batch = 0, batches = 0;  // of this epoch, done
  double loss = 0, accuracy = 0;   // running means of this epoch
  double images_per_second = 0, seconds = 0, seconds_left = 0;
};

// One training run, which leaves the network computing in options.compute; state survives between calls of run(), so
// that a caller may stop, look and go on. A loss that is not finite throws, before the parameters change. Parameters,
// optimiser state and the outputs for the last batch are checked to be finite after every epoch and when run() stops;
// what is not throws, with the epoch, the rate and what to change. So does a run that ends with a mean loss of its last
// epoch above 10 ln C: ln C is the loss of a guess.
//
// It shares the network's parameters, and trains them wherever the Network is moved. Of the data it keeps the addresses
// of images and labels: the set may be moved, but must outlive it and keep its size.
class Trainer {
 public:
  Trainer(Network& network, const Dataset& data, const TrainOptions& options);
  Trainer(Trainer&&) noexcept;
  Trainer& operator=(Trainer&&) noexcept;
  ~Trainer();

  // Called after every batch; returning false stops after that batch with the network whole.
  using Observer = std::function<bool(const Progress&)>;

  // Runs the epochs that are left; true if none is left, false if the observer stopped it.
  bool run(const Observer& observer = {});

  // One step on at most a batch of given images, besides those of run(); the mean loss before it.
  double step(std::span<const float> images, std::span<const uint8_t> labels, float learning_rate);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace idelta::nn

#endif  // IDELTA_NN_TRAINING_HPP
