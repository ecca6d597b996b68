// The residual form with BLAS alone: y starts as x + b and SGEMM adds x D with beta = 1. The copy replaces the loop for
// the bias; the activation still needs its own. An update lets SGEMM accumulate x^T dz straight into the momentum
// (beta = 0.9), so that one loop over D is left: what the ordinary composition writes as gradient and reads again is
// saved, but SGEMM reads the momentum in its inner tiles.
#include "bench/implementations/loops.h"
#include "bench/implementations/openblas.h"

namespace idelta::bench {

namespace {

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
    backward_weights(kMomentum, memory_.velocity.data(), memory_.bias_velocity.data());
    loops::step(memory_.weights.size(), learning_rate_, memory_.velocity.data(), memory_.weights.data());
    loops::step(memory_.bias.size(), learning_rate_, memory_.bias_velocity.data(), memory_.bias.data());
  }
};

}  // namespace

ImplementationEntry openblas_beta1_entry() {
  ImplementationEntry entry = openblas_entry();
  entry.name = "openblas_beta1";
  entry.make = [](const Problem& problem, const Inputs& inputs) -> std::unique_ptr<Implementation> {
    return std::make_unique<OpenblasBeta1>(problem, inputs);
  };
  return entry;
}

}  // namespace idelta::bench
