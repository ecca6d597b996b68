// The fp64 reference: see reference.h for the bounds.
#include "support/reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/fixture.h"

namespace idelta_test {

Dense zeros(int64_t rows, int64_t cols) {
  return {rows, cols, std::vector<double>(static_cast<size_t>(rows * cols), 0.0)};
}

Dense dense(View a) {
  Dense out = zeros(a.rows, a.cols);
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t j = 0; j < a.cols; ++j) out(i, j) = a(i, j);
  }
  return out;
}

namespace {

// By value, not by bits: 8 bits of significand, subnormals as of fp32.
double bf16_of(double value) {
  if (value == 0 || !std::isfinite(value)) return value;
  const double unit = std::ldexp(1.0, std::max(std::ilogb(value), -126) - 7);
  const double rounded = std::nearbyint(value / unit) * unit;
  return std::abs(rounded) < 0x1p128 ? rounded : std::copysign(HUGE_VAL, value);
}

// s q in fp32, s the largest magnitude of a column / 63.
Dense as_integers(Dense a) {
  for (int64_t j = 0; j < a.cols; ++j) {
    double largest = 0;
    for (int64_t i = 0; i < a.rows; ++i) largest = std::max(largest, std::abs(a(i, j)));
    const float scale = static_cast<float>(largest) / 63;
    for (int64_t i = 0; i < a.rows; ++i) {
      const float q = scale < 0x1p-126f ? 0 : std::nearbyint(static_cast<float>(a(i, j)) / scale);
      a(i, j) = static_cast<double>(q * scale);
    }
  }
  return a;
}

}  // namespace

Dense stored(View a) { return stored(dense(a)); }

Dense stored(const Dense& a) {
  Dense out = a;
  if (forced_format().format == IDELTA_FORMAT_F32) return out;
  if (stores_int8()) return as_integers(out);
  for (double& value : out.at) {
    const double hi = bf16_of(value);
    const bool split = forced_format().format == IDELTA_FORMAT_BF16X3 && std::isfinite(hi);
    value = split ? hi + bf16_of(value - hi) : hi;
  }
  return out;
}

// The roundings of a sum of integers count for what is multiplied, which may exceed |x||D| by that much.
Dense rounding_of_rows(const Dense& x, const Dense& D, const Dense& spread) {
  Dense out = spread;
  const double share = !forced_format().rounds_x                      ? 0
                       : forced_format().format == IDELTA_FORMAT_BF16 ? 1.0 / 257
                                                                      : 3 * 0x1p-16;
  for (double& value : out.at) value *= share;
  if (!stores_int8()) return out;
  Dense largest = zeros(x.rows, x.cols);
  for (int64_t i = 0; i < x.rows; ++i) {
    double of_row = 0;
    for (int64_t k = 0; k < x.cols; ++k) of_row = std::max(of_row, std::abs(x(i, k)));
    for (int64_t k = 0; k < x.cols; ++k) largest(i, k) = of_row / 254 * (1 + 0x1p-14);
  }
  return multiply(largest, magnitude(D));
}

Dense transpose(const Dense& a) {
  Dense out = zeros(a.cols, a.rows);
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t j = 0; j < a.cols; ++j) out(j, i) = a(i, j);
  }
  return out;
}

Dense magnitude(const Dense& a) {
  Dense out = a;
  for (double& value : out.at) value = std::abs(value);
  return out;
}

Dense multiply(const Dense& a, const Dense& b) {
  Dense out = zeros(a.rows, b.cols);
  for (int64_t i = 0; i < a.rows; ++i) {
    double* row = out.at.data() + i * out.cols;
    for (int64_t k = 0; k < a.cols; ++k) {
      const double factor = a(i, k);
      const double* from = b.at.data() + k * b.cols;
      for (int64_t j = 0; j < out.cols; ++j) row[j] += factor * from[j];
    }
  }
  return out;
}

double activate(idelta_activation activation, double z) {
  switch (activation.kind) {
    case IDELTA_ACTIVATION_IDENTITY:
      return z;
    case IDELTA_ACTIVATION_RELU:
      return z < 0 ? 0 : z;
    case IDELTA_ACTIVATION_LEAKY_RELU:
      return z < 0 ? static_cast<double>(activation.slope) * z : z;
    case IDELTA_ACTIVATION_HARD_TANH:
      return z > 1 ? 1 : z < -1 ? -1 : z;
    case IDELTA_ACTIVATION_TANH:
      return std::tanh(z);
  }
  return std::nan("");
}

double activation_slope(idelta_activation activation, double y) {
  if (std::isnan(y)) return y;
  switch (activation.kind) {
    case IDELTA_ACTIVATION_IDENTITY:
      return 1;
    case IDELTA_ACTIVATION_RELU:
      return y > 0 ? 1 : 0;
    case IDELTA_ACTIVATION_LEAKY_RELU:
      return y > 0 ? 1 : static_cast<double>(activation.slope);
    case IDELTA_ACTIVATION_HARD_TANH:
      return std::abs(y) < 1 ? 1 : 0;
    case IDELTA_ACTIVATION_TANH:
      return 1 - y * y;
  }
  return std::nan("");
}

ForwardReference forward_reference(View x, View D, const float* bias, float identity_scale,
                                   idelta_activation activation) {
  const Dense X = dense(x);
  const Dense d = stored(D);
  Dense contribution = multiply(X, d);
  Dense spread = multiply(magnitude(X), magnitude(d));
  const Dense coarse_rows = rounding_of_rows(X, d, spread);
  Dense y = contribution, y_bound = spread, c_bound = spread;
  const auto n = static_cast<double>(D.cols);
  for (int64_t i = 0; i < x.rows; ++i) {
    for (int64_t j = 0; j < x.cols; ++j) {
      const double b = bias != nullptr ? bias[j] : 0.0;
      const double ax = static_cast<double>(identity_scale) * X(i, j);
      const double terms = spread(i, j) + std::abs(b);
      contribution(i, j) += b;
      y(i, j) = activate(activation, contribution(i, j) + ax);
      const double coarse = coarse_rows(i, j);
      c_bound(i, j) = (n + 2) * (kUnit * terms + kUnderflow) + coarse;
      y_bound(i, j) = (n + 3) * (kUnit * terms + kUnderflow) + 2 * kUnit * std::abs(ax) + kUnderflow + coarse;
      if (activation.kind == IDELTA_ACTIVATION_LEAKY_RELU) y_bound(i, j) += kUnit * std::abs(y(i, j));
      if (activation.kind == IDELTA_ACTIVATION_TANH) y_bound(i, j) += 4 * 2 * kUnit * std::abs(y(i, j));
    }
  }
  return {{contribution, c_bound}, {y, y_bound}};
}

BackwardDataReference backward_data_reference(View dy, View y, View D, float identity_scale,
                                              idelta_activation activation) {
  const bool exact_slope = activation.kind == IDELTA_ACTIVATION_IDENTITY || activation.kind == IDELTA_ACTIVATION_RELU ||
                           activation.kind == IDELTA_ACTIVATION_HARD_TANH;
  Dense dz = dense(dy), dz_bound = magnitude(dz);
  for (int64_t i = 0; i < dy.rows; ++i) {
    for (int64_t j = 0; j < dy.cols; ++j) {
      dz(i, j) *= activation_slope(activation, activation.kind == IDELTA_ACTIVATION_IDENTITY ? 0.0 : y(i, j));
      dz_bound(i, j) = exact_slope ? 0.0 : 3 * kUnit * dz_bound(i, j) + kUnderflow;
    }
  }
  const Dense Dt = stored(transpose(dense(D)));
  Dense dx = multiply(dz, Dt), largest_dz = magnitude(dz);
  for (size_t i = 0; i < dz.at.size(); ++i) largest_dz.at[i] += dz_bound.at[i];
  const Dense spread = multiply(magnitude(dz), magnitude(Dt));
  const Dense carried = multiply(dz_bound, magnitude(Dt));
  const Dense coarse = rounding_of_rows(largest_dz, Dt, multiply(largest_dz, magnitude(Dt)));
  Dense bound = spread;
  const double a = identity_scale;
  const auto n = static_cast<double>(D.cols);
  for (size_t i = 0; i < dx.at.size(); ++i) {
    dx.at[i] += a * dz.at[i];
    bound.at[i] = (n + 3) * (kUnit * spread.at[i] + kUnderflow) + 2 * kUnit * std::abs(a * dz.at[i]) + carried.at[i] +
                  std::abs(a) * dz_bound.at[i] + coarse.at[i];
  }
  return {{dz, dz_bound}, {dx, bound}};
}

bool rounds_weights(int64_t m) { return forced_format().rounds_x && m >= 32; }

BackwardWeightsReference backward_weights_reference(View x, View dz, double beta, const Dense& dD, const Dense& db) {
  const auto m = static_cast<double>(x.rows);
  const auto accumulate = [&](const Dense& left, const Dense& right, const Dense& start, double left_out) {
    Dense sum = multiply(left, right);
    Dense bound = multiply(magnitude(left), magnitude(right));
    for (size_t i = 0; i < sum.at.size(); ++i) {
      const double first = beta == 0 ? 0 : beta * start.at[i];
      sum.at[i] += first;
      bound.at[i] = left_out * bound.at[i] + (m + 3) * (kUnit * (bound.at[i] + std::abs(first)) + kUnderflow);
    }
    return Bounded{sum, bound};
  };
  Dense ones = zeros(1, x.rows);
  std::fill(ones.at.begin(), ones.at.end(), 1.0);
  const Bounded sums = accumulate(ones, dense(dz), db, 0);
  if (!rounds_weights(x.rows)) return {accumulate(transpose(dense(x)), dense(dz), dD, 0), sums};
  const double left_out = forced_format().format == IDELTA_FORMAT_BF16X3 ? 0x1p-16 : 0;
  return {accumulate(transpose(stored(x)), stored(dz), dD, left_out), sums};
}

Bounded sidmm_reference(View x, const Dense& D, double alpha, double identity_scale, double beta, const Dense& y) {
  const Dense X = dense(x);
  Dense value = multiply(X, D);
  Dense bound = multiply(magnitude(X), magnitude(D));
  const auto n = static_cast<double>(D.cols);
  for (size_t i = 0; i < value.at.size(); ++i) {
    const double ax = identity_scale * X.at[i];
    const double old = beta == 0 ? 0 : beta * y.at[i];
    bound.at[i] = (n + 5) * (kUnit * std::abs(alpha) * bound.at[i] + kUnderflow) + 4 * kUnit * std::abs(alpha * ax) +
                  2 * kUnit * std::abs(old);
    value.at[i] = alpha * (ax + value.at[i]) + old;
  }
  return {value, bound};
}

Parameter optimizer_step(const idelta_optimizer& optimizer, bool decays, Parameter before, double gradient) {
  const double rate = optimizer.learning_rate;
  const double momentum = optimizer.momentum;
  const double decay = decays ? static_cast<double>(optimizer.weight_decay) : 0.0;
  Parameter after = before;
  double step = 0;
  if (optimizer.kind == IDELTA_OPTIMIZER_ADAMW) {
    const double beta2 = optimizer.beta2;
    const auto t = static_cast<double>(optimizer.step);
    after.state[0] = momentum * before.state[0] + (1 - momentum) * gradient;
    after.state[1] = beta2 * before.state[1] + (1 - beta2) * gradient * gradient;
    const double mean = after.state[0] / (1 - std::pow(momentum, t));
    const double square = after.state[1] / (1 - std::pow(beta2, t));
    step = decay * before.value + mean / (std::sqrt(square) + static_cast<double>(optimizer.epsilon));
  } else {
    const double g = gradient + decay * before.value;
    if (optimizer.kind != IDELTA_OPTIMIZER_SGD) after.state[0] = momentum * before.state[0] + g;
    step = optimizer.kind == IDELTA_OPTIMIZER_SGD        ? g
           : optimizer.kind == IDELTA_OPTIMIZER_MOMENTUM ? after.state[0]
                                                         : g + momentum * after.state[0];
  }
  after.value -= rate * step;
  return after;
}

BoundedParameter optimizer_step_bounded(const idelta_optimizer& optimizer, bool decays, Parameter before,
                                        double gradient, double gradient_bound) {
  const Parameter after = optimizer_step(optimizer, decays, before, gradient);
  const Parameter low = optimizer_step(optimizer, decays, before, gradient - gradient_bound);
  const Parameter high = optimizer_step(optimizer, decays, before, gradient + gradient_bound);
  // AdamW's step is not linear in g: the ends of the interval, doubled.
  const auto reach = [](double at, double a, double b) { return 2 * std::max(std::abs(a - at), std::abs(b - at)); };
  const double rate = optimizer.learning_rate;
  double terms = std::abs(before.value) + std::abs(after.value) + std::abs(after.value - before.value);
  if (optimizer.kind == IDELTA_OPTIMIZER_ADAMW) {
    // The mean's own rounding, as large as its two terms, divided as the mean is.
    const auto t = static_cast<double>(optimizer.step);
    const double mean = std::abs(before.state[0]) + std::abs((1 - double{optimizer.momentum}) * gradient);
    const double root = std::sqrt(after.state[1] / (1 - std::pow(optimizer.beta2, t))) + double{optimizer.epsilon};
    terms += rate * (std::abs(before.value) + mean / ((1 - std::pow(optimizer.momentum, t)) * root));
  } else {
    terms +=
        rate * (std::abs(gradient) + std::abs(before.state[0]) + std::abs(after.state[0]) + std::abs(before.value));
  }
  Parameter bound;
  bound.value = reach(after.value, low.value, high.value) + 16 * kUnit * terms + 4 * kUnderflow;
  bound.state[0] = reach(after.state[0], low.state[0], high.state[0]) +
                   16 * kUnit * (std::abs(before.state[0]) + std::abs(gradient) + std::abs(before.value)) + kUnderflow;
  bound.state[1] = reach(after.state[1], low.state[1], high.state[1]) +
                   16 * kUnit * (std::abs(before.state[1]) + gradient * gradient) + kUnderflow;
  return {after, bound};
}

void expect_within(View actual, const Bounded& expected, const char* what) {
  for (int64_t i = 0; i < actual.rows; ++i) {
    for (int64_t j = 0; j < actual.cols; ++j) {
      const double error = std::abs(static_cast<double>(actual(i, j)) - expected.value(i, j));
      if (error <= expected.bound(i, j)) continue;
      ADD_FAILURE() << what << "(" << i << ", " << j << ") is " << actual(i, j) << ", not " << expected.value(i, j)
                    << ": off by " << error << ", allowed " << expected.bound(i, j);
      return;
    }
  }
}

void expect_equal(View actual, const Dense& expected, const char* what) {
  for (int64_t i = 0; i < actual.rows; ++i) {
    for (int64_t j = 0; j < actual.cols; ++j) {
      if (static_cast<double>(actual(i, j)) == expected(i, j)) continue;
      ADD_FAILURE() << what << "(" << i << ", " << j << ") is " << actual(i, j) << ", not " << expected(i, j);
      return;
    }
  }
}

}  // namespace idelta_test
