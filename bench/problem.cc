// The inputs of a grid point and an implementation's memory: see problem.h.
#include "bench/problem.h"

#include <cblas.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include "bench/formats.h"
#include "bench/random.h"

namespace idelta::bench {

namespace {

Buffer nan_buffer(int64_t count) {
  Buffer buffer(count);
  buffer.fill(std::numeric_limits<float>::quiet_NaN());
  return buffer;
}

int64_t size_of(Extent extent, const Problem& problem) {
  return extent == Extent::kVector ? problem.n : problem.n * (extent == Extent::kMatrix ? problem.n : problem.m);
}

}  // namespace

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
  double products = 0.0;
  for (const Stage* stage : pass.stages()) products += stage->products;
  return products * (rank > 0 && !has_tail(format) ? 4.0 * rank : 2.0 * double(n)) * double(m) * double(n);
}

double Problem::traffic_bytes(const std::string& format) const {
  const auto width = double(n), rank = double(rank_of(format));
  const double tail = has_tail(format) ? traits_of("int8").element_bytes * width * width : 0;
  const double delta = traits_of(format).element_bytes * width * (rank > 0 ? 2 * rank : width) + tail;
  double bytes = 0.0;
  for (const Stage* stage : pass.stages()) {
    const Moves& moves = stage->moves;
    bytes += moves.deltas * delta + 4 * width * (moves.matrices * width + moves.rows * double(m));
  }
  return bytes;
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
  inputs.velocity = random_buffer(random, problem.pass.trains() ? n * n : 0, 0.01f);
  inputs.bias_velocity = random_buffer(random, problem.pass.trains() ? n : 0, 0.01f);
  return inputs;
}

LayerMemory::LayerMemory(const Problem& problem, const Inputs& inputs, bool identity_in_weights) {
  bool has_parameters = false;
  for (const Stage* stage : problem.pass.stages()) {
    for (const Operand& operand : stage->reads) {
      Buffer& kept = this->*operand.kept;
      if (kept.size() == 0) kept.copy_from(inputs.*operand.given);
    }
    for (const Operand& operand : stage->writes) {
      Buffer& kept = this->*operand.kept;
      if (kept.size() == 0) kept = nan_buffer(size_of(operand.extent, problem));
    }
    has_parameters |= stage->has_parameters();
  }
  if (has_parameters) reset_weights(inputs, identity_in_weights);
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
