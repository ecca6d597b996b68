// A guess gives every class the same likelihood: its loss is ln C, which is also an untrained network's.
#include "divergence.h"

#include <cmath>

#include "error.h"
#include "finite.h"

namespace idelta::nn {
namespace {

// Times the loss of a guess. An epoch of a few steps, or one of labels without a rule, may stay a little above it; a
// rate that is merely high stays below the second.
constexpr double kNothingLearned = 1.1, kDiverged = 10;

double loss_of_a_guess(const NetworkOptions& network) { return std::log(static_cast<double>(network.classes)); }

}  // namespace

std::string mend(const TrainOptions& options, const NetworkOptions& network) {
  if (std::string fault = options_at_fault(network); !fault.empty()) return fault;
  std::string text = "training diverged; give a lower rate (0.03 / layers is the default)";
  if (options.momentum > 0.9f) text += sentence(", or a lower momentum than ", options.momentum);
  if (options.layer_loss > 0.0f) text += sentence(", or a lower layer loss than ", options.layer_loss);
  const std::string milder = milder_options(network);
  return milder.empty() ? text : text + ", or " + milder;
}

// D <- (1 - rate decay) D, with momentum in the first step after D was moved.
void check_decay(const TrainOptions& options, int64_t layers) {
  const double rate = effective_learning_rate(options, layers, 0), decay = options.weight_decay;
  if (rate * decay < 1) return;
  fail("train: weight_decay is ", options.weight_decay, " at a learning_rate of ", rate,
       ": every step would multiply D by ", 1 - rate * decay, "; give a weight decay far below 1 / rate = ", 1 / rate,
       " (0 to 0.01 is usual), or a lower rate");
}

void check_learned(const TrainOptions& options, const NetworkOptions& network, double loss) {
  const double guess = loss_of_a_guess(network);
  if (loss <= kDiverged * guess) return;
  throw Diverged(sentence("train: the mean loss of the last epoch is ", loss, ", and a guess has ", guess, ": ",
                          mend(options, network)));
}

std::vector<std::string> warnings(const TrainOptions& options, const NetworkOptions& network, double loss) {
  const double guess = loss_of_a_guess(network);
  if (loss <= kNothingLearned * guess) return {};
  return {sentence("the mean loss of the last epoch is ", loss, ", and a guess has ", guess,
                   ": nothing was learned, or ", mend(options, network))};
}

}  // namespace idelta::nn
