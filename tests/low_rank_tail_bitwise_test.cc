// LOW_RANK with a tail in INT8 and rank 0 of it: the formula to the bit, however a call is cut.
#include <string>
#include <utility>
#include <vector>

#include "support/int8.h"

namespace idelta_test {
namespace {

class LowRankTail : public ContextTest {};

TEST_F(LowRankTail, SumsAreThoseOfTheFormulaToTheBit) {
  for (const int64_t n : {1, 17, 64, 100, reduced() ? 130 : 257}) {
    for (const int64_t rank : {int64_t{0}, int64_t{1}, (n + 2) / 3}) {
      for (const int32_t threads : {1, 3}) {
        const int64_t m = 40;
        Random random(static_cast<uint64_t>(n));
        const Matrix D = trained(n), x(m, n), y(m, n), contribution(m, n);
        fill_special_rows(x, random);
        const ContextPtr own = make_context(context_options(forced_isa(), threads));
        const DeltaPtr delta = pack(own, D, tail_options(rank));
        const FactorPair f = unpacked_factors(own, delta);
        const Integers tail = unpacked_integers(own, delta);
        idelta_forward_args args = forward_args(x, y);
        args.contribution = contribution.data(), args.ldc = n;
        ASSERT_OK(idelta_forward(own.get(), delta.get(), &args));
        const ScopedMxcsr as_inside_the_calls(kFlushingMxcsr);
        const std::vector<float> t = chain(elements(x), m, n, elements(f.U), f.V.rows());
        const std::vector<float> heads = chain(t, m, f.V.rows(), elements(f.V), n);
        for (int64_t i = 0; i < m; ++i) {
          const std::vector<float> head(heads.begin() + i * n, heads.begin() + (i + 1) * n);
          expect_promised(contribution, i, promised_row(&x(i, 0), head, tail));
        }
        if (HasFailure()) FAIL() << "n " << n << " rank " << rank << " threads " << threads;
      }
    }
  }
}

TEST_F(LowRankTail, RankZeroIsInt8) {
  const int64_t n = 100, m = 30;
  Random random(2);
  const Matrix D = trained(n), x(m, n), y(m, n), other_y(m, n), dx(m, n), other_dx(m, n);
  fill_uniform(x, random);
  idelta_delta_options options = IDELTA_DELTA_OPTIONS_INIT;
  options.format = IDELTA_FORMAT_INT8;
  const DeltaPtr int8 = pack(context, D, options), rank_zero = pack(context, D, tail_options(0));
  const auto run = [&](const DeltaPtr& delta, const Matrix& to_y, const Matrix& to_dx) {
    const idelta_forward_args forward = forward_args(x, to_y);
    EXPECT_OK(idelta_forward(context.get(), delta.get(), &forward));
    const idelta_backward_data_args backward = backward_data_args(x, x, to_dx);
    EXPECT_OK(idelta_backward_data(context.get(), delta.get(), &backward));
  };
  run(int8, y, dx), run(rank_zero, other_y, other_dx);
  EXPECT_EQ(y.element_bits(), other_y.element_bits());
  EXPECT_EQ(dx.element_bits(), other_dx.element_bits());
  const idelta_delta_info_t one = info_of(context, int8), other = info_of(context, rank_zero);
  EXPECT_NEAR(one.certificate, other.certificate, kUnit * one.norm_frobenius);  // what s q rounds counts once or twice
  EXPECT_EQ(one.certificate_inf, other.certificate_inf);
  EXPECT_EQ(IDELTA_TAIL_INT8, other.tail);
  EXPECT_EQ(IDELTA_TAIL_NONE, one.tail);
  EXPECT_EQ(0, other.rank);
}

// ---- The same bits -------------------------------------------------------------------------------------------------

struct Calls {
  static constexpr int64_t m = 150, n = 130;
  Matrix D = trained(n), x{m, n};
  Calls() {
    Random random(3);
    fill_special_rows(x, random);
  }
  // Both passes, row errors and the packed numbers, of rows cut after `split`.
  Bits run(const ContextPtr& context, int64_t split = m, bool in_place = false) const {
    const DeltaPtr delta = pack(context, D, tail_options(20));
    const Matrix y(m, n), dx(m, n), errors(1, m), copy = x.copy();
    for (const auto& [first, last] : {std::pair{int64_t{0}, split}, {split, m}}) {
      idelta_forward_args forward = forward_args(x, y, {IDELTA_ACTIVATION_LEAKY_RELU, 0.125f});
      if (in_place) forward.x = forward.y = copy.data();
      forward.m = last - first;
      forward.x += first * n, forward.y += first * n;
      forward.row_error = errors.data() + first;
      EXPECT_OK(idelta_forward(context.get(), delta.get(), &forward));
      idelta_backward_data_args backward = backward_data_args(x, x, dx, {IDELTA_ACTIVATION_TANH, 0});
      backward.m = last - first;
      backward.dy += first * n, backward.y += first * n, backward.dx += first * n;
      EXPECT_OK(idelta_backward_data(context.get(), delta.get(), &backward));
    }
    const FactorPair f = unpacked_factors(context, delta);
    return {{"y", in_place ? copy.element_bits() : y.element_bits()},
            {"dx", dx.element_bits()},
            {"row_error", errors.element_bits()},
            {"U", f.U.element_bits()},
            {"V", f.V.element_bits()},
            {"scales", unpacked_integers(context, delta).scales.element_bits()}};
  }
};

void expect_same(const Bits& expected, const Bits& actual) {
  expect_same_bits(without_nan_payloads(expected), without_nan_payloads(actual));
}

TEST_F(LowRankTail, ThreadsSplitsAndPlacesChangeNothing) {
  const Calls calls;
  const Bits expected = calls.run(make_context(context_options(forced_isa(), 1)));
  for (const int32_t threads : {1, 2, 5}) {
    const ContextPtr own = make_context(context_options(forced_isa(), threads));
    for (const int64_t split : {int64_t{1}, int64_t{7}, int64_t{64}, Calls::m}) {
      SCOPED_TRACE(std::to_string(threads) + " threads, split after " + std::to_string(split));
      expect_same(expected, calls.run(own, split));
    }
    expect_same(expected, calls.run(own, Calls::m, true));
  }
}

TEST_F(LowRankTail, CachesChangeNothing) {
  const Calls calls;
  const Bits expected = calls.run(context);
  for (const char* caches : {"1,1,1", kToyCaches, "4096,40000,100000"}) {
    const ScopedEnvironment environment("IDELTA_CACHES", caches);
    for (const int32_t threads : {1, 3}) {
      expect_same(expected, calls.run(make_context(context_options(forced_isa(), threads))));
    }
  }
}

TEST_F(LowRankTail, IsasChangeNothing) {
  const Calls calls;
  expect_same(calls.run(make_context(context_options(IDELTA_ISA_SCALAR))), calls.run(context));
}

TEST_F(LowRankTail, ExactlyTheQueriedWorkspaceIsEnough) {
  for (const int64_t n : {1, 33, 130}) {
    for (const int64_t m : {1, 7, 200}) {
      for (const int32_t threads : {1, 4}) {
        Random random(4);
        const Matrix D = trained(n), x(m, n, n + 5), y(m, n), free_y(m, n);
        fill_special_rows(x, random);
        const ContextPtr own = make_context(context_options(forced_isa(), threads));
        const DeltaPtr delta = pack(own, D, tail_options(n / 4));
        idelta_forward_args args = forward_args(x, free_y);
        ASSERT_OK(idelta_forward(own.get(), delta.get(), &args));
        ASSERT_OK(idelta_forward_workspace_bytes(own.get(), delta.get(), m, &args.workspace_bytes));
        for (const Flush flush : {Flush::kLeft, Flush::kRight}) {
          const GuardBuffer workspace(args.workspace_bytes, flush, 64);
          args.workspace = workspace.data(), args.y = y.data();
          ASSERT_OK(idelta_forward(own.get(), delta.get(), &args));
          EXPECT_TRUE(workspace.slack_untouched() && y.surroundings_untouched());
          expect_same({{"y", free_y.element_bits()}}, {{"y", y.element_bits()}});
        }
      }
    }
  }
}

}  // namespace
}  // namespace idelta_test
