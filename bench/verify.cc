// See verify.h and check.h.
#include "bench/verify.h"

#include <cmath>
#include <cstdio>
#include <vector>

namespace idelta::bench {

namespace {

View rows_of(const Buffer& buffer, int64_t n) { return {buffer.data(), n, false}; }
View columns_of(const Buffer& buffer, int64_t n) { return {buffer.data(), n, true}; }

Buffer copy_of(const Buffer& buffer) {
  Buffer copy;
  copy.copy_from(buffer);
  return copy;
}

// The D that `weights` stands for.
Buffer delta_in(const Buffer& weights, int64_t n, bool identity_in_weights) {
  Buffer delta = copy_of(weights);
  for (int64_t i = 0; identity_in_weights && i < n; ++i) delta[i * n + i] -= 1.0f;
  return delta;
}

}  // namespace

void Judge::begin_result(const char* name) {
  result_ = name;
  error_squares_ = wanted_squares_ = 0.0;
}

void Judge::element(int64_t column, double got, double wanted, double bound) {
  const double error = std::fabs(got - wanted);
  if (exact_) {
    error_squares_ += error * error;
    wanted_squares_ += wanted * wanted;
  }
  if (error <= bound || !failure_.empty()) return;  // NaN is within no bound
  char text[160];
  std::snprintf(text, sizeof text, "%s[%lld, %lld] is %.9g, not %.9g +- %.2g", result_, static_cast<long long>(row_),
                static_cast<long long>(column), got, wanted, bound);
  failure_ = text;
}

Verdict Judge::verdict() const {
  return {wanted_squares_ > 0.0 ? std::sqrt(error_squares_ / wanted_squares_) : 0.0, failure_};
}

std::unique_ptr<const Product> Check::times_delta(const Buffer& a, bool transposed) const {
  const int64_t m = problem.m, n = problem.n;
  if (factors != nullptr) return low_rank_product(m, rows_of(a, n), *factors, transposed);
  const View rows = rows_of(a, n), B = transposed ? columns_of(delta, n) : rows_of(delta, n);
  return integers ? integer_product(m, n, n, rows, B, identity_in_weights) : dense_product(m, n, n, rows, B);
}

double Check::residual_bound(double magnitude, double x) const {
  const double inside = magnitude + (identity_apart ? 0.0 : std::fabs(x));
  return kUnit * (units(problem.n) * inside + 2 * std::fabs(x)) + operand_rounding * inside + kTiny;
}

std::unique_ptr<const Product> Check::gradient() const {
  const int64_t n = problem.n;
  return dense_product(n, problem.m, n, columns_of(memory.x, n), rows_of(memory.dz, n));
}

RowProduct Check::bias_gradient() const {
  const std::vector<float> ones(size_t(problem.m), 1.0f);
  return row_product(0, problem.m, problem.n, {ones.data(), problem.m, false}, rows_of(memory.dz, problem.n));
}

Verdict verify(const Problem& problem, Implementation& implementation, const ImplementationEntry& entry) {
  const bool trains = problem.pass.trains();
  if (trains) {
    implementation.reset(kCheckLearningRate);
    implementation.run();
  }
  const Inputs& inputs = implementation.inputs();
  const LayerMemory& memory = implementation.results();
  const int64_t rank = rank_of(entry.format);
  const auto verdict_on = [&](const Buffer& delta, const Buffer& bias, bool trained) {
    Judge judge;
    const Check check{.problem = problem,
                      .inputs = inputs,
                      .delta = delta,
                      .bias = bias,
                      .factors = rank == 0 ? nullptr : &factors_for(problem.n, rank),
                      .integers = traits_of(entry.format).integers,
                      .memory = memory,
                      .identity_apart = entry.identity_apart,
                      .identity_in_weights = implementation.identity_in_weights(),
                      .operand_rounding = implementation.operand_rounding(),
                      .gradient_rounding = implementation.gradient_rounding(),
                      .judge = judge};
    for (const Stage* stage : problem.pass.stages()) {
      if (!trained || !stage->trains()) stage->check(check);
    }
    return judge.verdict();
  };
  Verdict verdict = verdict_on(inputs.delta, inputs.bias, false);
  if (!trains || problem.pass.stages().size() == 1 || !verdict.failure.empty()) return verdict;
  const Buffer delta = delta_in(memory.weights, problem.n, implementation.identity_in_weights());
  const Buffer bias = copy_of(memory.bias);
  implementation.run();
  const std::string failure = verdict_on(delta, bias, true).failure;
  if (!failure.empty()) verdict.failure = "with updated weights, " + failure;
  return verdict;
}

}  // namespace idelta::bench
