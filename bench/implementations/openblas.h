// OpenBLAS on W (openblas.cc) and with beta = 1 onto a copy of x (openblas_beta1.cc).
#pragma once

#include "bench/implementation.h"

namespace idelta::bench {

// out (m x n) = beta out + x op(W), W n x n; op transposes. One row is a GEMV, as any user would call it: SGEMM would
// first pack the whole of W.
void openblas_multiply(int64_t m, int64_t n, const float* x, const float* weights, bool transposed, float beta,
                       float* out);

class Openblas : public Implementation {
 public:
  Openblas(const Problem& problem, const Inputs& inputs, bool identity_in_weights = true)
      : Implementation(problem, inputs, identity_in_weights) {}
  void run() override;

 protected:
  virtual void forward();
  virtual void backward_data();

 private:
  void weights_changed() override {}
  void backward_weights(float beta, float* gradient, float* bias_gradient);
  void update();
};

}  // namespace idelta::bench
