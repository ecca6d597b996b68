// The identity-initialised network: its options, its parameters, its forward pass.
#include <algorithm>
#include <cmath>
#include <new>

#include "check_data.h"
#include "error.h"
#include "idelta/nn.hpp"
#include "passes.h"
#include "without_dense.h"

namespace idelta::nn {
namespace {

// Layers beyond this are typing errors.
constexpr int64_t kMostLayers = int64_t{1} << 20;

void check_size(const char* what, int64_t value, int64_t least, int64_t most) {
  if (value < least || value > most) fail("network: ", what, " is ", value, "; give ", least, " to ", most);
}

// Of what may be empty.
void check_count(const char* what, size_t count, int64_t wanted) {
  if (count == 0 || count == static_cast<size_t>(wanted)) return;
  fail("network: there are ", count, " ", what, "; give ", wanted, ", or none");
}

// Of a layer's pack, without a rank.
DeltaOptions pack_options(const NetworkOptions& options, int64_t layer, idelta_format format) {
  DeltaOptions how = kDeltaOptions;
  how.format = format;
  how.identity_scale = options.identity_scale;
  how.passes = layer == 0 ? IDELTA_PASS_FORWARD : IDELTA_PASS_BOTH;  // nobody asks for the gradient of the images
  return how;
}

// What the class dimensions hold after the first layer of an untrained network, before its activation.
float first_class_value(const NetworkOptions& options) { return options.identity_scale * options.class_padding; }

}  // namespace

void check_options(const NetworkOptions& options) {
  check_size("layers", options.layers, 1, kMostLayers);
  // Sides first, so that their product does not overflow.
  check_size("height", options.height, 1, kMostInputs);
  check_size("width", options.width, 1, kMostInputs);
  check_size("classes", options.classes, 2, kMostClasses);
  check_size("pixels (height * width)", options.pixels(), 1, kMostInputs);
  if (!std::isfinite(options.identity_scale)) {
    fail("network: identity_scale is ", options.identity_scale, "; give a finite number, usually 1");
  }
  if (!std::isfinite(options.class_padding)) {
    fail("network: class_padding is ", options.class_padding, "; give a finite number, usually 0");
  }
  if (idelta_activation_check(&options.activation) != IDELTA_OK) fail("network: ", last_reason());
  if (!std::isfinite(options.activation.slope)) {
    fail("network: the slope of the activation is ", options.activation.slope, "; give 0, which only leaky_relu reads");
  }
  check_count("feature_names", options.feature_names.size(), options.pixels());
  check_count("class_names", options.class_names.size(), options.classes);
  check_count("offsets of the scaling", options.scaling.offsets.size(), options.pixels());
  check_count("factors of the scaling", options.scaling.factors.size(), options.pixels());
}

std::vector<std::string> warnings(const NetworkOptions& options) {
  std::vector<std::string> found;
  const bool hidden_layers = options.layers > 1;
  const idelta_activation_kind kind = options.activation.kind;
  if (hidden_layers && kind == IDELTA_ACTIVATION_RELU && first_class_value(options) <= 0.0f) {
    found.push_back(
        sentence("ReLU with class padding ", options.class_padding,
                 ": the class dimensions of hidden layers start where ReLU' is 0 and never learn, so hidden layers "
                 "stay at chance; leaky_relu or a padding of 0.1 avoids it"));
  }
  if (hidden_layers && kind == IDELTA_ACTIVATION_HARD_TANH && std::fabs(first_class_value(options)) >= 1.0f) {
    found.push_back(sentence("hard_tanh with class padding ", options.class_padding, " and identity scale ",
                             options.identity_scale,
                             ": the class dimensions of hidden layers start clipped, where the derivative is 0, and "
                             "never learn; leaky_relu or a padding of 0 avoids it"));
  }
  if (hidden_layers && kind == IDELTA_ACTIVATION_IDENTITY) {
    found.push_back("the identity activation makes the network linear: its layers are one matrix together");
  }
  if (const double gain = std::pow(std::fabs(static_cast<double>(options.identity_scale)), options.layers);
      !(gain > 0.1 && gain < 10.0)) {
    found.push_back(sentence("identity scale ", options.identity_scale, " over ", options.layers,
                             " layers scales the input by ", gain, "; a scale of 1 keeps it"));
  }
  return found;
}

Network::Network(const Context& context, const NetworkOptions& options)
    : Network(context, options, [&](int64_t) {
        const auto n = static_cast<size_t>(options.n());
        return LayerParameters{std::vector<float>(n * n), std::vector<float>(n)};
      }) {}

Network::Network(const Context& context, const NetworkOptions& options,
                 const std::function<LayerParameters(int64_t layer)>& parameters)
    : state_(std::make_shared<State>(State{context, options})) {
  check_options(options);
  try {
    state_->layers.resize(static_cast<size_t>(options.layers));
    for (int64_t l = 0; l < layers(); ++l) {
      LayerParameters given = parameters(l);
      check_sizes(given.delta, given.bias);
      state_->layers[l].packed = pack(l, given.delta, IDELTA_FORMAT_F32);
      state_->layers[l].bias = std::move(given.bias);
    }
  } catch (const std::bad_alloc&) {
    throw Error(IDELTA_OUT_OF_MEMORY, sentence("network: there is no memory for ", options.layers, " layers of ", n(),
                                               " x ", n(), "; use fewer layers or smaller images"));
  }
}

idelta_activation Network::activation(int64_t layer) const {
  return layer + 1 == layers() ? idelta_activation{IDELTA_ACTIVATION_IDENTITY, 0.0f} : options().activation;
}

std::unique_ptr<Delta> Network::pack(int64_t layer, std::span<const float> delta, idelta_format format, int64_t rank,
                                     idelta_tail tail) const {
  DeltaOptions how = pack_options(options(), layer, format);
  how.rank = std::min(rank, n());
  how.tail = tail;
  return std::make_unique<Delta>(context(), n(), delta.data(), n(), how);
}

Network WithoutDense::make(const Context& context, const NetworkOptions& options, std::shared_ptr<const Forms> forms,
                           std::vector<LayerParameters> layers) {
  check_options(options);
  const auto state = std::make_shared<Network::State>(Network::State{context, options});
  const int64_t n = options.n();
  const size_t last = forms->count() - 1;
  for (int64_t l = 0; l < options.layers; ++l) {
    LayerParameters& given = layers[static_cast<size_t>(l)];
    Network::Layer& made = state->layers.emplace_back();
    made.bias = std::move(given.bias);
    if (given.delta.empty()) {
      made.packed = forms->pack(context, last, l, pack_options(options, l, IDELTA_FORMAT_LOW_RANK));
      state->rank = std::max(state->rank, forms->form(last).ranks[static_cast<size_t>(l)]);
    } else {
      made.packed =
          std::make_unique<Delta>(context, n, given.delta.data(), n, pack_options(options, l, IDELTA_FORMAT_F32));
    }
  }
  state->compute = IDELTA_FORMAT_LOW_RANK;
  state->forms = std::move(forms);
  state->has_dense = false;
  return Network(state);
}

void Network::set_forms(std::shared_ptr<const Forms> forms) {
  if (forms && (forms->n() != n() || forms->layers().size() != static_cast<size_t>(layers()))) {
    fail("set_forms: the forms have ", forms->layers().size(), " layers of width ", forms->n(), ", the network ",
         layers(), " of ", n(), "; give forms of this network");
  }
  state_->forms = std::move(forms);
}

void Network::set_compute(idelta_format format, int64_t rank, idelta_tail tail) {
  if (format == compute() && rank == state_->rank && tail == state_->tail) return;
  if (format == IDELTA_FORMAT_LOW_RANK ? rank < 1 : rank != 0) {
    fail("set_compute: rank is ", rank, " in format ", idelta_format_name(format),
         "; give 1 or more in low_rank and 0 in others");
  }
  if (format != IDELTA_FORMAT_LOW_RANK && tail != IDELTA_TAIL_NONE) {
    fail("set_compute: there is a tail in format ", idelta_format_name(format), "; only low_rank has one");
  }
  // The old layers stay until all new ones are there: what the library refuses leaves the network as it was.
  std::vector<Layer> changed(state_->layers.size());
  for (int64_t l = 0; l < layers(); ++l) {
    const std::vector<float> D = delta(l);
    changed[l].bias = state_->layers[l].bias;
    changed[l].packed = pack(l, D, format, rank, tail);
    if (format == IDELTA_FORMAT_F32) continue;
    changed[l].master.resize(static_cast<size_t>(panels_floats(context(), n())));
    panels_pack(context(), n(), D.data(), n(), changed[l].master.data());
  }
  state_->layers = std::move(changed);
  state_->compute = format;
  state_->rank = rank;
  state_->tail = tail;
}

std::vector<float> Network::delta(int64_t layer) const {
  const std::vector<float>& master = state_->layers[layer].master;
  std::vector<float> copy(static_cast<size_t>(n() * n()));
  if (master.empty()) {
    state_->layers[layer].packed->unpack(copy.data(), n());
  } else {
    panels_unpack(context(), n(), master.data(), copy.data(), n());
  }
  return copy;
}

void Network::check_sizes(std::span<const float> delta, std::span<const float> bias) const {
  const auto width = static_cast<size_t>(n());
  if (delta.size() == width * width && bias.size() == width) return;
  fail("network: delta has ", delta.size(), " and bias ", bias.size(), " entries; give ", width * width, " and ",
       width);
}

void Network::set_layer(int64_t layer, std::span<const float> delta, std::span<const float> bias) {
  if (layer < 0 || layer >= layers()) fail("set_layer: layer is ", layer, "; give 0 to ", layers() - 1);
  check_sizes(delta, bias);
  if (!has_dense()) set_compute(IDELTA_FORMAT_F32);  // a repack of factors would truncate the new D
  state_->forms.reset();
  state_->has_dense = true;
  Layer& target = state_->layers[layer];
  target.packed->repack(delta.data(), n());
  if (!target.master.empty()) panels_pack(context(), n(), delta.data(), n(), target.master.data());
  std::copy(bias.begin(), bias.end(), target.bias.begin());
}

void Network::pad(std::span<const float> images, int64_t rows, float* h0) const {
  const int64_t pixels = options().pixels();
  if (rows < 0 || images.size() != static_cast<size_t>(rows * pixels)) {
    fail("pad: images has ", images.size(), " entries; give ", rows, " images of ", pixels, " pixels");
  }
  for (int64_t i = 0; i < rows; ++i) {
    float* row = std::copy_n(images.data() + i * pixels, pixels, h0 + i * n());
    std::fill_n(row, options().classes, options().class_padding);
  }
}

void Network::forward(int64_t rows, const float* h0, std::span<float* const> outputs,
                      std::span<float* const> contributions) const {
  const auto count = static_cast<size_t>(layers());
  if (outputs.size() != count || (!contributions.empty() && contributions.size() != count)) {
    fail("forward: ", outputs.size(), " outputs and ", contributions.size(), " contributions; give ", count,
         " outputs, and as many contributions or none");
  }
  const float* x = h0;
  for (int64_t l = 0; l < layers(); ++l) {
    forward_layer(*this, l, rows, x, outputs[l], contributions.empty() ? nullptr : contributions[l]);
    x = outputs[l];
  }
}

}  // namespace idelta::nn
