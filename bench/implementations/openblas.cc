// Plain GEMM, what a layer costs without idelta: SGEMM with W = I + D, then bias and activation in one loop; SGEMM into
// a gradient, then the optimiser in one loop over gradient, momentum and W. What beta can save: openblas_beta1.cc.
#include "bench/implementations/openblas.h"

#include <cblas.h>

#include <algorithm>
#include <cctype>

#include "bench/implementations/loops.h"

namespace idelta::bench {

void openblas_multiply(int64_t m, int64_t n, const float* x, const float* weights, bool transposed, float beta,
                       float* out) {
  const int rows = int(m), width = int(n);
  if (takes_vector_calls(m, n)) {  // out^T = op(W)^T x^T
    cblas_sgemv(CblasRowMajor, transposed ? CblasNoTrans : CblasTrans, width, width, 1.0f, weights, width, x, 1, beta,
                out, 1);
    return;
  }
  cblas_sgemm(CblasRowMajor, CblasNoTrans, transposed ? CblasTrans : CblasNoTrans, rows, width, width, 1.0f, x, width,
              weights, width, beta, out, width);
}

void Openblas::run() {
  switch (problem_.pass) {
    case Pass::kForward:
      return forward();
    case Pass::kBackwardData:
      return backward_data();
    case Pass::kBackwardWeights:
      return backward_weights(0.0f, memory_.gradient.data(), memory_.bias_gradient.data());
    case Pass::kUpdate:
      return update();
    case Pass::kTrainStep:
      forward(), backward_data(), update();
      return;
  }
}

void Openblas::forward() {
  openblas_multiply(problem_.m, problem_.n, memory_.x.data(), memory_.weights.data(), false, 0.0f, memory_.y.data());
  loops::add_bias_hard_tanh(problem_.m, problem_.n, memory_.bias.data(), memory_.y.data());
}

void Openblas::backward_data() {
  loops::hard_tanh_gradient(problem_.m, problem_.n, memory_.dy.data(), memory_.y.data(), memory_.dz.data(), nullptr);
  openblas_multiply(problem_.m, problem_.n, memory_.dz.data(), memory_.weights.data(), true, 0.0f, memory_.dx.data());
}

void Openblas::backward_weights(float beta, float* gradient, float* bias_gradient) {
  const int rows = int(problem_.m), width = int(problem_.n);
  if (takes_vector_calls(problem_.m, problem_.n)) {
    if (beta == 0.0f) {
      std::fill_n(gradient, problem_.n * problem_.n, 0.0f);
    } else {
      cblas_sscal(width * width, beta, gradient, 1);
    }
    cblas_sger(CblasRowMajor, width, width, 1.0f, memory_.x.data(), 1, memory_.dz.data(), 1, gradient, width);
  } else {
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, width, width, rows, 1.0f, memory_.x.data(), width,
                memory_.dz.data(), width, beta, gradient, width);
  }
  loops::column_sums(problem_.m, problem_.n, memory_.dz.data(), beta, bias_gradient);
}

void Openblas::update() {
  backward_weights(0.0f, memory_.gradient.data(), memory_.bias_gradient.data());
  loops::momentum_step(memory_.weights.size(), kMomentum, learning_rate_, memory_.gradient.data(),
                       memory_.velocity.data(), memory_.weights.data());
  loops::momentum_step(memory_.bias.size(), kMomentum, learning_rate_, memory_.bias_gradient.data(),
                       memory_.bias_velocity.data(), memory_.bias.data());
}

ImplementationEntry openblas_entry() {
  return {.name = "openblas",
          .format = "f32",
          .isa =
              [](idelta_isa) {
                std::string name = openblas_get_corename();
                std::transform(name.begin(), name.end(), name.begin(),
                               [](unsigned char c) { return char(std::tolower(c)); });
                return name;
              },
          .identity_apart = false,
          .rival = true,
          .make = [](const Problem& problem, const Inputs& inputs) -> std::unique_ptr<Implementation> {
            return std::make_unique<Openblas>(problem, inputs);
          }};
}

}  // namespace idelta::bench
