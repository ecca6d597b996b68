// What is measured: one pass of one layer, and the memory an implementation works on.
//
//     W = I + D;   forward           y  = act(x + x D + b)
//                  backward_data     dz = dy (.) act'(y),  dx = dz + dz D^T
//                  backward_weights  dD = x^T dz,  db = column sums of dz
//                  update            v = momentum v + x^T dz,  D -= lr v (bias alike), and repacking: whatever the next
//                                    forward and backward_data need of the new D
//                  train_step        forward, backward_data, update
//
// act is hard_tanh, matrices are dense row-major (ld = n), the identity scale is 1. D is dense, or in forward and
// backward_data a product of two factors (factors.h). The tables of passes are in passes.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "bench/passes.h"
#include "idelta/idelta.h"

namespace idelta::bench {

struct Problem {
  Pass pass;
  int64_t n, m;
  int threads;
  idelta_isa isa = IDELTA_ISA_AUTO;
  int layer = 0;  // of a trained model, from 1, whose D, x, y and dy are the inputs; 0: random numbers

  // Nominal: 2 m n^2 for each multiplication by or for D, whatever an implementation really does; 4 m n r where D is
  // of low rank r.
  double flops(const std::string& format = "f32") const;

  // Bytes that must move at the least: D in the format of the products, its factors where it is of low rank (in an
  // update D and v, in fp32, each read and written), x, y, dz, dx once each.
  double traffic_bytes(const std::string& format) const;
};

inline constexpr float kMomentum = 0.9f;

// Small enough that the weights stay where they are while a step is timed again and again.
inline float timing_learning_rate(const Problem& problem) { return 1e-7f / float(problem.m); }
// Large enough that a wrong gradient shows in the new weights.
inline constexpr float kCheckLearningRate = 0.05f;

// Floats on a cache line of their own; not initialised. Empty when count is 0.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(int64_t count);
  float* data() { return data_.get(); }
  const float* data() const { return data_.get(); }
  int64_t size() const { return size_; }
  float& operator[](int64_t i) { return data_.get()[i]; }
  float operator[](int64_t i) const { return data_.get()[i]; }
  void fill(float value);
  void copy_from(const Buffer& other);  // takes its size too

 private:
  struct Free {
    void operator()(float* p) const;
  };
  std::unique_ptr<float[], Free> data_;
  int64_t size_ = 0;
};

// The given quantities of a grid point, the same for all implementations.
struct Inputs {
  Buffer x, dy, y, dz;         // m x n
  Buffer delta, velocity;      // n x n
  Buffer bias, bias_velocity;  // n
};

// x and y in [-1, 1] with some of y saturated, ||D||_2 about 0.3. Pseudo-random from n and m alone.
Inputs random_inputs(const Problem& problem);

// An implementation's own copies of what its pass reads, and room for what it writes (filled with NaN, so that what is
// not written shows). What one stage of the pass writes and a later one reads is not copied. `weights` holds D, or W =
// I + D where the implementation multiplies by W.
struct LayerMemory {
  LayerMemory(const Problem& problem, const Inputs& inputs, bool identity_in_weights);
  void reset_weights(const Inputs& inputs, bool identity_in_weights);
  Buffer x, dy, y, dz, dx;                    // m x n
  Buffer weights, velocity, gradient;         // n x n
  Buffer bias, bias_velocity, bias_gradient;  // n
};

// Puts OpenMP and OpenBLAS at `threads`, and back to what they were at the end of the scope.
class ThreadScope {
 public:
  explicit ThreadScope(int threads);
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int omp_before_, openblas_before_;
};

}  // namespace idelta::bench
