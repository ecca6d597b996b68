// What options of training mean, and which can be.
#include <cmath>

#include "error.h"
#include "idelta/nn.hpp"
#include "trainer_state.h"

namespace idelta::nn {
namespace {

// The default rate of one layer; L layers share it. Measured on Fashion-MNIST: 0.003 is good at L = 10, 0.1 diverges.
constexpr float kRatePerNetwork = 0.03f;
constexpr float kDecayFactor = 0.1f;

}  // namespace

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
  if (!(options.layer_loss >= 0.0f) || !std::isfinite(options.layer_loss)) {
    fail("train: layer_loss is ", options.layer_loss, "; give 0 or more");
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

float effective_learning_rate(const TrainOptions& options, int64_t layers, int64_t epoch) {
  const float rate =
      options.learning_rate != 0.0f ? options.learning_rate : kRatePerNetwork / static_cast<float>(layers);
  return epoch >= options.epochs - options.decay_epochs ? rate * kDecayFactor : rate;
}

}  // namespace idelta::nn
