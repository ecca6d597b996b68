// Plain GEMM, what a layer costs without idelta: SGEMM with W = I + D, then bias and activation in one loop; SGEMM into
// a gradient, then the optimiser in one loop over gradient, momentum and W. And the residual form with BLAS alone
// (beta1).
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

Openblas::Openblas(const Problem& problem, const Inputs& inputs, bool identity_in_weights)
    : Implementation(problem, inputs, identity_in_weights, codes()) {
  if (!problem.pass.trains()) return;
  memory_.gradient = Buffer(problem.n * problem.n);
  memory_.bias_gradient = Buffer(problem.n);
}

StageCodes Openblas::codes() {
  return {code("forward", &Openblas::forward), code("backward_data", &Openblas::backward_data),
          code("backward_weights", &Openblas::backward_weights), code("update", &Openblas::update)};
}

void Openblas::forward() {
  openblas_multiply(problem_.m, problem_.n, memory_.x.data(), memory_.weights.data(), false, 0.0f, memory_.y.data());
  loops::add_bias_hard_tanh(problem_.m, problem_.n, memory_.bias.data(), memory_.y.data());
}

void Openblas::backward_data() {
  loops::hard_tanh_gradient(problem_.m, problem_.n, memory_.dy.data(), memory_.y.data(), memory_.dz.data(), nullptr);
  openblas_multiply(problem_.m, problem_.n, memory_.dz.data(), memory_.weights.data(), true, 0.0f, memory_.dx.data());
}

void Openblas::backward_weights() { accumulate_gradients(0.0f, memory_.gradient.data(), memory_.bias_gradient.data()); }

void Openblas::accumulate_gradients(float beta, float* gradient, float* bias_gradient) {
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
  backward_weights();
  loops::momentum_step(memory_.weights.size(), kMomentum, learning_rate_, memory_.gradient.data(),
                       memory_.velocity.data(), memory_.weights.data());
  loops::momentum_step(memory_.bias.size(), kMomentum, learning_rate_, memory_.bias_gradient.data(),
                       memory_.bias_velocity.data(), memory_.bias.data());
}

namespace {

// The residual form with BLAS alone: y starts as x + b and SGEMM adds x D with beta = 1. The copy replaces the loop for
// the bias; the activation still needs its own. An update lets SGEMM accumulate x^T dz straight into the momentum
// (beta = 0.9), so that one loop over D is left: what the ordinary composition writes as gradient and reads again is
// saved, but SGEMM reads the momentum in its inner tiles.
class OpenblasBeta1 : public Openblas {
 public:
  OpenblasBeta1(const Problem& problem, const Inputs& inputs) : Openblas(problem, inputs, false) {}

 private:
  void forward() override {
    const LayerMemory& in = memory_;
    loops::add_bias(problem_.m, problem_.n, in.x.data(), in.bias.data(), memory_.y.data());
    openblas_multiply(problem_.m, problem_.n, in.x.data(), in.weights.data(), false, 1.0f, memory_.y.data());
    loops::hard_tanh(problem_.m, problem_.n, memory_.y.data());
  }

  void backward_data() override {
    const LayerMemory& in = memory_;
    loops::hard_tanh_gradient(problem_.m, problem_.n, in.dy.data(), in.y.data(), memory_.dz.data(), memory_.dx.data());
    openblas_multiply(problem_.m, problem_.n, in.dz.data(), in.weights.data(), true, 1.0f, memory_.dx.data());
  }

  void update() override {
    accumulate_gradients(kMomentum, memory_.velocity.data(), memory_.bias_velocity.data());
    loops::step(memory_.weights.size(), learning_rate_, memory_.velocity.data(), memory_.weights.data());
    loops::step(memory_.bias.size(), learning_rate_, memory_.bias_velocity.data(), memory_.bias.data());
  }
};

}  // namespace

ImplementationEntry openblas_entry() {
  const auto isa = [](idelta_isa) {
    std::string name = openblas_get_corename();
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return char(std::tolower(c)); });
    return name;
  };
  return {.name = "openblas",
          .format = "f32",
          .isa = isa,
          .identity_apart = false,
          .rival = true,
          .stages = Openblas::codes(),
          .make = maker<Openblas>()};
}

ImplementationEntry openblas_beta1_entry() {
  ImplementationEntry entry = openblas_entry();
  entry.name = "openblas_beta1";
  entry.make = maker<OpenblasBeta1>();
  return entry;
}

}  // namespace idelta::bench
