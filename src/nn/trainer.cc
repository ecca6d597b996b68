// Training: shuffle, gather, forward, loss, then backward layer by layer with the update fused into each.
//
// Two runs with one seed give the same bits at any thread count: libidelta's passes do by contract, and everything
// here is serial. The shuffling uses std::mt19937_64, which the standard fixes to the bit, and its own uniform draw,
// which std::uniform_int_distribution is not.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <random>

#include "check_data.h"
#include "divergence.h"
#include "error.h"
#include "finite.h"
#include "idelta/nn.hpp"
#include "loss.h"

namespace idelta::nn {
namespace {

using Clock = std::chrono::steady_clock;

// The default rate of one layer; L layers share it. Measured on Fashion-MNIST: 0.003 is good at L = 10, 0.1 diverges.
constexpr float kRatePerNetwork = 0.03f;
constexpr float kDecayFactor = 0.1f;

// Uniform in [0, bound): draws that would favour small results are drawn again.
uint64_t uniform(std::mt19937_64& random, uint64_t bound) {
  const uint64_t uneven = (0 - bound) % bound;  // 2^64 mod bound
  uint64_t draw;
  do draw = random();
  while (draw < uneven);
  return draw % bound;
}

// Before its first step, without its rate.
idelta_optimizer optimizer_of(const TrainOptions& options) {
  idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  optimizer.kind = options.optimizer;
  optimizer.momentum = options.momentum;
  optimizer.weight_decay = options.weight_decay;
  return optimizer;
}

void check(const TrainOptions& options) {
  if (options.epochs < 1) fail("train: epochs is ", options.epochs, "; give 1 or more");
  if (options.batch < 1) fail("train: batch is ", options.batch, "; give 1 or more");
  if (options.decay_epochs < 0 || options.decay_epochs > options.epochs) {
    fail("train: decay_epochs is ", options.decay_epochs, "; give 0 to epochs, ", options.epochs);
  }
  if (!(options.learning_rate >= 0.0f) || !std::isfinite(options.learning_rate)) {
    fail("train: learning_rate is ", options.learning_rate, "; give a positive number, or 0 for 0.03 / layers");
  }
  if (!(options.weight_decay >= 0.0f) || !std::isfinite(options.weight_decay)) {
    fail("train: weight_decay is ", options.weight_decay, "; give 0 or more");
  }
  if (options.compute == IDELTA_FORMAT_AUTO) fail("train: compute is auto; give the format, usually f32");
  if (options.compute == IDELTA_FORMAT_LOW_RANK) {
    fail(
        "train: compute is low_rank, in which there is no training: it shows what a trained network does at a rank; "
        "give f32, bf16x3 or bf16");
  }
  if (idelta_gradient_format_check(options.compute) != IDELTA_OK) fail("train: compute: ", last_reason());
  const idelta_optimizer optimizer = optimizer_of(options);
  if (idelta_optimizer_check(&optimizer) != IDELTA_OK) fail("train: ", last_reason());
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// The images of a Dataset, which stay where they are when it is moved.
struct Images {
  std::string name;
  std::span<const float> images;
  std::span<const uint8_t> labels;
  int64_t count, pixels;
};

}  // namespace

float effective_learning_rate(const TrainOptions& options, int64_t layers, int64_t epoch) {
  const float rate =
      options.learning_rate != 0.0f ? options.learning_rate : kRatePerNetwork / static_cast<float>(layers);
  return epoch >= options.epochs - options.decay_epochs ? rate * kDecayFactor : rate;
}

// All memory of a run, allocated once.
struct Trainer::State {
  struct Slots {  // of one layer's optimiser
    std::vector<float> delta[2], bias[2];
  };

  State(Network& net, const Dataset& set, const TrainOptions& opts);

  void shuffle();
  void gather(int64_t first, int64_t rows);
  Loss step(int64_t rows, float learning_rate);
  void update(int64_t layer, int64_t rows, const float* x, const float* dz);
  void check_first_outputs(int64_t rows);
  void check_finite(int64_t rows, float learning_rate);
  [[noreturn]] void fail_diverged(const std::string& what, float learning_rate) const;
  bool run_epoch(const Observer& observer);
  TrainedWith trained_with() const;
  Progress progress(int64_t done, double loss, double correct) const;

  // What the caller's Network holds, and where the caller's data is: either may be moved meanwhile.
  Network network;
  const Images data;
  const TrainOptions options;
  int64_t batch;    // rows that the buffers hold
  int64_t batches;  // an epoch

  std::vector<float> h0;                    // batch x n
  std::vector<std::vector<float>> outputs;  // L of batch x n: h^1 .. h^L
  std::vector<float*> output_rows;          // their addresses, as Network::forward takes them
  // batch x n each. The loss' gradient is zero outside the class dimensions and stays so; the other two hold dz and dy
  // of the layer at hand.
  std::vector<float> loss_gradient, dz, dy;
  std::vector<uint8_t> labels;

  std::vector<Slots> slots;
  idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;

  std::mt19937_64 random;
  std::vector<int64_t> order;  // each epoch shuffles the order of the epoch before
  int64_t epoch = 0;           // the next or current one
  int64_t next_image = 0;      // of this epoch; 0: not begun
  double epoch_loss = 0, epoch_correct = 0;

  int64_t images_done = 0;  // since `start`, for the rate
  Clock::time_point start;
};

Trainer::State::State(Network& net, const Dataset& set, const TrainOptions& opts)
    : network(net.state_),
      data{set.name, set.images, set.labels, set.count, set.pixels()},
      options(opts),
      random(opts.seed) {
  check(options);
  check_decay(options, network.layers());
  check_data("train", set, network.options());
  batch = std::min(options.batch, data.count);
  batches = (data.count + batch - 1) / batch;

  const auto area = static_cast<size_t>(batch * network.n());
  for (std::vector<float>* buffer : {&h0, &loss_gradient, &dz, &dy}) buffer->assign(area, 0.0f);
  outputs.assign(static_cast<size_t>(network.layers()), std::vector<float>(area));
  for (std::vector<float>& output : outputs) output_rows.push_back(output.data());
  labels.resize(static_cast<size_t>(batch));

  network.set_compute(options.compute);
  optimizer = optimizer_of(options);
  optimizer.step = 0;
  slots.resize(outputs.size());
  const auto floats = static_cast<size_t>(panels_floats(network.context(), network.n()));
  for (Slots& slot : slots) {
    for (int32_t i = 0; i < idelta_optimizer_state_arrays(options.optimizer); ++i) {
      slot.delta[i].assign(floats, 0.0f);
      slot.bias[i].assign(static_cast<size_t>(network.n()), 0.0f);
    }
  }
  order.resize(static_cast<size_t>(data.count));
  std::iota(order.begin(), order.end(), int64_t{0});
}

// Fisher and Yates.
void Trainer::State::shuffle() {
  for (size_t i = order.size() - 1; i > 0; --i) std::swap(order[i], order[uniform(random, i + 1)]);
}

// h0 and labels of rows [first, first + rows) of the shuffled set.
void Trainer::State::gather(int64_t first, int64_t rows) {
  const int64_t pixels = data.pixels, classes = network.options().classes;
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t image = order[first + i];
    float* row = std::copy_n(data.images.data() + image * pixels, pixels, h0.data() + i * network.n());
    std::fill_n(row, classes, network.options().class_padding);
    labels[i] = data.labels[image];
  }
}

// One step on the first rows of h0 and labels.
Loss Trainer::State::step(int64_t rows, float learning_rate) {
  const int64_t n = network.n(), last = network.layers() - 1;
  network.forward(rows, h0.data(), output_rows);
  const Loss loss = softmax_cross_entropy(rows, n, network.options().classes, outputs[last].data(), labels.data(),
                                          loss_gradient.data());
  // Before any parameter changes.
  const bool first = optimizer.step == 0;
  if (first) check_first_outputs(rows);
  if (!std::isfinite(loss.cross_entropy) || loss.not_finite >= 0) fail_diverged("the loss", learning_rate);

  if (first) network.set_trained_with(trained_with());
  network.state_->forms.reset();  // of the D that changes now
  network.state_->has_dense = true;
  optimizer.learning_rate = learning_rate;
  ++optimizer.step;
  for (int64_t l = last; l >= 0; --l) {
    // The last layer is linear, so its dz is its dy, the loss' gradient; the first needs no dx. In between dx takes the
    // place of dy once that has become dz.
    const float* const above = l == last ? loss_gradient.data() : dy.data();
    if (l < last || l > 0) {
      network.packed(l).backward_data({.m = rows,
                                       .dy = above,
                                       .lddy = n,
                                       .y = outputs[l].data(),
                                       .ldy = n,
                                       .activation = network.activation(l),
                                       .dz = l == last ? nullptr : dz.data(),
                                       .lddz = n,
                                       .dx = l > 0 ? dy.data() : nullptr,
                                       .lddx = n});
    }
    update(l, rows, l > 0 ? outputs[l - 1].data() : h0.data(), l == last ? above : dz.data());
  }
  return loss;
}

void Trainer::State::update(int64_t layer, int64_t rows, const float* x, const float* gradient) {
  const int64_t n = network.n();
  Network::Layer& target = network.state_->layers[layer];
  Slots& slot = slots[layer];
  // An optimiser that keeps fewer arrays than two leaves the rest empty, whose data() may be anything.
  const auto array = [](std::vector<float>& values) { return values.empty() ? nullptr : values.data(); };
  target.packed->update({.m = rows,
                         .x = x,
                         .ldx = n,
                         .dz = gradient,
                         .lddz = n,
                         .optimizer = &optimizer,
                         .D = array(target.master),
                         .ldd = n,
                         .state = {array(slot.delta[0]), array(slot.delta[1])},
                         .bias = target.bias.data(),
                         .bias_state = {array(slot.bias[0]), array(slot.bias[1])},
                         .gradient_format = options.compute,
                         .order = IDELTA_ORDER_PANELS});
}

TrainedWith Trainer::State::trained_with() const {
  const idelta_format runs = network.packed(0).info().format;
  if (runs != IDELTA_FORMAT_BF16) return {idelta_format_name(runs), {}};
  const bool rounded = network.context().bf16_product() == IDELTA_BF16_PRODUCT_ROUNDED;
  return {idelta_format_name(runs), rounded ? "rounded" : "widened"};
}

// What is not finite in the forward pass of the first step is the fault of the images or the network's options.
void Trainer::State::check_first_outputs(int64_t rows) {
  const int64_t n = network.n();
  if (!all_finite({h0.data(), static_cast<size_t>(rows * n)})) {
    fail("train: images of ", data.name, " hold pixels that are not finite; pixels must lie in [0, 1]");
  }
  const int64_t layer = first_layer_not_finite(output_rows, rows, n);
  if (layer < 0) return;
  fail("train: the output of layer ", layer + 1, " is not finite before the first step: identity scale ",
       network.options().identity_scale, " and class padding ", network.options().class_padding, " are too large for ",
       network.layers(), " layers; 1 and 0 are the defaults");
}

// The loss may be finite by accident: it is that of the parameters before the last step, and of no other images.
void Trainer::State::check_finite(int64_t rows, float learning_rate) {
  for (int64_t l = 0; l < network.layers(); ++l) {
    const auto named = [l](const char* what) { return sentence(what, " of layer ", l + 1); };
    if (!all_finite(network.delta(l))) fail_diverged(named("D"), learning_rate);
    if (!all_finite(network.bias(l))) fail_diverged(named("the bias"), learning_rate);
    for (int i = 0; i < 2; ++i) {
      if (all_finite(slots[l].delta[i]) && all_finite(slots[l].bias[i])) continue;
      fail_diverged(named("the optimiser's state"), learning_rate);
    }
  }
  network.forward(rows, h0.data(), output_rows);
  if (const int64_t layer = first_layer_not_finite(output_rows, rows, network.n()); layer >= 0) {
    fail_diverged(sentence("the output of layer ", layer + 1), learning_rate);
  }
}

void Trainer::State::fail_diverged(const std::string& what, float learning_rate) const {
  fail("train: ", what, " is not finite in epoch ", epoch + 1, " at learning rate ", learning_rate, ": ",
       mend(options, network.options()));
}

Progress Trainer::State::progress(int64_t done, double loss, double correct) const {
  Progress p;
  p.epoch = epoch;
  p.epochs = options.epochs;
  p.batch = (done + batch - 1) / batch;
  p.batches = batches;
  p.loss = loss / static_cast<double>(done);
  p.accuracy = correct / static_cast<double>(done);
  p.seconds = seconds_since(start);
  if (p.seconds > 0) p.images_per_second = static_cast<double>(images_done) / p.seconds;
  const int64_t left = (options.epochs - epoch) * data.count - done;
  if (p.images_per_second > 0) p.seconds_left = static_cast<double>(left) / p.images_per_second;
  return p;
}

// What is left of the current epoch; false if the observer stopped it.
bool Trainer::State::run_epoch(const Observer& observer) {
  if (next_image == 0) {
    shuffle();
    epoch_loss = epoch_correct = 0;
  }
  const float rate = effective_learning_rate(options, network.layers(), epoch);
  bool go_on = true;
  int64_t rows = 0;
  while (go_on && next_image < data.count) {
    rows = std::min(batch, data.count - next_image);
    gather(next_image, rows);
    const Loss loss = step(rows, rate);
    epoch_loss += loss.cross_entropy;
    epoch_correct += static_cast<double>(loss.correct);
    next_image += rows;
    images_done += rows;
    go_on = !observer || observer(progress(next_image, epoch_loss, epoch_correct));
  }
  check_finite(rows, rate);
  if (next_image == data.count) {
    ++epoch;
    next_image = 0;
  }
  return go_on;
}

Trainer::Trainer(Network& network, const Dataset& data, const TrainOptions& options)
    : state_(std::make_unique<State>(network, data, options)) {}

Trainer::Trainer(Trainer&&) noexcept = default;
Trainer& Trainer::operator=(Trainer&&) noexcept = default;
Trainer::~Trainer() = default;

bool Trainer::run(const Observer& observer) {
  State& s = *state_;
  s.start = Clock::now();
  s.images_done = 0;
  bool go_on = true;
  while (go_on && s.epoch < s.options.epochs) go_on = s.run_epoch(observer);
  if (s.epoch < s.options.epochs) return false;
  check_learned(s.options, s.network.options(), s.epoch_loss / static_cast<double>(s.data.count));
  return true;
}

double Trainer::step(std::span<const float> images, std::span<const uint8_t> labels, float learning_rate) {
  State& s = *state_;
  const auto rows = static_cast<int64_t>(labels.size());
  if (rows < 1 || rows > s.batch) fail("step: ", rows, " labels; give 1 to ", s.batch, ", the batch of this trainer");
  for (const uint8_t label : labels) {
    if (label >= s.network.options().classes) {
      fail("step: label ", int{label}, " in a network of ", s.network.options().classes, " classes");
    }
  }
  s.network.pad(images, rows, s.h0.data());
  std::copy(labels.begin(), labels.end(), s.labels.begin());
  return s.step(rows, learning_rate).cross_entropy / static_cast<double>(rows);
}

}  // namespace idelta::nn
