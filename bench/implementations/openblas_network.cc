// A network by plain GEMM, in two ways: SGEMM with W = a I + D, then bias and activation in one loop; or y starts as
// x + b, SGEMM adds x D to it, and the activation has its own loop.
#include <cblas.h>

#include <stdexcept>
#include <vector>

#include "bench/implementation.h"
#include "bench/implementations/layered_labeller.h"
#include "bench/implementations/openblas.h"

namespace idelta::bench {

namespace {

// Of a loop over all that one layer writes: y = act(y + bias), or y = act(y).
struct Activation {
  void (*after_bias)(int64_t m, int64_t n, const float* bias, float slope, float* y);
  void (*alone)(int64_t m, int64_t n, float slope, float* y);
  float slope;
};

void clip_after_bias(int64_t m, int64_t n, const float* bias, float, float* y) {
  loops::add_bias_hard_tanh(m, n, bias, y);
}
void clip(int64_t m, int64_t n, float, float* y) { loops::hard_tanh(m, n, y); }

Activation loops_for(idelta_activation activation) {
  switch (activation.kind) {
    case IDELTA_ACTIVATION_HARD_TANH:
      return {clip_after_bias, clip, 0.0f};
    case IDELTA_ACTIVATION_IDENTITY:
      return {loops::add_bias_leaky_relu, loops::leaky_relu, 1.0f};
    case IDELTA_ACTIVATION_RELU:
      return {loops::add_bias_leaky_relu, loops::leaky_relu, 0.0f};
    case IDELTA_ACTIVATION_LEAKY_RELU:
      return {loops::add_bias_leaky_relu, loops::leaky_relu, activation.slope};
    default:
      throw std::runtime_error(std::string("there is no fast loop of ") + idelta_activation_name(activation.kind) +
                               " beside SGEMM; take a model of another activation");
  }
}

class OpenblasNetwork : public LayeredLabeller {
 public:
  OpenblasNetwork(const NetworkProblem& problem, Identity identity, int64_t batch)
      : LayeredLabeller(problem, batch), identity_(identity) {
    for (int64_t l = 0; l < problem.layers; ++l) {
      weights_.push_back(weights_of(problem, l, identity));
      activations_.push_back(
          loops_for(problem.is_linear(l) ? idelta_activation{IDELTA_ACTIVATION_IDENTITY, 0.0f} : problem.activation));
    }
  }

 private:
  const float* forward(int64_t rows) override {
    const int64_t n = problem_.n, last = problem_.layers - 1;
    for (int64_t l = 0; l < last; ++l) {
      const float* x = input(l);
      const float* bias = problem_.bias[size_t(l)].data();
      const Activation& activation = activations_[size_t(l)];
      float* y = output(l);
      if (identity_ == Identity::kInWeights) {
        openblas_multiply(rows, n, x, weights_[size_t(l)].data(), false, 0.0f, y);
        activation.after_bias(rows, n, bias, activation.slope, y);
        continue;
      }
      loops::add_bias(rows, n, x, bias, y);
      openblas_multiply(rows, n, x, weights_[size_t(l)].data(), false, 1.0f, y);
      if (!problem_.is_linear(l)) activation.alone(rows, n, activation.slope, y);
    }
    class_columns(rows, input(last), problem_.bias[size_t(last)].data(), output(last));
    return output(last);
  }

  // Labels need no more of the last layer.
  void class_columns(int64_t rows, const float* x, const float* bias, float* y) {
    const int64_t n = problem_.n, first = problem_.pixels, classes = problem_.classes;
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t c = first; c < n; ++c)
        y[i * n + c] = bias[c] + (identity_ == Identity::kApart ? x[i * n + c] : 0.0f);
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, int(rows), int(classes), int(n), 1.0f, x, int(n),
                weights_.back().data() + first, int(n), 1.0f, y + first, int(n));
  }

  const Identity identity_;
  std::vector<Buffer> weights_;
  std::vector<Activation> activations_;
};

}  // namespace

NetworkEntry openblas_network_entry() {
  NetworkEntry entry;
  entry.name = "openblas";
  entry.format = "f32";
  entry.isa = openblas_entry().isa(IDELTA_ISA_AUTO);
  entry.rival = true;
  entry.rounding = kNetworkRounding;
  entry.variants = {"W", "D"};
  entry.make = [](const NetworkProblem& problem, size_t variant, int64_t batch) -> std::unique_ptr<Labeller> {
    return std::make_unique<OpenblasNetwork>(problem, variant == 0 ? Identity::kInWeights : Identity::kApart, batch);
  };
  return entry;
}

}  // namespace idelta::bench
