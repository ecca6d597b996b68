// The tables of stages and passes (see passes.h), and how the result of each stage is judged.
#include "bench/passes.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <stdexcept>

#include "bench/check.h"

namespace idelta::bench {

namespace {

void check_forward(const Check& check) {
  const int64_t n = check.problem.n;
  const auto product = check.times_delta(check.inputs.x, false);
  check.judge.begin_result("y");
  for (int64_t i = 0; i < check.problem.m; ++i) {
    const RowProduct xD = product->row(i);
    check.judge.begin_row(i, product->is_sampled(i));
    for (int64_t j = 0; j < n; ++j) {
      const double x = check.inputs.x[i * n + j], b = check.bias[j];
      const double y = std::clamp(x + xD.value[size_t(j)] + b, -1.0, 1.0);
      const double bound = check.residual_bound(xD.magnitude[size_t(j)] + std::fabs(b), x);
      check.judge.element(j, check.memory.y[i * n + j], y, bound);
    }
  }
}

void check_backward_data(const Check& check) {
  const int64_t n = check.problem.n;
  const LayerMemory& memory = check.memory;
  check.judge.begin_result("dz");
  for (int64_t i = 0; i < check.problem.m; ++i) {
    check.judge.begin_row(i, true);
    for (int64_t j = 0; j < n; ++j) {
      const bool flat = std::fabs(memory.y[i * n + j]) >= 1.0f;
      check.judge.element(j, memory.dz[i * n + j], flat ? 0.0 : double(check.inputs.dy[i * n + j]), kTiny);
    }
  }
  const auto product = check.times_delta(memory.dz, true);
  check.judge.begin_result("dx");
  for (int64_t i = 0; i < check.problem.m; ++i) {
    const RowProduct dzDt = product->row(i);
    check.judge.begin_row(i, product->is_sampled(i));
    for (int64_t j = 0; j < n; ++j) {
      const double dz = memory.dz[i * n + j];
      const double bound = check.residual_bound(dzDt.magnitude[size_t(j)], dz);
      check.judge.element(j, memory.dx[i * n + j], dz + dzDt.value[size_t(j)], bound);
    }
  }
}

// Of an element of a gradient: its value in fp64, sum |a b| of its products, and what rounding a and b adds, relative
// to that sum.
struct Gradient {
  double value, magnitude, rounding;
};

// Calls element(i, j, gradient) for db (row 0), and then for dD.
template <class BiasElement, class Element>
void for_gradients(const Check& check, const char* bias, const BiasElement& bias_element, const char* weights,
                   const Element& element) {
  const int64_t n = check.problem.n;
  check.judge.begin_result(bias);
  check.judge.begin_row(0, true);
  const RowProduct db = check.bias_gradient();
  for (int64_t j = 0; j < n; ++j) bias_element(j, Gradient{db.value[size_t(j)], db.magnitude[size_t(j)], 0.0});
  check.judge.begin_result(weights);
  const auto product = check.gradient();
  for (int64_t i = 0; i < n; ++i) {
    const RowProduct dD = product->row(i);
    check.judge.begin_row(i, product->is_sampled(i));
    for (int64_t j = 0; j < n; ++j) {
      element(i, j, Gradient{dD.value[size_t(j)], dD.magnitude[size_t(j)], check.gradient_rounding});
    }
  }
}

void check_backward_weights(const Check& check) {
  const auto judged = [&](int64_t j, float got, const Gradient& g) {
    const double bound = (kUnit * units(check.problem.m) + g.rounding) * g.magnitude + kTiny;
    check.judge.element(j, got, g.value, bound);
  };
  for_gradients(
      check, "db", [&](int64_t j, const Gradient& g) { judged(j, check.memory.bias_gradient[j], g); }, "dD",
      [&](int64_t i, int64_t j, const Gradient& g) { judged(j, check.memory.gradient[i * check.problem.n + j], g); });
}

void check_update(const Check& check) {
  // Wanted: before - lr (momentum v + g).
  const auto stepped = [&](int64_t j, float got, double before, double velocity, const Gradient& g) {
    const double rate = kCheckLearningRate, carried = double(kMomentum) * velocity;
    const double wanted = before - rate * (carried + g.value);
    const double sum_bound = (units(check.problem.m) + 1) * (g.magnitude + std::fabs(carried));
    const double bound = kUnit * (rate * sum_bound + 3 * std::fabs(before)) + rate * g.rounding * g.magnitude;
    check.judge.element(j, got, wanted, bound + kTiny);
  };
  const Inputs& inputs = check.inputs;
  const auto bias = [&](int64_t j, const Gradient& g) {
    stepped(j, check.memory.bias[j], inputs.bias[j], inputs.bias_velocity[j], g);
  };
  const auto weight = [&](int64_t i, int64_t j, const Gradient& g) {
    const int64_t at = i * check.problem.n + j;
    const float before = inputs.delta[at] + (check.identity_in_weights && i == j ? 1.0f : 0.0f);
    stepped(j, check.memory.weights[at], before, inputs.velocity[at], g);
  };
  for_gradients(check, "bias", bias, "weights", weight);
}

constexpr Operand kX{&LayerMemory::x, &Inputs::x, Extent::kRows};
constexpr Operand kY{&LayerMemory::y, &Inputs::y, Extent::kRows};
constexpr Operand kDy{&LayerMemory::dy, &Inputs::dy, Extent::kRows};
constexpr Operand kDz{&LayerMemory::dz, &Inputs::dz, Extent::kRows};
constexpr Operand kDx{&LayerMemory::dx, nullptr, Extent::kRows};
constexpr Operand kGradient{&LayerMemory::gradient, nullptr, Extent::kMatrix};
constexpr Operand kBiasGradient{&LayerMemory::bias_gradient, nullptr, Extent::kVector};

// Every stage is a pass of its own. An update reads and writes D and its momentum v in fp32.
const std::vector<Stage>& all_stages() {
  static const std::vector<Stage> table = {
      {.name = "forward",
       .products = 1,
       .moves = {.deltas = 1, .matrices = 0, .rows = 2},
       .traffic = Traffic::kRead,
       .reads = {kX},
       .writes = {kY},
       .check = check_forward},
      {.name = "backward_data",
       .products = 1,
       .moves = {.deltas = 1, .matrices = 0, .rows = 4},
       .traffic = Traffic::kRead,
       .reads = {kDy, kY},
       .writes = {kDz, kDx},
       .check = check_backward_data},
      {.name = "backward_weights",
       .products = 1,
       .moves = {.deltas = 0, .matrices = 1, .rows = 2},
       .traffic = Traffic::kWrite,
       .reads = {kX, kDz},
       .writes = {kGradient, kBiasGradient},
       .check = check_backward_weights},
      {.name = "update",
       .products = 1,
       .moves = {.deltas = 0, .matrices = 4, .rows = 2},
       .traffic = Traffic::kReadWrite,
       .reads = {kX, kDz},
       .writes = {},
       .check = check_update},
  };
  return table;
}

// Passes of several stages, each of which reads what those before it wrote.
struct Sequence {
  const char* name;
  std::vector<std::string> stages;
};
const std::vector<Sequence>& sequences() {
  static const std::vector<Sequence> table = {{"train_step", {"forward", "backward_data", "update"}}};
  return table;
}

const Stage& stage_named(const std::string& name) {
  for (const Stage& stage : all_stages()) {
    if (name == stage.name) return stage;
  }
  throw std::invalid_argument("no stage is called '" + name + "': see the table in bench/passes.cc");
}

}  // namespace

const std::vector<Pass::Row>& Pass::table() {
  static const std::vector<Row> rows = [] {
    std::vector<Row> all;
    for (const Stage& stage : all_stages()) all.push_back({stage.name, {&stage}});
    for (const Sequence& sequence : sequences()) {
      Row& row = all.emplace_back(Row{sequence.name, {}});
      for (const std::string& stage : sequence.stages) row.stages.push_back(&stage_named(stage));
    }
    return all;
  }();
  return rows;
}

Pass::Pass(const char* name) : row_(nullptr) {
  std::string known;
  for (const Row& row : table()) {
    if (row.name == name) row_ = &row;
    known += (known.empty() ? "" : ", ") + row.name;
  }
  if (row_ == nullptr) throw std::invalid_argument("unknown pass '" + std::string(name) + "': give one of " + known);
}

bool Pass::has(const std::string& stage) const {
  const Stage* wanted = &stage_named(stage);
  return std::find(stages().begin(), stages().end(), wanted) != stages().end();
}

Traffic Pass::traffic() const {
  Traffic most = Traffic::kRead;
  for (const Stage* stage : stages()) most = std::max(most, stage->traffic);
  return most;
}

std::vector<Pass> all_passes() {
  std::vector<Pass> passes;
  for (const Pass::Row& row : Pass::table()) passes.push_back(Pass(&row));
  return passes;
}

}  // namespace idelta::bench
