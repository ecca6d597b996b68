// One pass over a row sums everything that is asked of its step.
#include "completeness.h"

#include <algorithm>
#include <cmath>

#include "steps.h"

namespace idelta::nn {
namespace {

// Sums run in so many lanes, whose order is fixed, so that the compiler may keep each in an element of a vector.
constexpr int64_t kLanes = 8;

// Distance to the next float above |v|, of normal numbers at least.
double ulp(float v) {
  const int exponent = std::max(std::ilogb(v), -126);
  return std::ldexp(1.0, exponent - 23);
}

struct RowSums {
  double contribution[kLanes] = {}, activation_change[kLanes] = {}, step[kLanes] = {}, residual[kLanes] = {};
  float largest[kLanes] = {};
};

double total(const double (&lanes)[kLanes]) {
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

template <class Act>
StepSize add_row(double a, const Act& act, int64_t n, const float* below, const float* contribution, const float* h,
                 double* sums, float& largest) {
  RowSums row;
  const auto add = [&](int64_t j, int64_t lane) {
    const Step s = step_of(a, act, below[j], contribution[j]);
    sums[j] += s.step;
    row.contribution[lane] += static_cast<double>(contribution[j]) * contribution[j];
    row.activation_change[lane] += s.activation_change * s.activation_change;
    row.step[lane] += s.step * s.step;
    const double residual = std::fabs(sums[j] - h[j]);
    row.residual[lane] = residual > row.residual[lane] ? residual : row.residual[lane];
    const float magnitude = std::fabs(h[j]);
    row.largest[lane] = magnitude > row.largest[lane] ? magnitude : row.largest[lane];
  };
  const int64_t whole = n - n % kLanes;
  for (int64_t j = 0; j < whole; j += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) add(j + lane, lane);
  }
  for (int64_t j = whole; j < n; ++j) add(j, j - whole);

  const double residual = *std::max_element(row.residual, row.residual + kLanes);
  largest = std::max(largest, *std::max_element(row.largest, row.largest + kLanes));
  return {.contribution_norm = std::sqrt(total(row.contribution)),
          .activation_change_norm = std::sqrt(total(row.activation_change)),
          .step_norm = std::sqrt(total(row.step)),
          .residual_ulp = residual == 0 ? 0.0 : residual / ulp(largest)};
}

}  // namespace

void Completeness::start(int64_t rows, const float* h0) {
  const int64_t n = network_.n();
  sums_.assign(h0, h0 + rows * n);
  largest_.assign(static_cast<size_t>(rows), 0.0f);
  for (int64_t i = 0; i < rows * n; ++i) largest_[i / n] = std::max(largest_[i / n], std::fabs(h0[i]));
}

void Completeness::add(const Chunk& chunk, const LayerChunk& layer, std::vector<StepSize>& sizes) {
  const int64_t n = network_.n(), pixels = network_.options().pixels();
  sizes.resize(static_cast<size_t>(chunk.rows));
  const double a = network_.options().identity_scale;
  with_activation(network_, layer.layer - 1, [&](const auto& act) {
    for (int64_t i = 0; i < chunk.rows; ++i) {
      const float* const below = layer.below + i * n;
      const float* const contribution = layer.contribution + i * n;
      sizes[i] = add_row(a, act, n, below, contribution, layer.above + i * n, sums_.data() + i * n, largest_[i]);
      const int64_t label = pixels + chunk.labels[i];
      sizes[i].label_step = step_of(a, act, below[label], contribution[label]).step;
    }
  });
}

}  // namespace idelta::nn
