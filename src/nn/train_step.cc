// One step: forward, loss, then backward layer by layer with the update fused into each; and the search for what did
// not stay finite.
#include <algorithm>
#include <cmath>
#include <exception>
#include <utility>

#include "divergence.h"
#include "error.h"
#include "finite.h"
#include "option_fields.h"
#include "trainer_state.h"

namespace idelta::nn {

// Of the outputs for the first rows; its gradients go to loss_gradients.
Loss Trainer::State::loss(int64_t rows) {
  const int64_t last = network.layers() - 1;
  const auto of_layer = [&](int64_t l) {
    return softmax_cross_entropy(rows, network.n(), network.options().classes, outputs[l].data(), labels.data(),
                                 loss_gradients[l].data());
  };
  Loss loss = of_layer(last);
  hidden_loss = 0;
  for (int64_t l = 0; l < last && options.layer_loss > 0; ++l) {
    const Loss hidden = of_layer(l);
    hidden_loss += double{options.layer_loss} * hidden.cross_entropy;
    loss.not_finite = std::max(loss.not_finite, hidden.not_finite);
  }
  return loss;
}

// To dy, which holds what the layers above want of the outputs of this one.
void Trainer::State::add_layer_loss(int64_t layer, int64_t rows) {
  const int64_t n = network.n();
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = i * n + network.options().pixels(); j < (i + 1) * n; ++j) {
      dy[j] += options.layer_loss * loss_gradients[layer][j];
    }
  }
}

// One step on the first rows of h0 and labels: whole, or not at all.
Loss Trainer::State::step(int64_t rows, float learning_rate) {
  network.forward(rows, h0.data(), output_rows);
  const Loss loss = this->loss(rows);
  // Before any parameter changes.
  const bool first = optimizer.step == 0;
  if (first) check_first_outputs(rows);
  if (!std::isfinite(loss.cross_entropy + hidden_loss) || loss.not_finite >= 0)
    fail_diverged("the loss", learning_rate);
  TrainedWith how;
  if (first) how = trained_with();

  optimizer.learning_rate = learning_rate;
  ++optimizer.step;
  try {
    backward_and_update(rows);
  } catch (const std::exception&) {
    --optimizer.step;
    throw;
  }
  network.state_->forms.reset();  // of another D
  network.state_->has_dense = true;
  if (first) network.set_trained_with(std::move(how));
  network.state_->trained_with.settings["steps"] = text_of(optimizer.step);
  return loss;
}

// From the last layer to the first. A call may find no memory for its workspace; those of all layers are of one size,
// so that none does once a layer was updated.
void Trainer::State::backward_and_update(int64_t rows) {
  const int64_t n = network.n(), last = network.layers() - 1;
  for (int64_t l = last; l >= 0; --l) {
    // The last layer is linear, so its dz is its dy, the loss' gradient; the first needs no dx. In between dx takes the
    // place of dy once that has become dz.
    const float* const above = l == last ? loss_gradients[l].data() : dy.data();
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
    if (l > 0 && options.layer_loss > 0) add_layer_loss(l - 1, rows);
    update(l, rows, l > 0 ? outputs[l - 1].data() : h0.data(), l == last ? above : dz.data());
  }
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

// What is not finite in the forward pass of the first step is the fault of the images or the network's options.
void Trainer::State::check_first_outputs(int64_t rows) {
  const int64_t n = network.n();
  if (!all_finite({h0.data(), static_cast<size_t>(rows * n)})) {
    throw NotFinite(
        sentence("train: images of ", data.name, " hold pixels that are not finite; pixels must lie in [0, 1]"));
  }
  const int64_t layer = first_layer_not_finite(output_rows, rows, n);
  if (layer < 0) return;
  throw NotFinite(sentence("train: the output of layer ", layer + 1,
                           " is not finite before the first step: identity scale ", network.options().identity_scale,
                           " and class padding ", network.options().class_padding, " are too large for ",
                           network.layers(), " layers; 1 and 0 are the defaults"));
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
  throw Diverged(sentence("train: ", what, " is not finite in epoch ", epoch + 1, " at learning rate ", learning_rate,
                          ": ", mend(options, network.options())));
}

}  // namespace idelta::nn
