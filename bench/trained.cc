// See trained.h.
#include "bench/trained.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "idelta/nn.hpp"
#include "src/nn/loss.h"

namespace idelta::bench {

struct TrainedModel::State {
  std::string path;
  Context context;
  nn::Network network;
  nn::Dataset data;

  State(const std::string& file, const std::string& set)
      : path(file), network(nn::load_model(context, file)), data(nn::load_dataset(set, nn::Split::kTest)) {}
};

TrainedModel::TrainedModel(const std::string& path, const std::string& data)
    : state_(std::make_unique<State>(path, data)) {
  const nn::NetworkOptions& options = state_->network.options();
  if (options.pixels() != state_->data.pixels()) {
    throw std::runtime_error("--model " + path + ": its images have " + std::to_string(options.pixels()) +
                             " pixels, those of " + data + " " + std::to_string(state_->data.pixels()));
  }
}
TrainedModel::~TrainedModel() = default;

int64_t TrainedModel::n() const { return state_->network.n(); }
std::string TrainedModel::unfit() const {
  const nn::NetworkOptions& options = state_->network.options();
  if (options.activation.kind == IDELTA_ACTIVATION_HARD_TANH && options.identity_scale == 1.0f) return "";
  return "--model " + state_->path + ": benchmarks of layers are of hard_tanh and identity scale 1; idelta train " +
         "--activation hard_tanh makes one";
}
int TrainedModel::layers() const { return int(state_->network.layers()); }

namespace {

// The first `rows` images and labels, from the first again when the set ends.
struct Batch {
  std::vector<float> images;
  std::vector<uint8_t> labels;

  Batch(const nn::Dataset& data, int64_t rows) {
    for (int64_t i = 0; i < rows; ++i) {
      const auto image = data.images.begin() + (i % data.count) * data.pixels();
      images.insert(images.end(), image, image + data.pixels());
      labels.push_back(data.labels[size_t(i % data.count)]);
    }
  }
};

Buffer buffer_of(const float* values, int64_t count) {
  Buffer buffer(count);
  std::copy_n(values, count, buffer.data());
  return buffer;
}

// dL/dh^l, rows x n, where layer l is problem.layer and outputs[k] is h^{k+1}.
Buffer gradient_at(const nn::Network& network, const Problem& problem, const std::vector<Buffer>& outputs,
                   const std::vector<uint8_t>& labels) {
  const int64_t m = problem.m, n = problem.n;
  Buffer gradient(m * n), below(m * n), scratch(m * n);
  gradient.fill(0.0f);
  nn::softmax_cross_entropy(m, n, network.options().classes, outputs.back().data(), labels.data(), gradient.data());
  for (int64_t l = network.layers() - 1; l >= problem.layer; --l) {
    network.packed(l).backward_data({.m = m,
                                     .dy = gradient.data(),
                                     .lddy = n,
                                     .y = outputs[size_t(l)].data(),
                                     .ldy = n,
                                     .activation = network.activation(l),
                                     .dz = scratch.data(),
                                     .lddz = n,
                                     .dx = below.data(),
                                     .lddx = n});
    std::swap(gradient, below);
  }
  return gradient;
}

// v of constant gradients, and the same for the bias.
void fill_velocity(const Context& context, const Problem& problem, Inputs& inputs) {
  const int64_t n = problem.n;
  inputs.velocity = Buffer(n * n);
  inputs.bias_velocity = Buffer(n);
  backward_weights(context, {.m = problem.m,
                             .n = n,
                             .x = inputs.x.data(),
                             .ldx = n,
                             .dz = inputs.dz.data(),
                             .lddz = n,
                             .dD = inputs.velocity.data(),
                             .lddD = n,
                             .db = inputs.bias_velocity.data()});
  for (int64_t i = 0; i < n * n; ++i) inputs.velocity[i] /= 1.0f - kMomentum;
  for (int64_t i = 0; i < n; ++i) inputs.bias_velocity[i] /= 1.0f - kMomentum;
}

}  // namespace

Inputs TrainedModel::inputs(const Problem& problem) const {
  if (const std::string why = unfit(); !why.empty()) throw std::runtime_error(why);
  const nn::Network& network = state_->network;
  const int64_t m = problem.m, n = problem.n, layer = problem.layer - 1;
  const Batch batch(state_->data, m);
  std::vector<Buffer> outputs(size_t(network.layers()));
  std::vector<float*> places;
  for (Buffer& output : outputs) places.push_back((output = Buffer(m * n)).data());
  Buffer h0(m * n);
  network.pad(batch.images, m, h0.data());
  network.forward(m, h0.data(), places);

  Inputs inputs;
  inputs.dy = gradient_at(network, problem, outputs, batch.labels);
  inputs.x = layer == 0 ? std::move(h0) : std::move(outputs[size_t(layer - 1)]);
  inputs.y = std::move(outputs[size_t(layer)]);
  inputs.dz = Buffer(m * n);
  for (int64_t i = 0; i < m * n; ++i) {
    inputs.y[i] = std::clamp(inputs.y[i], -1.0f, 1.0f);
    inputs.dz[i] = inputs.y[i] > -1.0f && inputs.y[i] < 1.0f ? inputs.dy[i] : 0.0f;
  }
  const std::vector<float> delta = network.delta(layer);
  inputs.delta = buffer_of(delta.data(), n * n);
  inputs.bias = buffer_of(network.bias(layer).data(), n);
  if (problem.pass.trains()) fill_velocity(state_->context, problem, inputs);
  return inputs;
}

}  // namespace idelta::bench
