// One pass over a row sums everything that is asked of its step.
#include "completeness.h"

#include <algorithm>
#include <cmath>

#include "steps.h"

namespace idelta::nn {
namespace {

constexpr double kMostUlpOfALayer = 4;

// Sums run in so many lanes, whose order is fixed, so that the compiler may keep each in an element of a vector.
constexpr int64_t kLanes = 8;

// Distance to the next float above |v|, of normal numbers at least.
double ulp(float v) {
  const int exponent = v == 0 ? -126 : std::max(std::ilogb(v), -126);
  return std::ldexp(1.0, exponent - 23);
}

// 2^-24 with room for what is quadratic in it and for the roundings of this check in fp64.
constexpr double kRounding = 0x1p-24 * (1 + 0x1p-20);
// What four numbers below the least normal one may lose, where a process flushes them to zero: h, Delta, z and act(z).
constexpr double kFlushed = 0x1p-124;
// At most 16 roundings to fp64 of the parts of a step.
constexpr double kPartRoundings = 0x1p-49;

struct RowSums {
  double contribution[kLanes] = {}, activation_change[kLanes] = {}, step[kLanes] = {};
  double residual[kLanes] = {}, bound[kLanes] = {}, error[kLanes] = {}, share[kLanes] = {};
  float largest[kLanes] = {};
};

// The sums of a row so far, n each.
struct SoFar {
  double* steps;
  double* bounds;
  float& largest;
};

double most(const double (&lanes)[kLanes]) { return *std::max_element(lanes, lanes + kLanes); }

void raise(double& most, double value) { most = value > most ? value : most; }

double total(const double (&lanes)[kLanes]) {
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

template <class Act>
StepSize add_row(double a, const Act& act, int64_t n, const float* below, const float* contribution, const float* h,
                 const SoFar& so_far) {
  const double scale = 1 + std::fabs(a);
  RowSums row;
  const auto add = [&](int64_t j, int64_t lane) {
    const Step s = step_of(a, act, below[j], contribution[j]);
    const double bound = act.roundings(s.z) * kRounding * std::fabs(s.output) + scale * kFlushed;
    const double parts = scale * std::fabs(below[j]) + std::fabs(contribution[j]) + std::fabs(s.activation_change);
    so_far.steps[j] += s.step;
    so_far.bounds[j] += bound + kPartRoundings * parts;
    row.contribution[lane] += static_cast<double>(contribution[j]) * contribution[j];
    row.activation_change[lane] += s.activation_change * s.activation_change;
    row.step[lane] += s.step * s.step;
    const double error = std::fabs(s.output - h[j]);
    raise(row.error[lane], error);
    raise(row.share[lane], error / bound);
    raise(row.residual[lane], std::fabs(so_far.steps[j] - h[j]));
    raise(row.bound[lane], so_far.bounds[j]);
    const float magnitude = std::fabs(h[j]);
    row.largest[lane] = magnitude > row.largest[lane] ? magnitude : row.largest[lane];
  };
  const int64_t whole = n - n % kLanes;
  for (int64_t j = 0; j < whole; j += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) add(j + lane, lane);
  }
  for (int64_t j = whole; j < n; ++j) add(j, j - whole);

  so_far.largest = std::max(so_far.largest, *std::max_element(row.largest, row.largest + kLanes));
  const double unit = ulp(so_far.largest);
  return {.contribution_norm = std::sqrt(total(row.contribution)),
          .activation_change_norm = std::sqrt(total(row.activation_change)),
          .step_norm = std::sqrt(total(row.step)),
          .closure = {.sum_ulp = most(row.residual) / unit,
                      .bound_ulp = most(row.bound) / unit,
                      .layer_ulp = most(row.error) / unit,
                      .layer_share = most(row.share)}};
}

}  // namespace

bool Closure::holds() const { return layer_share <= 1 && layer_ulp < kMostUlpOfALayer && sum_ulp <= bound_ulp; }

void raise(Closure& worst, const Closure& closure) {
  raise(worst.sum_ulp, closure.sum_ulp);
  raise(worst.bound_ulp, closure.bound_ulp);
  raise(worst.layer_ulp, closure.layer_ulp);
  raise(worst.layer_share, closure.layer_share);
}

void Completeness::start(int64_t rows, const float* h0) {
  const int64_t n = network_.n();
  sums_.assign(h0, h0 + rows * n);
  bounds_.assign(sums_.size(), 0.0);
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
      sizes[i] = add_row(a, act, n, below, contribution, layer.above + i * n,
                         {sums_.data() + i * n, bounds_.data() + i * n, largest_[i]});
      const int64_t label = pixels + chunk.labels[i];
      sizes[i].label_step = step_of(a, act, below[label], contribution[label]).step;
    }
  });
}

}  // namespace idelta::nn
