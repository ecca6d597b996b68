// Verification finds what is wrong with an implementation, and what is wrong gets no figure. Nothing is timed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/implementation.h"
#include "bench/implementations/idelta.h"
#include "bench/implementations/openblas.h"
#include "bench/point.h"
#include "bench/report.h"
#include "bench/verify.h"

namespace idelta::bench {
namespace {

std::string failure_of(const Problem& problem, const ImplementationEntry& entry) {
  const Inputs inputs = random_inputs(problem);
  const auto implementation = entry.make(problem, inputs);
  implementation->run();
  return verify(problem, *implementation, entry).failure;
}

using Damage = std::function<void(const Inputs&, LayerMemory&)>;

// OpenBLAS, whose results are spoilt after each run.
class Broken : public Openblas {
 public:
  Broken(const Problem& problem, const Inputs& inputs, const Damage& damage)
      : Openblas(problem, inputs), damage_(damage) {}
  void run() override {
    Openblas::run();
    damage_(inputs_, memory_);
  }

 private:
  const Damage damage_;
};

ImplementationEntry broken_entry(const Damage& damage) {
  ImplementationEntry entry = openblas_entry();
  entry.name = "broken";
  entry.make = [damage](const Problem& problem, const Inputs& inputs) -> std::unique_ptr<Implementation> {
    return std::make_unique<Broken>(problem, inputs, damage);
  };
  return entry;
}

std::string failure_after(const Problem& problem, const Damage& damage) {
  return failure_of(problem, broken_entry(damage));
}

// More products than are done in fp64: about every second row is judged by SGEMM alone.
constexpr int64_t kWide = 256;

TEST(Verify, EveryImplementationIsRightInEveryPass) {
  for (const Pass pass : all_passes()) {
    for (const ImplementationEntry& entry : all_implementations()) {
      for (const auto& [n, m] : {std::pair<int64_t, int64_t>{1, 1}, {1, 5}, {17, 1}, {65, 33}, {kWide, kWide}}) {
        const Problem problem{.pass = pass, .n = n, .m = m, .threads = 1};
        if (!entry.has(problem)) continue;
        EXPECT_EQ(failure_of(problem, entry), "") << entry.title() << " " << pass.name() << " " << n << " " << m;
      }
    }
  }
}

TEST(Verify, OneWrongElementOfAnyRowIsFound) {
  struct Case {
    const char* pass;
    Buffer LayerMemory::*output;
  };
  for (const Case& c : {Case{"forward", &LayerMemory::y}, Case{"backward_data", &LayerMemory::dx},
                        Case{"backward_data", &LayerMemory::dz}, Case{"backward_weights", &LayerMemory::gradient},
                        Case{"backward_weights", &LayerMemory::bias_gradient}, Case{"update", &LayerMemory::weights},
                        Case{"update", &LayerMemory::bias}}) {
    for (const int64_t row : {int64_t{0}, int64_t{100}, int64_t{101}, int64_t{255}}) {
      const auto nudge = [&](const Inputs&, LayerMemory& memory) {
        Buffer& output = memory.*c.output;
        output[(row * kWide + 7) % output.size()] += 1e-3f;
      };
      EXPECT_NE(failure_after({.pass = c.pass, .n = kWide, .m = kWide, .threads = 1}, nudge), "")
          << c.pass << " row " << row;
    }
  }
}

TEST(Verify, WhatIsNotWrittenIsFound) {
  const auto forget = [](const Inputs&, LayerMemory& memory) {
    memory.y[kWide + 3] = std::numeric_limits<float>::quiet_NaN();
  };
  EXPECT_NE(failure_after({.pass = "forward", .n = kWide, .m = kWide, .threads = 1}, forget), "");
}

// 0.2 % of it, which the worst-case bound (m+3) u sum |x dz| would let pass.
TEST(Verify, ASmallShareOfTheGradientOfManyRowsIsFound) {
  const auto too_much = [](const Inputs&, LayerMemory& memory) {
    for (int64_t i = 0; i < memory.gradient.size(); ++i) memory.gradient[i] *= 1.002f;
  };
  EXPECT_NE(failure_after({.pass = "backward_weights", .n = 33, .m = 4096, .threads = 1}, too_much), "");
  const auto too_far = [](const Inputs& inputs, LayerMemory& memory) {
    for (int64_t i = 0; i < 33 * 33; ++i) {
      const float before = inputs.delta[i] + (i % 34 == 0 ? 1.0f : 0.0f);
      memory.weights[i] = before + 1.002f * (memory.weights[i] - before);
    }
  };
  EXPECT_NE(failure_after({.pass = "update", .n = 33, .m = 4096, .threads = 1}, too_far), "");
}

// Broken, but open about rounding.
class Rounding : public Broken {
 public:
  using Broken::Broken;
  double operand_rounding() const override { return kBf16Rounding; }
  double gradient_rounding() const override { return kBf16Rounding; }
};

// A quarter of what bf16 may do to the gradient, and twice as much as it may.
TEST(Verify, GradientsAreRoundedOnlyByWhoSaysSo) {
  ImplementationEntry open = openblas_entry();
  for (const Pass pass : {Pass("backward_weights"), Pass("update")}) {
    const Problem problem{.pass = pass, .n = 9, .m = 1, .threads = 1};
    const auto by = [&](float share) -> Damage {
      return [=](const Inputs& inputs, LayerMemory& memory) {
        for (int64_t i = 0; i < 81; ++i) {
          const float product = inputs.x[i / 9] * inputs.dz[i % 9];
          if (pass == "update") memory.weights[i] -= kCheckLearningRate * share * product;
          if (pass == "backward_weights") memory.gradient[i] += share * product;
        }
      };
    };
    Damage damage = by(0x1p-9f);
    open.make = [&damage](const Problem& of, const Inputs& inputs) -> std::unique_ptr<Implementation> {
      return std::make_unique<Rounding>(of, inputs, damage);
    };
    EXPECT_NE(failure_after(problem, damage), "") << pass.name();
    EXPECT_EQ(failure_of(problem, open), "") << pass.name();
    damage = by(0x1p-6f);
    EXPECT_NE(failure_of(problem, open), "") << pass.name();
  }
}

// Half a step of x and of D for each product; more is wrong.
TEST(Verify, IntegersMayErrByTheirStepsAndNoMore) {
  class Nudged : public Idelta {
   public:
    Nudged(const Problem& problem, const Inputs& inputs, float by)
        : Idelta(problem, inputs, false, IDELTA_FORMAT_INT8), by_(by) {}
    void run() override {
      Idelta::run();
      memory_.y[kWide + 3] += memory_.y[kWide + 3] > 0 ? -by_ : by_;  // not beyond what hard_tanh gives
    }

   private:
    const float by_;
  };
  const Problem problem{.pass = "forward", .n = kWide, .m = 5, .threads = 1};
  ImplementationEntry entry = idelta_entry(IDELTA_FORMAT_INT8);
  const auto nudged = [&](float by) {
    entry.make = [by](const Problem& of, const Inputs& inputs) -> std::unique_ptr<Implementation> {
      return std::make_unique<Nudged>(of, inputs, by);
    };
    return failure_of(problem, entry);
  };
  EXPECT_EQ(nudged(0.002f), "");
  EXPECT_NE(nudged(0.3f), "");
}

// Updates W but goes on multiplying by what it packed at the start.
class Stale : public Openblas {
 public:
  Stale(const Problem& problem, const Inputs& inputs) : Openblas(problem, inputs) { Stale::weights_changed(); }

 private:
  void weights_changed() override { packed_.copy_from(memory_.weights); }
  void forward() override {
    std::swap(memory_.weights, packed_);
    Openblas::forward();
    std::swap(memory_.weights, packed_);
  }
  Buffer packed_;
};

TEST(Verify, ForgottenRepackingIsFound) {
  ImplementationEntry entry = openblas_entry();
  entry.make = [](const Problem& problem, const Inputs& inputs) -> std::unique_ptr<Implementation> {
    return std::make_unique<Stale>(problem, inputs);
  };
  const std::string failure = failure_of({.pass = "train_step", .n = 65, .m = 33, .threads = 1}, entry);
  EXPECT_EQ(failure.rfind("with updated weights, y[", 0), 0u) << failure;
}

TEST(MeasurePoint, WrongResultsGetNoFigureAndOthersKeepTheirs) {
  const auto nudge = [](const Inputs&, LayerMemory& memory) { memory.y[0] += 0.01f; };
  const Problem problem{.pass = "forward", .n = 17, .m = 3, .threads = 1};
  PointOptions options;
  options.timing = {.sample_seconds = 1e-5, .participant_seconds = 1e-4};
  const PointResult point =
      measure_point(problem, random_inputs(problem), {idelta_entry(), openblas_entry(), broken_entry(nudge)}, options);
  EXPECT_EQ(point.implementations[0].failure, "");
  EXPECT_EQ(point.implementations[1].failure, "");
  EXPECT_NE(point.implementations[2].failure, "");
  const std::string report = to_report({point}, {});
  EXPECT_NE(report.find("WRONG"), std::string::npos);
  EXPECT_NE(report.find("/ openblas        geometric mean"), std::string::npos);
  EXPECT_EQ(report.find("/ broken          geometric mean"), std::string::npos);
}

}  // namespace
}  // namespace idelta::bench
