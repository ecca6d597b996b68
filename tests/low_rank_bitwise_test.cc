// LOW_RANK must not differ in one bit between thread counts, cuts of the batch, ISAs, modes of the caller and cache
// sizes: neither the factors that packing finds nor what the passes compute.
#include <string>
#include <vector>

#include "support/low_rank.h"

namespace idelta_test {
namespace {

using LowRankBitwise = ContextTest;

struct Size {
  int64_t m, n, rank;
};

std::vector<Size> sizes() {
  if (reduced()) return {{5, 3, 2}, {9, 33, 7}, {120, 100, 20}};
  return {{5, 3, 2}, {9, 33, 7}, {67, 129, 33}, {301, 200, 40}};
}

constexpr idelta_activation kTanh = {IDELTA_ACTIVATION_TANH, 0.0f};

std::string described(const Size& s) {
  return "m " + std::to_string(s.m) + " n " + std::to_string(s.n) + " r " + std::to_string(s.rank);
}

TEST_F(LowRankBitwise, ThreadsChangeNothing) {
  for (const Size& s : sizes()) {
    const Bits expected = run_low_rank(make_context(context_options(forced_isa(), 1)), {s.m, s.n, kTanh}, s.rank);
    for (const int32_t threads : {2, 3, 8}) {
      SCOPED_TRACE(described(s) + ", " + std::to_string(threads) + " threads");
      expect_same_bits(expected,
                       run_low_rank(make_context(context_options(forced_isa(), threads)), {s.m, s.n, kTanh}, s.rank));
    }
  }
}

TEST_F(LowRankBitwise, EveryIsaGivesTheBitsOfTheScalarReference) {
  for (const Size& s : sizes()) {
    for (const float magnitude : {1.0f, 30.0f, 1e-20f, 1e-37f}) {
      SCOPED_TRACE(described(s) + " |x| " + std::to_string(magnitude));
      const Problem problem{s.m, s.n, kTanh, 0.3f, magnitude};
      expect_same_bits(run_low_rank(make_context(context_options(IDELTA_ISA_SCALAR)), problem, s.rank),
                       run_low_rank(context, problem, s.rank));
    }
  }
}

TEST_F(LowRankBitwise, CachesChangeNothing) {
  for (const Size& s : sizes()) {
    const Bits expected = run_low_rank(context, {s.m, s.n, kTanh}, s.rank);
    for (const char* caches : {"1,1,1", kToyCaches}) {
      const ScopedEnvironment environment("IDELTA_CACHES", caches);
      SCOPED_TRACE(described(s) + " caches " + caches);
      expect_same_bits(expected, run_low_rank(make_context(), {s.m, s.n, kTanh}, s.rank));
    }
  }
}

// Directed rounding, denormals kept or not.
TEST_F(LowRankBitwise, TheCallersModeChangesNothing) {
  if (!kHasMxcsr) GTEST_SKIP() << "no MXCSR";
  const Bits expected = run_low_rank(context, {9, 33, kTanh}, 7);
  for (const uint32_t mode : {0x3f80u, 0x5f80u, 0x7f80u, 0x9fc0u}) {
    SCOPED_TRACE(mode);
    expect_same_bits(expected, run_low_rank(context, {9, 33, kTanh, 1.0f, 1.0f, mode}, 7));
  }
}

TEST_F(LowRankBitwise, EverySplitOfTheBatchGivesTheBitsOfTheWhole) {
  const int64_t m = 43, n = 75;
  Random random(2);
  const Matrix D(n, n), x(m, n), y(m, n), dx(m, n);
  fill_delta(D, random), fill_uniform(x, random);
  for (const int32_t threads : {1, 3}) {
    const ContextPtr own = make_context(context_options(forced_isa(), threads));
    const DeltaPtr delta = pack(own, D, low_rank_options(18));
    const auto run = [&](int64_t first, int64_t last, const Matrix& to_y, const Matrix& to_dx) {
      idelta_forward_args forward = forward_args(x, to_y, kTanh);
      forward.m = last - first;
      forward.x += first * n, forward.y += first * n;
      EXPECT_OK(idelta_forward(own.get(), delta.get(), &forward));
      idelta_backward_data_args backward = backward_data_args(x, x, to_dx, kTanh);
      backward.m = last - first;
      backward.dy += first * n, backward.y += first * n, backward.dx += first * n;
      EXPECT_OK(idelta_backward_data(own.get(), delta.get(), &backward));
    };
    run(0, m, y, dx);
    for (int64_t split = 1; split < m; ++split) {
      const Matrix part_y(m, n), part_dx(m, n);
      run(0, split, part_y, part_dx), run(split, m, part_y, part_dx);
      ASSERT_EQ(y.element_bits(), part_y.element_bits()) << "forward, split after " << split;
      ASSERT_EQ(dx.element_bits(), part_dx.element_bits()) << "backward_data, split after " << split;
    }
  }
}

}  // namespace
}  // namespace idelta_test
