// See verify.h. Bounds: a sum of k products in any order is off by at most (k+3) u sum |a b| (design.md 5; Higham,
// Accuracy and Stability, 3.1), u = 2^-24; the identity adds 2 u |x| when it is apart, and is one of the products when
// it is inside W. hard_tanh is 1-Lipschitz, so what bounds z bounds y.
#include "bench/verify.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

namespace idelta::bench {

namespace {

constexpr double kUnit = 0x1p-24;
constexpr int kSampledRows = 4;

// Strided view: element (i, j) at data[i * row + j * column].
struct View {
  const float* data;
  int64_t row, column;
  double at(int64_t i, int64_t j) const { return double(data[i * row + j * column]); }
};

// One row of A B in fp64, and the same of |A| |B|.
struct RowProduct {
  std::vector<double> value, magnitude;
};

RowProduct row_product(int64_t i, int64_t k, int64_t n, View a, View b) {
  RowProduct sum{std::vector<double>(size_t(n)), std::vector<double>(size_t(n))};
  const auto add = [&](int64_t p, int64_t j) {
    const double product = a.at(i, p) * b.at(p, j);
    sum.value[size_t(j)] += product;
    sum.magnitude[size_t(j)] += std::fabs(product);
  };
  if (b.column == 1) {  // walk B in the order of its memory
    for (int64_t p = 0; p < k; ++p) {
      for (int64_t j = 0; j < n; ++j) add(p, j);
    }
  } else {
    for (int64_t j = 0; j < n; ++j) {
      for (int64_t p = 0; p < k; ++p) add(p, j);
    }
  }
  return sum;
}

// Collects elements: keeps the first failure, and the norms of error and reference.
class Judge {
 public:
  void element(const char* what, int64_t i, int64_t j, double got, double wanted, double bound) {
    const double error = std::fabs(got - wanted);
    error_squares_ += error * error;
    wanted_squares_ += wanted * wanted;
    if (error <= bound || !verdict_.failure.empty()) return;  // NaN is within no bound
    char text[160];
    std::snprintf(text, sizeof text, "%s[%lld, %lld] is %.9g, not %.9g +- %.2g", what, static_cast<long long>(i),
                  static_cast<long long>(j), got, wanted, bound);
    verdict_.failure = text;
  }
  // The relative error is that of what comes from here on.
  void begin_main_result() { error_squares_ = wanted_squares_ = 0.0; }
  Verdict verdict() {
    verdict_.relative_error = wanted_squares_ > 0.0 ? std::sqrt(error_squares_ / wanted_squares_) : 0.0;
    return verdict_;
  }

 private:
  Verdict verdict_;
  double error_squares_ = 0.0, wanted_squares_ = 0.0;
};

std::vector<int64_t> sampled_rows(int64_t rows) {
  std::vector<int64_t> sample(kSampledRows);
  for (int s = 0; s < kSampledRows; ++s) sample[size_t(s)] = (rows - 1) * s / (kSampledRows - 1);
  sample.erase(std::unique(sample.begin(), sample.end()), sample.end());
  return sample;
}

struct Check {
  const Problem& problem;
  const Inputs& inputs;
  const LayerMemory& memory;
  bool identity_apart;
  Judge& judge;

  View rows_of(const Buffer& buffer) const { return {buffer.data(), problem.n, 1}; }
  View columns_of(const Buffer& buffer) const { return {buffer.data(), 1, problem.n}; }

  // Bound of x + x D (+ b): see the head.
  double residual_bound(double magnitude, double x) const {
    const double inside = magnitude + (identity_apart ? 0.0 : std::fabs(x));
    return kUnit * (double(problem.n + 3) * inside + 2 * std::fabs(x));
  }

  void forward() const {
    const int64_t n = problem.n;
    for (const int64_t i : sampled_rows(problem.m)) {
      const RowProduct xD = row_product(i, n, n, rows_of(inputs.x), rows_of(inputs.delta));
      for (int64_t j = 0; j < n; ++j) {
        const double x = inputs.x[i * n + j], b = inputs.bias[j];
        const double y = std::clamp(x + xD.value[size_t(j)] + b, -1.0, 1.0);
        const double bound = residual_bound(xD.magnitude[size_t(j)] + std::fabs(b), x);
        judge.element("y", i, j, memory.y[i * n + j], y, bound);
      }
    }
  }

  void backward_data() const {
    const int64_t n = problem.n;
    for (int64_t i = 0; i < problem.m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        const bool flat = std::fabs(memory.y[i * n + j]) >= 1.0f;
        judge.element("dz", i, j, memory.dz[i * n + j], flat ? 0.0 : double(inputs.dy[i * n + j]), 0.0);
      }
    }
    judge.begin_main_result();
    for (const int64_t i : sampled_rows(problem.m)) {
      const RowProduct dzDt = row_product(i, n, n, rows_of(memory.dz), columns_of(inputs.delta));
      for (int64_t j = 0; j < n; ++j) {
        const double dz = memory.dz[i * n + j];
        const double bound = residual_bound(dzDt.magnitude[size_t(j)], dz);
        judge.element("dx", i, j, memory.dx[i * n + j], dz + dzDt.value[size_t(j)], bound);
      }
    }
  }

  RowProduct gradient_row(int64_t i) const {
    return row_product(i, problem.m, problem.n, columns_of(memory.x), rows_of(memory.dz));
  }

  RowProduct bias_gradient() const {
    const float one = 1.0f;
    return row_product(0, problem.m, problem.n, {&one, 0, 0}, rows_of(memory.dz));
  }

  void backward_weights() const {
    const int64_t n = problem.n;
    const double units = kUnit * double(problem.m + 3);
    const RowProduct db = bias_gradient();
    for (int64_t j = 0; j < n; ++j) {
      judge.element("db", 0, j, memory.bias_gradient[j], db.value[size_t(j)], units * db.magnitude[size_t(j)]);
    }
    judge.begin_main_result();
    for (const int64_t i : sampled_rows(n)) {
      const RowProduct dD = gradient_row(i);
      for (int64_t j = 0; j < n; ++j) {
        const double bound = units * dD.magnitude[size_t(j)];
        judge.element("dD", i, j, memory.gradient[i * n + j], dD.value[size_t(j)], bound);
      }
    }
  }

  // w - lr (momentum v + g), for a weight or bias w that began as `before`.
  void stepped(const char* what, int64_t i, int64_t j, float got, float before, float velocity, double gradient,
               double magnitude) const {
    const double carried = double(kMomentum) * velocity;
    const double wanted = double(before) - double(kCheckLearningRate) * (carried + gradient);
    const double sum_bound = double(problem.m + 4) * (magnitude + std::fabs(carried));
    const double bound = kUnit * (double(kCheckLearningRate) * sum_bound + 3 * std::fabs(double(before)));
    judge.element(what, i, j, got, wanted, bound);
  }

  void update(bool identity_in_weights) const {
    const int64_t n = problem.n;
    const RowProduct db = bias_gradient();
    for (int64_t j = 0; j < n; ++j) {
      stepped("bias", 0, j, memory.bias[j], inputs.bias[j], inputs.bias_velocity[j], db.value[size_t(j)],
              db.magnitude[size_t(j)]);
    }
    judge.begin_main_result();
    for (const int64_t i : sampled_rows(n)) {
      const RowProduct dD = gradient_row(i);
      for (int64_t j = 0; j < n; ++j) {
        const float before = inputs.delta[i * n + j] + (identity_in_weights && i == j ? 1.0f : 0.0f);
        stepped("weights", i, j, memory.weights[i * n + j], before, inputs.velocity[i * n + j], dD.value[size_t(j)],
                dD.magnitude[size_t(j)]);
      }
    }
  }
};

}  // namespace

Verdict verify(const Problem& problem, const Inputs& inputs, Implementation& implementation, bool identity_apart) {
  if (problem.pass == Pass::kTrainStep) {
    implementation.reset(kCheckLearningRate);
    implementation.run();
  }
  Judge judge;
  const Check check{problem, inputs, implementation.results(), identity_apart, judge};
  switch (problem.pass) {
    case Pass::kForward:
      check.forward();
      break;
    case Pass::kBackwardData:
      check.backward_data();
      break;
    case Pass::kBackwardWeights:
      check.backward_weights();
      break;
    case Pass::kTrainStep:
      check.forward();
      check.backward_data();
      check.update(implementation.identity_in_weights());
      break;
  }
  return judge.verdict();
}

}  // namespace idelta::bench
