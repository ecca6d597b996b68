// OpenBLAS as it is mostly called, and with SGEMM accumulating wherever it can (beta1).
#pragma once

#include "bench/implementation.h"

namespace idelta::bench {

// One row of some width is a matter for GEMV and GER: 57 us against SGEMM's 65 at n = 794, 0.57 ms against 1.7 at 2048;
// up to 256 SGEMM's kernel for small matrices is as fast or faster (0.3.21, SkylakeX kernels, one thread).
inline bool takes_vector_calls(int64_t m, int64_t n) { return m == 1 && n > 256; }

// out (m x n) = beta out + x op(W), W n x n; op transposes.
void openblas_multiply(int64_t m, int64_t n, const float* x, const float* weights, bool transposed, float beta,
                       float* out);

class Openblas : public Implementation {
 public:
  Openblas(const Problem& problem, const Inputs& inputs, bool identity_in_weights = true);
  static StageCodes codes();

 protected:
  virtual void forward();
  virtual void backward_data();
  void backward_weights();
  virtual void update();
  // gradient = beta gradient + x^T dz, bias_gradient alike
  void accumulate_gradients(float beta, float* gradient, float* bias_gradient);
};

}  // namespace idelta::bench
