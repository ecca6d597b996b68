// The loops a BLAS user writes around GEMM: elementwise epilogues, column sums, the optimiser step. Vectorised for the
// CPU they run on (function clones) and shared by OpenMP's threads where the work is worth waking them. Dense m x n.
#pragma once

#include <cstdint>

namespace idelta::bench::loops {

// y = hard_tanh(y + bias)
void add_bias_hard_tanh(int64_t m, int64_t n, const float* bias, float* y);
// y = hard_tanh(y + x + bias)
void add_input_bias_hard_tanh(int64_t m, int64_t n, const float* x, const float* bias, float* y);
// y = hard_tanh(y)
void hard_tanh(int64_t m, int64_t n, float* y);
// y = x + bias
void add_bias(int64_t m, int64_t n, const float* x, const float* bias, float* y);
// y = leaky_relu(y + bias); slope 0 is relu, slope 1 adds the bias and nothing else
void add_bias_leaky_relu(int64_t m, int64_t n, const float* bias, float slope, float* y);
// y = leaky_relu(y)
void leaky_relu(int64_t m, int64_t n, float slope, float* y);
// rows of n floats from rows of `pixels`: those, then padding
void pad(int64_t rows, int64_t pixels, int64_t n, const float* images, float padding, float* padded);
// dz = dy where -1 < y < 1, else 0; and to copy as well, if not null
void hard_tanh_gradient(int64_t m, int64_t n, const float* dy, const float* y, float* dz, float* copy);
// sums = beta sums + column sums of dz; beta = 0 never reads sums
void column_sums(int64_t m, int64_t n, const float* dz, float beta, float* sums);
// w -= learning_rate * v
void step(int64_t count, float learning_rate, const float* v, float* w);
// v = momentum * v + g;  w -= learning_rate * v
void momentum_step(int64_t count, float momentum, float learning_rate, const float* g, float* v, float* w);

}  // namespace idelta::bench::loops
