// See trained.h.
#include "bench/trained.h"

#include <algorithm>
#include <stdexcept>

#include "bench/implementation.h"
#include "bench/implementations/idelta.h"
#include "bench/implementations/layered_labeller.h"
#include "idelta/nn.hpp"
#include "src/nn/loss.h"

namespace idelta::bench {

struct TrainedModel::State {
  std::string path;
  nn::Network network;
  nn::Dataset data;
  int threads;
  std::shared_ptr<const nn::Network> in_bf16 = nullptr;  // once it is asked for

  std::shared_ptr<const nn::Network> network_in_bf16() {
    if (in_bf16 != nullptr) return in_bf16;
    nn::Network copy = nn::load_model(network.context(), path);
    copy.set_compute(IDELTA_FORMAT_BF16);
    return in_bf16 = std::make_shared<const nn::Network>(std::move(copy));
  }
};

TrainedModel::TrainedModel(const std::string& path, const std::string& data, int threads)
    : state_(std::make_shared<State>(State{path, nn::load_model(context_for(IDELTA_ISA_AUTO, threads), path),
                                           nn::load_dataset(data, nn::Split::kTest), threads})) {
  const nn::NetworkOptions& options = state_->network.options();
  if (options.pixels() != state_->data.pixels() || state_->data.classes > options.classes) {
    throw std::runtime_error("--model " + path + ": its images have " + std::to_string(options.pixels()) +
                             " pixels and " + std::to_string(options.classes) + " classes, those of " + data + " " +
                             std::to_string(state_->data.pixels()) + " and " + std::to_string(state_->data.classes));
  }
  if (!state_->network.has_dense()) {
    throw std::runtime_error("--model " + path + ": has dropped D, the dense network; give a file that keeps it");
  }
}
TrainedModel::~TrainedModel() = default;
TrainedModel::TrainedModel(TrainedModel&&) noexcept = default;

int64_t TrainedModel::n() const { return state_->network.n(); }
std::string TrainedModel::unfit() const {
  const nn::NetworkOptions& options = state_->network.options();
  if (options.activation.kind == IDELTA_ACTIVATION_HARD_TANH && options.identity_scale == 1.0f) return "";
  return "--model " + state_->path + ": benchmarks of layers are of hard_tanh and identity scale 1; idelta train " +
         "--activation hard_tanh makes one";
}
int TrainedModel::layers() const { return int(state_->network.layers()); }
int64_t TrainedModel::images() const { return state_->data.count; }

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
  if (problem.pass.trains()) fill_velocity(state_->network.context(), problem, inputs);
  return inputs;
}

namespace {

// What `idelta predict` does.
class Predictor : public Labeller {
 public:
  Predictor(const nn::Network& network, const nn::Dataset& data, const nn::PredictOptions& options)
      : network_(network), data_(data), options_(options) {}

  void run(int64_t images) override {
    if (images != data_.count && images != head_.count) head_ = nn::head(data_, images);
    predictions_ = nn::predict(network_, images == data_.count ? data_ : head_, options_);
  }
  const std::vector<uint8_t>& labels() const override { return predictions_.labels; }
  std::vector<SettledRows> settled() const override {
    std::vector<SettledRows> rows;
    for (size_t f = 0; f < predictions_.forms.size() && options_.guarantee; ++f) {
      rows.push_back({predictions_.forms[f], predictions_.tried[f], predictions_.settled[f]});
    }
    return rows;
  }

 private:
  const nn::Network& network_;
  const nn::Dataset& data_;
  const nn::PredictOptions options_;
  nn::Dataset head_;
  nn::Predictions predictions_;
};

// A network that computes in another format than f32.
class InFormat : public LayeredLabeller {
 public:
  InFormat(const NetworkProblem& problem, std::shared_ptr<const nn::Network> network, int64_t batch)
      : LayeredLabeller(problem, batch), network_(std::move(network)) {
    for (int64_t l = 0; l < problem.layers; ++l) outputs_.push_back(output(l));
  }

 private:
  // On this thread: OpenMP's would spin on into the layers.
  void pad(int64_t rows, const float* images, float* h0) override {
    network_->pad({images, size_t(rows * problem_.pixels)}, rows, h0);
  }
  const float* forward(int64_t rows) override {
    network_->forward(rows, input(0), outputs_);
    return outputs_.back();
  }

  const std::shared_ptr<const nn::Network> network_;
  std::vector<float*> outputs_;
};

// The class dimensions of h^L of every image.
void fill_logits(const nn::Network& network, NetworkProblem& problem) {
  const int64_t n = problem.n;
  problem.logits = Buffer(problem.images * problem.classes);
  constexpr int64_t kRows = 512;
  std::vector<float> h(size_t(kRows * n)), other(h.size());
  std::vector<float*> outputs;
  for (int64_t l = 0; l < problem.layers; ++l) outputs.push_back(l % 2 == 0 ? other.data() : h.data());
  for (int64_t first = 0; first < problem.images; first += kRows) {
    const int64_t rows = std::min(kRows, problem.images - first);
    network.pad({problem.image_values + first * problem.pixels, size_t(rows * problem.pixels)}, rows, h.data());
    network.forward(rows, h.data(), outputs);
    for (int64_t i = 0; i < rows; ++i) {
      std::copy_n(outputs.back() + i * n + problem.pixels, problem.classes,
                  problem.logits.data() + (first + i) * problem.classes);
    }
  }
}

}  // namespace

std::vector<NetworkEntry> TrainedModel::entries() const {
  const std::string isa = idelta_isa_name(state_->network.context().isa());
  std::vector<NetworkEntry> entries;
  const auto add = [&](const char* format, Claim claim, const nn::PredictOptions& how) {
    NetworkEntry entry;
    entry.name = "idelta";
    entry.format = format;
    entry.isa = isa;
    entry.claim = claim;
    entry.make = [state = state_, how](const NetworkProblem&, size_t, int64_t batch) -> std::unique_ptr<Labeller> {
      nn::PredictOptions options = how;
      options.batch = batch;
      return std::make_unique<Predictor>(state->network, state->data, options);
    };
    entries.push_back(std::move(entry));
  };
  add("f32", Claim::kExact, {});
  NetworkEntry bf16 = entries.front();
  bf16.format = "bf16";
  bf16.claim = Claim::kRounded;
  bf16.rounding = kBf16Rounding;
  bf16.make = [state = state_](const NetworkProblem& problem, size_t, int64_t batch) -> std::unique_ptr<Labeller> {
    return std::make_unique<InFormat>(problem, state->network_in_bf16(), batch);
  };
  entries.push_back(std::move(bf16));
  if (state_->network.forms() == nullptr || state_->network.forms()->count() == 0) return entries;
  add("first_form", Claim::kNone, {.form = 0});
  add("guarantee", Claim::kExact, {.guarantee = true});
  return entries;
}

namespace {

// A form without the others: what it settles is what it certifies.
int64_t certified_alone(const nn::Network& network, const std::string& path, const nn::Dataset& data, size_t f) {
  const nn::Forms& all = *network.forms();
  std::vector<nn::Forms::Layer> layers = all.layers();
  for (nn::Forms::Layer& layer : layers) layer.proofs = {layer.proofs[f]};
  nn::Network alone = nn::load_model(network.context(), path);
  alone.set_forms(std::make_shared<const nn::Forms>(network.context(), all.n(), network.options().identity_scale,
                                                    std::vector<nn::Form>{all.form(f)}, std::move(layers)));
  return nn::predict(alone, data, {.guarantee = true}).settled[0];
}

// Its labels, and beside them what was found to be certified.
class FormAlone : public Predictor {
 public:
  FormAlone(const nn::Network& network, const nn::Dataset& data, const nn::PredictOptions& options,
            SettledRows certified)
      : Predictor(network, data, options), certified_(std::move(certified)) {}
  std::vector<SettledRows> settled() const override { return {certified_}; }

 private:
  const SettledRows certified_;
};

}  // namespace

std::vector<NetworkEntry> TrainedModel::form_entries() const {
  std::vector<NetworkEntry> entries;
  const nn::Forms* const forms = state_->network.forms();
  for (size_t f = 0; forms != nullptr && f < forms->count(); ++f) {
    const std::string& name = forms->form(f).name;
    const int64_t images = state_->data.count;
    const SettledRows certified{name, images, certified_alone(state_->network, state_->path, state_->data, f)};
    NetworkEntry entry;
    entry.name = "idelta";
    entry.format = name;
    entry.isa = idelta_isa_name(state_->network.context().isa());
    entry.claim = Claim::kNone;
    entry.make = [state = state_, f, certified](const NetworkProblem&, size_t,
                                                int64_t batch) -> std::unique_ptr<Labeller> {
      const nn::PredictOptions options{.form = int64_t(f), .batch = batch};
      return std::make_unique<FormAlone>(state->network, state->data, options, certified);
    };
    entries.push_back(std::move(entry));
  }
  return entries;
}

NetworkProblem TrainedModel::network_problem() const {
  const nn::Network& network = state_->network;
  const nn::NetworkOptions& options = network.options();
  NetworkProblem problem;
  problem.layers = network.layers();
  problem.n = network.n();
  problem.pixels = options.pixels();
  problem.classes = options.classes;
  problem.identity_scale = options.identity_scale;
  problem.class_padding = options.class_padding;
  problem.activation = options.activation;
  problem.images = state_->data.count;
  problem.image_values = state_->data.images.data();
  problem.threads = state_->threads;
  const int64_t n = problem.n;
  for (int64_t l = 0; l < problem.layers; ++l) {
    const std::vector<float> delta = network.delta(l);
    std::copy(delta.begin(), delta.end(), problem.delta.emplace_back(n * n).data());
    std::copy_n(network.bias(l).data(), n, problem.bias.emplace_back(n).data());
  }
  fill_logits(network, problem);
  return problem;
}

}  // namespace idelta::bench
