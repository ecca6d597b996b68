// See verify.h. A sum of k products in any order is off by at most (k+3) u sum |a b|, u = 2^-24 (Higham,
// Accuracy and Stability, 3.1). At k = 4096 that lets an error of 0.5 % pass, so the bound here is the one of Higham
// and Mary (A new approach to probabilistic rounding error analysis, 2019): (4 sqrt(k) + 3) u sum |a b|. If rounding
// errors are independent and uniform, the worst sum, all products of one sign, has a standard deviation of sqrt(k) / 3
// units, a twelfth of that; one of both signs is smaller by another sqrt(k). The identity adds 2 u |x| when it is
// apart, and is one of the products when it is inside W. hard_tanh is 1-Lipschitz, so what bounds z bounds y.
#include "bench/verify.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <vector>

#include "bench/reference.h"

namespace idelta::bench {

namespace {

// Whoever flushes denormals, or a product that underflows, errs by less than this.
constexpr double kTiny = 0x1p-126;

// Collects elements: keeps the first failure, and the norms of error and reference over the rows that are known in
// fp64.
class Judge {
 public:
  void begin_row(bool exact) { exact_ = exact; }
  void element(const char* what, int64_t i, int64_t j, double got, double wanted, double bound) {
    const double error = std::fabs(got - wanted);
    if (exact_) {
      error_squares_ += error * error;
      wanted_squares_ += wanted * wanted;
    }
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
  bool exact_ = true;
  double error_squares_ = 0.0, wanted_squares_ = 0.0;
};

struct Check {
  const Problem& problem;
  const Inputs& inputs;
  // What the stages forward and backward_data start from: D, or its factors where these are not null.
  const Buffer& delta;
  const Factors* factors;
  const Buffer& bias;
  const LayerMemory& memory;
  bool identity_apart;
  double operand_rounding, gradient_rounding;  // see Implementation
  Judge& judge;

  View rows_of(const Buffer& buffer) const { return {buffer.data(), problem.n, false}; }
  View columns_of(const Buffer& buffer) const { return {buffer.data(), problem.n, true}; }

  // a D, a: m x n; or a D^T.
  std::unique_ptr<const Product> times_delta(const Buffer& a, bool transposed) const {
    if (factors != nullptr) return low_rank_product(problem.m, rows_of(a), *factors, transposed);
    return dense_product(problem.m, problem.n, problem.n, rows_of(a), transposed ? columns_of(delta) : rows_of(delta));
  }

  // Bound of x + x D (+ b): see the head.
  double residual_bound(double magnitude, double x) const {
    const double inside = magnitude + (identity_apart ? 0.0 : std::fabs(x));
    return kUnit * (units(problem.n) * inside + 2 * std::fabs(x)) + operand_rounding * inside + kTiny;
  }

  void forward() const {
    const int64_t n = problem.n;
    const auto product = times_delta(inputs.x, false);
    for (int64_t i = 0; i < problem.m; ++i) {
      const RowProduct xD = product->row(i);
      judge.begin_row(product->is_sampled(i));
      for (int64_t j = 0; j < n; ++j) {
        const double x = inputs.x[i * n + j], b = bias[j];
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
        judge.element("dz", i, j, memory.dz[i * n + j], flat ? 0.0 : double(inputs.dy[i * n + j]), kTiny);
      }
    }
    judge.begin_main_result();
    const auto product = times_delta(memory.dz, true);
    for (int64_t i = 0; i < problem.m; ++i) {
      const RowProduct dzDt = product->row(i);
      judge.begin_row(product->is_sampled(i));
      for (int64_t j = 0; j < n; ++j) {
        const double dz = memory.dz[i * n + j];
        const double bound = residual_bound(dzDt.magnitude[size_t(j)], dz);
        judge.element("dx", i, j, memory.dx[i * n + j], dz + dzDt.value[size_t(j)], bound);
      }
    }
  }

  std::unique_ptr<const Product> gradient() const {
    return dense_product(problem.n, problem.m, problem.n, columns_of(memory.x), rows_of(memory.dz));
  }

  // Column sums: one row of ones times dz.
  RowProduct bias_gradient() const {
    const std::vector<float> ones(size_t(problem.m), 1.0f);
    return row_product(0, problem.m, problem.n, {ones.data(), problem.m, false}, rows_of(memory.dz));
  }

  void backward_weights() const {
    const int64_t n = problem.n;
    const double unit = kUnit * units(problem.m);
    const RowProduct db = bias_gradient();
    for (int64_t j = 0; j < n; ++j) {
      judge.element("db", 0, j, memory.bias_gradient[j], db.value[size_t(j)], unit * db.magnitude[size_t(j)] + kTiny);
    }
    judge.begin_main_result();
    const auto product = gradient();
    for (int64_t i = 0; i < n; ++i) {
      const RowProduct dD = product->row(i);
      judge.begin_row(product->is_sampled(i));
      for (int64_t j = 0; j < n; ++j) {
        const double bound = (unit + gradient_rounding) * dD.magnitude[size_t(j)] + kTiny;
        judge.element("dD", i, j, memory.gradient[i * n + j], dD.value[size_t(j)], bound);
      }
    }
  }

  // A weight or bias after a step that began at `before`; of its gradient, sum |a b| and what rounding a and b adds to
  // it, relative to that.
  struct Step {
    float got, before, velocity;
    double gradient, magnitude, rounding;
  };

  // Wanted: before - lr (momentum v + g).
  void stepped(const char* what, int64_t i, int64_t j, const Step& step) const {
    const double rate = kCheckLearningRate, carried = double(kMomentum) * step.velocity, before = step.before;
    const double wanted = before - rate * (carried + step.gradient);
    const double sum_bound = (units(problem.m) + 1) * (step.magnitude + std::fabs(carried));
    const double bound = kUnit * (rate * sum_bound + 3 * std::fabs(before)) + rate * step.rounding * step.magnitude;
    judge.element(what, i, j, step.got, wanted, bound + kTiny);
  }

  void update(bool identity_in_weights) const {
    const int64_t n = problem.n;
    const RowProduct db = bias_gradient();
    for (int64_t j = 0; j < n; ++j) {
      stepped("bias", 0, j,
              {.got = memory.bias[j],
               .before = inputs.bias[j],
               .velocity = inputs.bias_velocity[j],
               .gradient = db.value[size_t(j)],
               .magnitude = db.magnitude[size_t(j)],
               .rounding = 0.0});
    }
    judge.begin_main_result();
    const auto product = gradient();
    for (int64_t i = 0; i < n; ++i) {
      const RowProduct dD = product->row(i);
      judge.begin_row(product->is_sampled(i));
      for (int64_t j = 0; j < n; ++j) {
        const int64_t at = i * n + j;
        stepped("weights", i, j,
                {.got = memory.weights[at],
                 .before = inputs.delta[at] + (identity_in_weights && i == j ? 1.0f : 0.0f),
                 .velocity = inputs.velocity[at],
                 .gradient = dD.value[size_t(j)],
                 .magnitude = dD.magnitude[size_t(j)],
                 .rounding = gradient_rounding});
      }
    }
  }
};

// The D that `weights` stands for.
Buffer delta_in(const Buffer& weights, int64_t n, bool identity_in_weights) {
  Buffer delta;
  delta.copy_from(weights);
  for (int64_t i = 0; identity_in_weights && i < n; ++i) delta[i * n + i] -= 1.0f;
  return delta;
}

Verdict verify_train_step(const Problem& problem, Implementation& implementation, bool identity_apart) {
  const Inputs& inputs = implementation.inputs();
  const bool identity_in_weights = implementation.identity_in_weights();
  const LayerMemory& memory = implementation.results();
  const double rounding = implementation.operand_rounding(), gradient_rounding = implementation.gradient_rounding();
  Judge judge;
  const Check check{problem, inputs,         inputs.delta, nullptr,           inputs.bias,
                    memory,  identity_apart, rounding,     gradient_rounding, judge};
  check.forward();
  check.backward_data();
  check.update(identity_in_weights);
  Verdict verdict = judge.verdict();

  const Buffer delta = delta_in(memory.weights, problem.n, identity_in_weights);
  Buffer bias;
  bias.copy_from(memory.bias);
  implementation.run();
  Judge second_judge;
  const Check second{problem, inputs,         delta,    nullptr,           bias,
                     memory,  identity_apart, rounding, gradient_rounding, second_judge};
  second.forward();
  second.backward_data();
  const std::string failure = second_judge.verdict().failure;
  if (verdict.failure.empty() && !failure.empty()) verdict.failure = "with updated weights, " + failure;
  return verdict;
}

}  // namespace

Verdict verify(const Problem& problem, Implementation& implementation, const ImplementationEntry& entry) {
  if (problem.trains()) {
    implementation.reset(kCheckLearningRate);
    implementation.run();
  }
  if (problem.pass == Pass::kTrainStep) return verify_train_step(problem, implementation, entry.identity_apart);
  const Inputs& inputs = implementation.inputs();
  const int64_t rank = rank_of(entry.format);
  Judge judge;
  const Check check{problem,
                    inputs,
                    inputs.delta,
                    rank == 0 ? nullptr : &factors_for(problem.n, rank),
                    inputs.bias,
                    implementation.results(),
                    entry.identity_apart,
                    implementation.operand_rounding(),
                    implementation.gradient_rounding(),
                    judge};
  if (problem.pass == Pass::kForward) check.forward();
  if (problem.pass == Pass::kBackwardData) check.backward_data();
  if (problem.pass == Pass::kBackwardWeights) check.backward_weights();
  if (problem.pass == Pass::kUpdate) check.update(implementation.identity_in_weights());
  return judge.verdict();
}

}  // namespace idelta::bench
