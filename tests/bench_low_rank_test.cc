// The benchmark harness judges D = U V by its factors: every rank is right, and a wrong factor is found.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>

#include "bench/certificates.h"
#include "bench/factors.h"
#include "bench/implementations/idelta.h"
#include "bench/implementations/low_rank.h"
#include "bench/verify.h"

namespace idelta::bench {
namespace {

std::string failure_of(const Problem& problem, const ImplementationEntry& entry) {
  const Inputs inputs = random_inputs(problem);
  const auto implementation = entry.make(problem, inputs);
  implementation->run();
  return verify(problem, *implementation, entry).failure;
}

// An entry whose implementation is given one wrong number among the factors.
ImplementationEntry wrong_factor(ImplementationEntry entry, bool in_U, float by) {
  const bool ours = entry.name == "idelta";
  entry.make = [=](const Problem& problem, const Inputs& inputs) -> std::unique_ptr<Implementation> {
    Factors factors = random_factors(problem.n, rank_of(entry.format));
    Buffer& wrong = in_U ? factors.U : factors.V;
    wrong[wrong.size() / 2] += by;
    if (!ours) return std::make_unique<OpenblasLowRank>(problem, inputs, factors);
    return std::make_unique<Idelta>(problem, inputs, pack(context_for(problem.isa, problem.threads), factors));
  };
  return entry;
}

const Pass kLowRankPasses[] = {"forward", "backward_data"};

// At one row OpenBLAS' first product is GEMV's or SGEMM's, by rank; of 130 rows at rank 256 some are judged by SGEMM.
TEST(LowRank, EveryRankIsRight) {
  for (const int64_t rank : kRanks) {
    const int64_t n = 2 * rank + 3;
    for (const ImplementationEntry& entry : {idelta_low_rank_entry(rank), openblas_low_rank_entry(rank)}) {
      for (const Pass pass : kLowRankPasses) {
        for (const int64_t m : {1, 5, 130}) {
          const Problem problem{.pass = pass, .n = n, .m = m, .threads = 1};
          ASSERT_TRUE(entry.has(problem));
          EXPECT_EQ(failure_of(problem, entry), "") << entry.title() << " " << pass.name() << " " << m;
        }
      }
    }
  }
}

TEST(LowRank, OneWrongNumberInAFactorIsFound) {
  for (const Pass pass : kLowRankPasses) {
    for (const ImplementationEntry& entry : {idelta_low_rank_entry(32), openblas_low_rank_entry(32)}) {
      for (const bool in_U : {false, true}) {
        for (const int64_t m : {1, 130}) {
          const Problem problem{.pass = pass, .n = 259, .m = m, .threads = 1};
          EXPECT_EQ(failure_of(problem, wrong_factor(entry, in_U, 0.0f)), "");
          EXPECT_NE(failure_of(problem, wrong_factor(entry, in_U, 0.01f)), "")
              << entry.title() << " " << pass.name() << (in_U ? " U " : " V ") << m;
        }
      }
    }
  }
}

// Rows that SGEMM alone judges as well.
TEST(LowRank, OneWrongElementOfAnyRowIsFound) {
  ImplementationEntry entry = openblas_low_rank_entry(64);
  const Problem problem{.pass = "forward", .n = 256, .m = 600, .threads = 1};
  for (const int64_t row : {0, 299, 300, 599}) {
    class Nudged : public OpenblasLowRank {
     public:
      Nudged(const Problem& of, const Inputs& inputs, int64_t row)
          : OpenblasLowRank(of, inputs, factors_for(of.n, 64)), row_(row) {}
      void run() override {
        OpenblasLowRank::run();
        memory_.y[row_ * problem_.n + 7] += 1e-3f;
      }

     private:
      const int64_t row_;
    };
    entry.make = [row](const Problem& of, const Inputs& inputs) -> std::unique_ptr<Implementation> {
      return std::make_unique<Nudged>(of, inputs, row);
    };
    EXPECT_NE(failure_of(problem, entry), "") << row;
  }
}

TEST(LowRank, FactorsAreOrthonormalAndSmall) {
  const int64_t n = 200, rank = 16;
  const Factors factors = random_factors(n, rank);
  for (int64_t a = 0; a < rank; ++a) {
    for (int64_t b = 0; b < rank; ++b) {
      double sum = 0.0;
      for (int64_t i = 0; i < n; ++i) sum += double(factors.U[i * rank + a]) * double(factors.U[i * rank + b]);
      EXPECT_NEAR(sum, a == b ? 1.0 : 0.0, 1e-6);
    }
  }
  double squares = 0.0;  // r singular values about 0.3 or less
  for (int64_t i = 0; i < rank * n; ++i) squares += double(factors.V[i]) * double(factors.V[i]);
  EXPECT_GT(std::sqrt(squares / double(rank)), 0.2);
  EXPECT_LT(std::sqrt(squares / double(rank)), 0.3);
}

// Factors are not trained, and a rank of n / 2 saves nothing.
TEST(LowRank, RunsOnlyWhereItMakesSense) {
  for (const ImplementationEntry& entry : {idelta_low_rank_entry(32), openblas_low_rank_entry(32)}) {
    for (const Pass pass : all_passes()) {
      const bool runs = pass == "forward" || pass == "backward_data";
      EXPECT_EQ(entry.has({.pass = pass, .n = 65, .m = 2, .threads = 1}), runs) << pass.name();
      EXPECT_FALSE(entry.has({.pass = pass, .n = 64, .m = 2, .threads = 1}));
    }
  }
}

TEST(LowRank, FormatsSayTheirRank) {
  EXPECT_EQ(low_rank_name(32), "lr32");
  EXPECT_EQ(rank_of("lr256"), 256);
  for (const idelta_format format : kinds_of(idelta_format_names(), idelta_format_by_name)) {
    EXPECT_EQ(rank_of(idelta_format_name(format)), 0) << idelta_format_name(format);
  }
}

TEST(LowRank, RowBoundsComeNearAndAreNeverBroken) {
  const Problem problem{.pass = "forward", .n = 96, .m = 20, .threads = 1, .layer = 3};
  const RowBoundRow row = measure_row_bounds(problem, random_inputs(problem), 64);
  EXPECT_GE(row.attack, 1.0);
  EXPECT_LE(row.attack, 1.1);
  EXPECT_GE(row.activations, 1.0);
  EXPECT_GE(row.typical, row.activations);
  EXPECT_GE(row.gain, 1.0);
  EXPECT_EQ(to_table({row}).find("BROKEN"), std::string::npos);
  EXPECT_NE(to_table({RowBoundRow{3, 64, 0.9, 2, 3, 4}}).find("BROKEN"), std::string::npos);
}

}  // namespace
}  // namespace idelta::bench
