// Training: shuffle, gather, step; again and again.
//
// Two runs with one seed give the same bits at any thread count: libidelta's passes do by contract, and everything
// here is serial. The shuffling uses std::mt19937_64, which the standard fixes to the bit, and the draw of draw.h.
#include <algorithm>
#include <numeric>
#include <utility>

#include "check_data.h"
#include "divergence.h"
#include "draw.h"
#include "error.h"
#include "hash.h"
#include "option_fields.h"
#include "trainer_state.h"

namespace idelta::nn {
namespace {

// Fisher and Yates.
template <class Values>
void permute(Values& values, std::mt19937_64& random) {
  for (size_t i = values.size() - 1; i > 0; --i) std::swap(values[i], values[uniform(random, i + 1)]);
}

// Empty for seed 0.
std::vector<uint8_t> permuted_labels(const Dataset& data, uint64_t seed) {
  if (seed == 0 || data.labels.empty()) return {};
  std::vector<uint8_t> labels = data.labels;
  std::mt19937_64 random(seed);
  permute(labels, random);
  return labels;
}

}  // namespace

Settings data_settings(const Dataset& data) {
  Hash hash;
  hash.add(data.images);
  hash.add(std::string_view(reinterpret_cast<const char*>(data.labels.data()), data.labels.size()));
  return {{"images", text_of(data.count)}, {"data_hash", hex(hash.value())}};
}

Trainer::State::State(Network& net, const Dataset& set, const TrainOptions& opts, Settings identity)
    : network(net.state_),
      shuffled_labels(permuted_labels(set, opts.shuffled_labels)),
      data{set.name, set.images, shuffled_labels.empty() ? set.labels : shuffled_labels, set.count, set.pixels()},
      data_identity(std::move(identity)),
      options(opts),
      random(opts.seed) {
  check(options);
  check_decay(options, network.layers());
  check_data("train", set, network.options());
  batch = std::min(options.batch, data.count);
  batches = (data.count + batch - 1) / batch;

  const auto area = static_cast<size_t>(batch * network.n()), layers = static_cast<size_t>(network.layers());
  for (std::vector<float>* buffer : {&h0, &dz, &dy}) buffer->assign(area, 0.0f);
  outputs.assign(layers, std::vector<float>(area));
  for (std::vector<float>& output : outputs) output_rows.push_back(output.data());
  loss_gradients.resize(layers);
  for (size_t l = options.layer_loss > 0 ? 0 : layers - 1; l < layers; ++l) loss_gradients[l].assign(area, 0.0f);
  labels.resize(static_cast<size_t>(batch));

  optimizer = optimizer_of(options);
  optimizer.step = 0;
  slots.resize(layers);
  const auto floats = static_cast<size_t>(panels_floats(network.context(), network.n()));
  for (Slots& slot : slots) {
    for (int32_t i = 0; i < idelta_optimizer_state_arrays(options.optimizer); ++i) {
      slot.delta[i].assign(floats, 0.0f);
      slot.bias[i].assign(static_cast<size_t>(network.n()), 0.0f);
    }
  }
  order.resize(static_cast<size_t>(data.count));
  std::iota(order.begin(), order.end(), int64_t{0});
  network.set_compute(options.compute);  // last: what fails leaves the network as it was
}

void Trainer::State::shuffle() { permute(order, random); }

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

TrainedWith Trainer::State::trained_with() const {
  const idelta_format runs = network.packed(0).info().format;
  TrainedWith how = {idelta_format_name(runs), "", settings_of(options)};
  if (runs == IDELTA_FORMAT_BF16) {
    how.bf16_product = network.context().bf16_product() == IDELTA_BF16_PRODUCT_ROUNDED ? "rounded" : "widened";
  }
  how.settings.insert(data_identity.begin(), data_identity.end());
  how.settings["steps"] = text_of(optimizer.step);
  return how;
}

Progress Trainer::State::progress() const {
  const bool between_epochs = next_image == 0 && epoch > 0;
  const int64_t done = between_epochs ? data.count : next_image;
  Progress p;
  p.epoch = between_epochs ? epoch - 1 : epoch;
  p.epochs = options.epochs;
  p.batch = (done + batch - 1) / batch;
  p.batches = batches;
  if (done > 0) {
    p.loss = epoch_loss / static_cast<double>(done);
    p.accuracy = epoch_correct / static_cast<double>(done);
  }
  p.seconds = run_seconds;
  if (p.seconds > 0) p.images_per_second = static_cast<double>(images_done) / p.seconds;
  const int64_t left = (options.epochs - p.epoch) * data.count - done;
  if (p.images_per_second > 0) p.seconds_left = static_cast<double>(left) / p.images_per_second;
  return p;
}

// What is left of the current epoch; false if the observer stopped it.
bool Trainer::State::run_epoch(const Observer& observer) {
  if (!drawn) {  // else an earlier run() failed before the first step
    shuffle();
    epoch_loss = epoch_correct = 0;
    drawn = true;
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
    run_seconds = std::chrono::duration<double>(Clock::now() - start).count();
    go_on = !observer || observer(progress());
  }
  check_finite(rows, rate);
  if (next_image == data.count) {
    ++epoch;
    next_image = 0;
    drawn = false;
  }
  return go_on;
}

Trainer::Trainer(Network& network, const Dataset& data, const TrainOptions& options)
    : state_(std::make_unique<State>(network, data, options, data_settings(data))) {}

Trainer::Trainer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Trainer::Trainer(Trainer&&) noexcept = default;
Trainer& Trainer::operator=(Trainer&&) noexcept = default;
Trainer::~Trainer() = default;

const Network& Trainer::network() const { return state_->network; }
const TrainOptions& Trainer::options() const { return state_->options; }
Progress Trainer::progress() const { return state_->progress(); }
double Trainer::seconds() const { return state_->earlier_seconds + state_->run_seconds; }

bool Trainer::run(const Observer& observer) {
  State& s = *state_;
  s.start = State::Clock::now();
  s.images_done = 0;
  s.earlier_seconds += std::exchange(s.run_seconds, 0.0);
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
  const double loss = s.step(rows, learning_rate).cross_entropy;
  return (loss + s.hidden_loss) / static_cast<double>(rows);
}

}  // namespace idelta::nn
