// Names of passes, the inputs of a grid point and an implementation's memory: see problem.h.
#include "bench/problem.h"

#include <cblas.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <stdexcept>

#include "bench/factors.h"
#include "bench/random.h"

namespace idelta::bench {

namespace {

Buffer nan_buffer(int64_t count) {
  Buffer buffer(count);
  buffer.fill(std::numeric_limits<float>::quiet_NaN());
  return buffer;
}

Buffer copy_of(const Buffer& other) {
  Buffer buffer;
  buffer.copy_from(other);
  return buffer;
}

}  // namespace

const char* pass_name(Pass pass) {
  switch (pass) {
    case Pass::kForward:
      return "forward";
    case Pass::kBackwardData:
      return "backward_data";
    case Pass::kBackwardWeights:
      return "backward_weights";
    case Pass::kUpdate:
      return "update";
    case Pass::kTrainStep:
      return "train_step";
  }
  throw std::invalid_argument("unknown pass");
}

Pass pass_from_name(const std::string& name) {
  for (const Pass pass : kAllPasses) {
    if (name == pass_name(pass)) return pass;
  }
  throw std::invalid_argument("unknown pass '" + name +
                              "': give forward, backward_data, backward_weights, update or train_step");
}

Buffer::Buffer(int64_t count) : size_(count) {
  if (count == 0) return;
  const size_t bytes = (static_cast<size_t>(count) * sizeof(float) + 63) / 64 * 64;
  auto* memory = static_cast<float*>(std::aligned_alloc(64, bytes));
  if (memory == nullptr) throw std::bad_alloc();
  data_.reset(memory);
}

void Buffer::Free::operator()(float* p) const { std::free(p); }

void Buffer::fill(float value) { std::fill_n(data(), size_, value); }

void Buffer::copy_from(const Buffer& other) {
  if (size_ != other.size_) *this = Buffer(other.size_);
  if (size_ != 0) std::memcpy(data(), other.data(), static_cast<size_t>(size_) * sizeof(float));
}

double Problem::flops(const std::string& format) const {
  const auto rank = double(rank_of(format));
  const double product = (rank > 0 ? 4.0 * rank : 2.0 * double(n)) * double(m) * double(n);
  return pass == Pass::kTrainStep ? 3.0 * product : product;
}

double Problem::traffic_bytes(const std::string& format) const {
  const double elements = double(n) * double(n), matrix = 4 * elements, rows = 4 * double(m) * double(n);
  const auto rank = double(rank_of(format));
  const double delta = rank > 0 ? 4 * 2 * rank * double(n) : (format == "bf16" ? 2 : 4) * elements;  // bf16x3: 2 + 2
  switch (pass) {
    case Pass::kForward:
      return delta + 2 * rows;
    case Pass::kBackwardData:
      return delta + 4 * rows;
    case Pass::kBackwardWeights:
      return matrix + 2 * rows;
    case Pass::kUpdate:
      return 4 * matrix + 2 * rows;
    case Pass::kTrainStep:
      return 2 * delta + 4 * matrix + 8 * rows;
  }
  throw std::invalid_argument("unknown pass");
}

Inputs random_inputs(const Problem& problem) {
  const int64_t n = problem.n, m = problem.m;
  Inputs inputs;
  Random random(static_cast<uint64_t>(n) * 1000003u + static_cast<uint64_t>(m));
  inputs.x = random_buffer(random, m * n, 1.0f);
  inputs.dy = random_buffer(random, m * n, 1.0f);
  inputs.y = random_buffer(random, m * n, 1.2f);  // a sixth is saturated
  for (int64_t i = 0; i < m * n; ++i) inputs.y[i] = std::clamp(inputs.y[i], -1.0f, 1.0f);
  inputs.dz = random_buffer(random, m * n, 1.0f);
  // The norm of a matrix with independent entries of variance s^2 / 3 tends to 2 s sqrt(n / 3): 0.3 for this s.
  inputs.delta = random_buffer(random, n * n, 0.26f / std::sqrt(float(n)));
  inputs.bias = random_buffer(random, n, 0.1f);
  inputs.velocity = random_buffer(random, problem.trains() ? n * n : 0, 0.01f);
  inputs.bias_velocity = random_buffer(random, problem.trains() ? n : 0, 0.01f);
  return inputs;
}

LayerMemory::LayerMemory(const Problem& problem, const Inputs& inputs, bool identity_in_weights) {
  const int64_t mn = problem.m * problem.n, nn = problem.n * problem.n;
  switch (problem.pass) {
    case Pass::kForward:
      x = copy_of(inputs.x);
      y = nan_buffer(mn);
      break;
    case Pass::kBackwardData:
      dy = copy_of(inputs.dy);
      y = copy_of(inputs.y);
      dz = nan_buffer(mn);
      dx = nan_buffer(mn);
      break;
    case Pass::kBackwardWeights:
      x = copy_of(inputs.x);
      dz = copy_of(inputs.dz);
      gradient = nan_buffer(nn);
      bias_gradient = nan_buffer(problem.n);
      return;  // the only pass without weights
    case Pass::kUpdate:
      x = copy_of(inputs.x);
      dz = copy_of(inputs.dz);
      break;
    case Pass::kTrainStep:
      x = copy_of(inputs.x);
      dy = copy_of(inputs.dy);
      y = nan_buffer(mn);
      dz = nan_buffer(mn);
      dx = nan_buffer(mn);
      break;
  }
  reset_weights(inputs, identity_in_weights);
}

void LayerMemory::reset_weights(const Inputs& inputs, bool identity_in_weights) {
  weights.copy_from(inputs.delta);
  velocity.copy_from(inputs.velocity);
  bias.copy_from(inputs.bias);
  bias_velocity.copy_from(inputs.bias_velocity);
  const int64_t n = bias.size();
  for (int64_t i = 0; identity_in_weights && i < n; ++i) weights[i * n + i] += 1.0f;
}

ThreadScope::ThreadScope(int threads)
    : omp_before_(omp_get_max_threads()), openblas_before_(openblas_get_num_threads()) {
  omp_set_num_threads(threads);
  openblas_set_num_threads(threads);
}

ThreadScope::~ThreadScope() {
  omp_set_num_threads(omp_before_);
  openblas_set_num_threads(openblas_before_);
}

}  // namespace idelta::bench
