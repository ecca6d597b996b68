// row_error in every format: never below the error that fp64 finds, infinity where it has to be, and of the same bits
// whatever the call looks like. Attacks on LOW_RANK's are in row_error_attack_test.cc.
#include <cmath>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "support/low_rank.h"
#include "support/row_bounds.h"

namespace idelta_test {
namespace {

// The format under test; beside F32 LOW_RANK as well.
std::vector<idelta_delta_options> packings(int64_t n, float a) {
  std::vector<idelta_delta_options> all = {delta_options(a)};
  if (!stores_f32()) return all;
  for (const int64_t rank : {int64_t{1}, (n + 2) / 3, n}) {
    all.push_back(low_rank_options(rank));
    all.back().identity_scale = a;
  }
  return all;
}

std::string described(const idelta_delta_options& options, int64_t n) {
  return std::string(idelta_format_name(options.format)) + " n " + std::to_string(n) + " rank " +
         std::to_string(options.rank) + " a " + std::to_string(options.identity_scale);
}

std::vector<float> row_errors_of(const ContextPtr& context, const DeltaPtr& delta, idelta_forward_args args) {
  std::vector<float> errors(static_cast<size_t>(args.m), -1.0f);
  args.row_error = errors.data();
  EXPECT_OK(idelta_forward(context.get(), delta.get(), &args));
  return errors;
}

class RowError : public ContextTest {
 protected:
  static std::vector<int64_t> widths() {
    std::vector<int64_t> all;
    for (int64_t n = 1; n <= 65; n += reduced() && n > 4 ? 12 : 1) all.push_back(n);
    if (!reduced()) all.insert(all.end(), {130, 257});
    return all;
  }
};

TEST_F(RowError, BoundsEveryRow) {
  for (const int64_t n : widths()) {
    for (const float a : kIdentityScales) {
      Random random(static_cast<uint64_t>(n));
      const Matrix D(n, n), x(36, n), bias(1, n);
      fill_delta(D, random), fill_unlike_rows(x, random), fill_uniform(bias, random);
      for (const idelta_delta_options& options : packings(n, a)) {
        const DeltaPtr delta = pack(context, D, options);
        expect_bounded(bounded_rows(context, delta, x, dense(D), a), described(options, n));
        expect_bounded(bounded_rows(context, delta, x, dense(D), a, &bias), described(options, n) + " bias");
      }
    }
  }
}

// Where D, b or a are far from 1, or below the range of fp32 in part.
TEST_F(RowError, BoundsEveryRowOfUnusualSizes) {
  const int64_t n = 37;
  for (const float size : {1e4f, 1e-6f, 1e-30f, 1e-38f, 1e-42f, 0.0f}) {
    for (const float of_bias : {1e20f, 1.0f, 1e-20f, 1e-38f, 1e-42f}) {
      Random random(7);
      const Matrix D(n, n), x(36, n), bias(1, n);
      fill_uniform(D, random, size), fill_unlike_rows(x, random), fill_uniform(bias, random, of_bias);
      for (const float a : {1.0f, 0.0f, 1e-39f, 1e4f}) {
        for (const idelta_delta_options& options : packings(n, a)) {
          const BoundedRows rows = bounded_rows(context, pack(context, D, options), x, dense(D), a, &bias);
          expect_bounded(rows, described(options, n) + " D " + std::to_string(size) + " b " + std::to_string(of_bias));
        }
      }
    }
  }
}

// Rows on which what b adds is nearly all: a and D are zero, so that the bound is b's and denormals'.
TEST_F(RowError, CountsTheRoundingsOfABias) {
  const int64_t n = 64;
  Random random(8);
  const Matrix D(n, n), x(9, n), bias(1, n);
  fill_uniform(D, random, 0x1p-12f), fill_uniform(x, random), fill_uniform(bias, random, 0x1p12f);
  for (const idelta_delta_options& options : packings(n, 0)) {
    const BoundedRows rows = bounded_rows(context, pack(context, D, options), x, dense(D), 0, &bias);
    expect_bounded(rows, described(options, n));
    EXPECT_GE(largest_share(rows), 0.05) << described(options, n);
  }
}

TEST_F(RowError, IsInfiniteWhereSomethingIsNotFinite) {
  const int64_t n = 20, m = 6;
  const float kNan = std::nanf("");
  Random random(9);
  const Matrix D(n, n), x(m, n), y(m, n), bias(1, n);
  fill_delta(D, random), fill_uniform(x, random), fill_uniform(bias, random);
  x(1, 3) = kNan, x(2, 0) = kInfinity, x(3, 19) = -kInfinity;
  for (const idelta_delta_options& options : packings(n, 1)) {
    const DeltaPtr delta = pack(context, D, options);
    const std::vector<float> errors = row_errors_of(context, delta, forward_args(x, y));
    for (size_t i = 0; i < errors.size(); ++i) {
      EXPECT_EQ(i >= 1 && i <= 3, errors[i] == kInfinity) << described(options, n) << " row " << i << ' ' << errors[i];
    }
    for (const float value : {kNan, kInfinity}) {
      const Matrix other = bias.copy();
      other(0, 7) = value;
      idelta_forward_args args = forward_args(x, y);
      args.bias = other.data();
      for (const float error : row_errors_of(context, delta, args)) EXPECT_EQ(kInfinity, error);
    }
  }
  if (stores_int8()) return;
  for (const float value : {kNan, kInfinity}) {  // LOW_RANK and INT8 refuse it
    D(4, 5) = value;
    const DeltaPtr delta = pack(context, D);
    for (const float error : row_errors_of(context, delta, forward_args(x, y))) EXPECT_EQ(kInfinity, error);
  }
}

// Of x D, of a x, of b and of their sum.
TEST_F(RowError, IsInfiniteWhereSumsMayOverflow) {
  const int64_t n = 16;
  const Matrix D(n, n), x(1, n), y(1, n), bias(1, n);
  struct Sizes {
    float D, x, a, bias;
  };
  for (const Sizes& s : {Sizes{1e20f, 1e20f, 1, 0}, Sizes{0.1f, 1e20f, 1e20f, 0}, Sizes{0.1f, 1, 1, 3e38f},
                         Sizes{0.1f, 2e38f, 1, 2e38f}, Sizes{1e-10f, 3e38f, 0, 0}}) {
    fill(D, [&] { return s.D; }), fill(x, [&] { return s.x; }), fill(bias, [&] { return s.bias; });
    for (const idelta_delta_options& options : packings(n, s.a)) {
      idelta_forward_args args = forward_args(x, y);
      args.bias = bias.data();
      EXPECT_EQ(kInfinity, row_errors_of(context, pack(context, D, options), args)[0]) << described(options, n);
    }
  }
}

// ---- The same bits -------------------------------------------------------------------------------------------------

struct Calls {
  int64_t m = 43, n = 75;
  Matrix D{n, n}, x{m, n + 3, n + 3}, bias{1, n}, y{m, n};

  Calls() {
    Random random(10);
    fill_delta(D, random), fill_unlike_rows(x, random), fill_uniform(bias, random);
    for (int64_t i = 9; i < m; i += 9) x(i, 1) = kInfinity;
  }
  idelta_forward_args args() const {
    idelta_forward_args args = forward_args(x, y, {IDELTA_ACTIVATION_TANH, 0.0f});
    args.bias = bias.data();
    return args;
  }
};

TEST_F(RowError, ThreadsAndBatchesChangeNothing) {
  const Calls calls;
  for (const idelta_delta_options& options : packings(calls.n, 0.5f)) {
    const std::vector<float> expected = row_errors_of(context, pack(context, calls.D, options), calls.args());
    for (const int32_t threads : {1, 2, 3, 8}) {
      const ContextPtr own = make_context(context_options(forced_isa(), threads));
      const DeltaPtr delta = pack(own, calls.D, options);
      EXPECT_EQ(expected, row_errors_of(own, delta, calls.args())) << threads;
      for (int64_t split = 1; split < calls.m; split += 1 + split / 4) {
        idelta_forward_args first = calls.args(), second = first;
        first.m = split, second.m -= split;
        second.x += split * second.ldx, second.y += split * second.ldy;
        std::vector<float> both = row_errors_of(own, delta, first);
        const std::vector<float> rest = row_errors_of(own, delta, second);
        both.insert(both.end(), rest.begin(), rest.end());
        ASSERT_EQ(expected, both) << threads << " threads, split after " << split;
      }
    }
  }
}

// Many rows, so that tasks go through several blocks of them, from either end.
TEST_F(RowError, CachesChangeNothing) {
  const int64_t m = 300, n = 75;
  Random random(11);
  const Matrix D(n, n), x(m, n), y(m, n);
  fill_delta(D, random), fill_unlike_rows(x, random);
  for (const idelta_delta_options& options : packings(n, 1)) {
    const std::vector<float> expected = row_errors_of(context, pack(context, D, options), forward_args(x, y));
    const ScopedEnvironment environment("IDELTA_CACHES", kToyCaches);
    for (const int32_t threads : {1, 2, 5}) {
      const ContextPtr own = make_context(context_options(forced_isa(), threads));
      EXPECT_EQ(expected, row_errors_of(own, pack(own, D, options), forward_args(x, y))) << threads;
    }
  }
}

TEST_F(RowError, OutputsAreTheSameWithAndWithoutIt) {
  const Calls calls;
  const Matrix contribution(calls.m, calls.n), in_place(calls.m, calls.n);
  for (const idelta_delta_options& options : packings(calls.n, 0.5f)) {
    const DeltaPtr delta = pack(context, calls.D, options);
    idelta_forward_args args = calls.args();
    args.contribution = contribution.data(), args.ldc = calls.n;
    ASSERT_OK(idelta_forward(context.get(), delta.get(), &args));
    const std::vector<uint32_t> y = calls.y.element_bits(), c = contribution.element_bits();
    const std::vector<float> expected = row_errors_of(context, delta, calls.args());
    EXPECT_EQ(y, calls.y.element_bits());
    EXPECT_EQ(expected, row_errors_of(context, delta, args));
    EXPECT_EQ(y, calls.y.element_bits());
    EXPECT_EQ(c, contribution.element_bits());
    for (int64_t i = 0; i < calls.m; ++i) {
      for (int64_t j = 0; j < calls.n; ++j) in_place(i, j) = calls.x(i, j);
    }
    args.x = args.y = in_place.data(), args.ldx = args.ldy = calls.n;
    EXPECT_EQ(expected, row_errors_of(context, delta, args)) << described(options, calls.n);
    EXPECT_EQ(y, in_place.element_bits());
  }
}

TEST_F(RowError, IsasChangeNothingWhereTheirResultsAreTheSame) {
  if (!stores_f32() && !stores_int8()) GTEST_SKIP() << "norms of bf16 are bounded otherwise without SIMD";
  const Calls calls;
  const ContextPtr scalar = make_context(context_options(IDELTA_ISA_SCALAR));
  for (const idelta_delta_options& options : packings(calls.n, 0.5f)) {
    EXPECT_EQ(row_errors_of(scalar, pack(scalar, calls.D, options), calls.args()),
              row_errors_of(context, pack(context, calls.D, options), calls.args()))
        << described(options, calls.n);
  }
}

// ---- The D that it is about ----------------------------------------------------------------------------------------

// A hundred times as large: a bound of the old D would be broken.
TEST_F(RowError, FollowsARepack) {
  const int64_t n = 40;
  Random random(12);
  const Matrix small(n, n), large(n, n), x(9, n);
  fill_uniform(small, random, 1e-3f), fill_uniform(large, random, 0.1f), fill_uniform(x, random);
  for (const idelta_delta_options& options : packings(n, 0)) {
    const DeltaPtr delta = pack(context, small, options);
    expect_bounded(bounded_rows(context, delta, x, dense(small), 0), described(options, n));
    ASSERT_OK(idelta_delta_repack(context.get(), delta.get(), large.data(), n));
    expect_bounded(bounded_rows(context, delta, x, dense(large), 0), described(options, n) + " repacked");
    EXPECT_EQ(bounded_rows(context, pack(context, large, options), x, dense(large), 0).bounds,
              bounded_rows(context, delta, x, dense(large), 0).bounds);
  }
}

TEST_F(RowError, FollowsAnUpdate) {
  if (stores_int8()) GTEST_SKIP() << "cannot be stepped";
  const int64_t n = 40;
  Random random(13);
  const Matrix D(n, n), x(9, n), dz(9, n);
  fill_uniform(D, random, 1e-4f), fill_uniform(x, random), fill_uniform(dz, random);
  const DeltaPtr delta = pack(context, D, delta_options(0));
  const std::vector<double> before = bounded_rows(context, delta, x, dense(D), 0).bounds;
  idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  optimizer.learning_rate = 0.1f;
  const idelta_update_args update = update_args(x, dz, optimizer, D);
  ASSERT_OK(idelta_update(context.get(), delta.get(), &update));
  const BoundedRows after = bounded_rows(context, delta, x, dense(D), 0);
  expect_bounded(after, "stepped");
  for (size_t i = 0; i < before.size(); ++i) EXPECT_GT(after.bounds[i], 10 * before[i]) << i;
}

// Another direction's pack has norms of its own, or none.
TEST_F(RowError, DoesNotNeedTheBackwardPass) {
  const Calls calls;
  for (idelta_delta_options options : packings(calls.n, 0.5f)) {
    const std::vector<float> both = row_errors_of(context, pack(context, calls.D, options), calls.args());
    options.passes = IDELTA_PASS_FORWARD;
    EXPECT_EQ(both, row_errors_of(context, pack(context, calls.D, options), calls.args()));
  }
}

// ---- Norms of the rows ---------------------------------------------------------------------------------------------

// Rounded up to the next float or two; with errors or without, in place too.
TEST_F(RowError, NormsComeWithIt) {
  const int64_t n = 37, m = 12;
  Random random(14);
  const Matrix D(n, n), x(m, n);
  fill_delta(D, random), fill_uniform(x, random);
  const float scales[] = {1, 1e30f, 1e-30f, 0, 1e-41f};
  for (int64_t i = 0; i < 5; ++i) {
    for (int64_t j = 0; j < n; ++j) x(i, j) *= scales[i];
  }
  x(5, 3) = kInfinity, x(6, 3) = std::nanf(""), x(7, 3) = -kInfinity;
  for (const idelta_delta_options& options : packings(n, 1)) {
    const DeltaPtr delta = pack(context, D, options);
    std::vector<float> norms(m, -1.0f), alone(m, -1.0f), errors(m, -1.0f);
    const Matrix y(m, n);
    idelta_forward_args args = forward_args(x, y);
    args.row_norm = alone.data();
    ASSERT_OK(idelta_forward(context.get(), delta.get(), &args));
    args.row_norm = norms.data(), args.row_error = errors.data();
    ASSERT_OK(idelta_forward(context.get(), delta.get(), &args));
    EXPECT_EQ(norms, alone) << described(options, n);
    for (int64_t i = 0; i < m; ++i) {
      const float norm = norms[static_cast<size_t>(i)];
      double squares = 0;
      for (int64_t j = 0; j < n; ++j) squares += std::pow(static_cast<double>(x(i, j)), 2);
      if (i == 3 || i == 4) {
        EXPECT_EQ(0.0f, norm) << "zeros, and what is read as zero";
      } else if (i >= 5 && i <= 7) {
        EXPECT_EQ(kInfinity, norm) << i;
        EXPECT_EQ(kInfinity, errors[static_cast<size_t>(i)]) << i;
      } else {
        EXPECT_GE(static_cast<double>(norm), std::sqrt(squares)) << i;
        EXPECT_LE(static_cast<double>(norm), std::sqrt(squares) * (1 + 0x1p-22)) << i;
      }
    }
  }
}

// ---- Arguments -----------------------------------------------------------------------------------------------------

TEST_F(RowError, NeedsMemoryOfItsOwn) {
  const Calls calls;
  const DeltaPtr delta = pack(context, calls.D);
  const Matrix contribution(calls.m, calls.n);
  idelta_forward_args args = calls.args();
  args.contribution = contribution.data(), args.ldc = calls.n;
  for (const float* other :
       {args.x, args.bias, const_cast<const float*>(args.y), const_cast<const float*>(args.contribution)}) {
    args.row_error = const_cast<float*>(other);
    EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_forward(context.get(), delta.get(), &args));
    EXPECT_NE(nullptr, std::strstr(idelta_last_error(), "row_error is")) << idelta_last_error();
    args.row_error = nullptr, args.row_norm = const_cast<float*>(other);
    EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_forward(context.get(), delta.get(), &args));
    EXPECT_NE(nullptr, std::strstr(idelta_last_error(), "row_norm is")) << idelta_last_error();
    args.row_norm = nullptr;
  }
  std::vector<float> both(static_cast<size_t>(calls.m));
  args.row_error = args.row_norm = both.data();
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_forward(context.get(), delta.get(), &args));
  args.row_norm = nullptr;
  EXPECT_TRUE(contribution.untouched());
  args.m = 0;
  float untouched = 7;
  args.row_error = &untouched;
  EXPECT_OK(idelta_forward(context.get(), delta.get(), &args));
  EXPECT_EQ(7, untouched);
}

}  // namespace
}  // namespace idelta_test
