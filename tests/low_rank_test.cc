// LOW_RANK from outside: what its passes compute, to the bit, and what packing accepts and refuses.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "support/low_rank.h"

namespace idelta_test {
namespace {

using LowRankTest = ContextTest;

// The tiles of every ISA: mr 6 and 14, nr 16 and 32, each and its neighbours.
constexpr int64_t kRanks[] = {1, 2, 5, 15, 16, 17, 31, 32, 33, 40};
constexpr int64_t kBatches[] = {1, 2, 5, 6, 7, 13, 14, 15, 33, 130};

struct Case {
  int64_t m;
  idelta_activation activation = kIdentity;
  int64_t gap = 0;  // of every stride
  bool in_place = false;
  float magnitude = 1;
};

// Forward against the promised chains from the unpacked factors: t = x U and then t V, plus the bias, plus a x.
void expect_forward(const ContextPtr& context, const DeltaPtr& delta, const FactorPair& f, const Case& c) {
  const int64_t m = c.m, n = f.V.cols(), r = f.V.rows();
  const float a = info_of(context, delta).identity_scale;
  Random random(static_cast<uint64_t>(1000 * m + n));
  Matrix x(m, n, n + c.gap), bias(1, n);
  fill_uniform(x, random, c.magnitude), fill_uniform(bias, random);
  const Matrix original = x.copy(), y(m, n, n + c.gap), contribution(m, n, n + 2 * c.gap);
  x.freeze(), bias.freeze();
  const Matrix& out = c.in_place ? x : y;
  idelta_forward_args args = forward_args(x, out, c.activation);
  args.bias = bias.data();
  args.contribution = contribution.data();
  args.ldc = contribution.ld();
  ASSERT_OK(idelta_forward(context.get(), delta.get(), &args));
  EXPECT_TRUE(c.in_place || x.unchanged());
  EXPECT_TRUE(bias.unchanged() && out.surroundings_untouched() && contribution.surroundings_untouched());

  const ScopedMxcsr as_inside_the_calls(kFlushingMxcsr);
  const std::vector<float> t = chain(elements(original), m, n, elements(f.U), r);
  const std::vector<float> sums = chain(t, m, r, elements(f.V), n);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const float sum = sums[static_cast<size_t>(i * n + j)] + bias(0, j);
      ASSERT_EQ(bits(sum), bits(contribution(i, j))) << "contribution " << i << ", " << j;
      const auto z = static_cast<double>(std::fma(a, original(i, j), sum));
      const double expected = activate(c.activation, z);
      ASSERT_NEAR(expected, static_cast<double>(out(i, j)), 8 * kUnit * std::fabs(expected) + kUnderflow)
          << i << ", " << j;
    }
  }
}

// Backward likewise: s = dz V^T and then s U^T, plus a dz.
void expect_backward(const ContextPtr& context, const DeltaPtr& delta, const FactorPair& f, const Case& c) {
  const int64_t m = c.m, n = f.V.cols(), r = f.V.rows();
  const float a = info_of(context, delta).identity_scale;
  Random random(static_cast<uint64_t>(1000 * m + n + 1));
  Matrix dy(m, n, n + c.gap), y(m, n, n + 2 * c.gap);
  fill_uniform(dy, random, c.magnitude), fill_uniform(y, random, 1.5f);
  dy.freeze(), y.freeze();
  const Matrix original = dy.copy(), dz(m, n, n + c.gap), dx(m, n, n + c.gap);
  const Matrix& out = c.in_place ? dy : dx;
  idelta_backward_data_args args = backward_data_args(dy, y, out, c.activation);
  if (!c.in_place) args.dz = dz.data(), args.lddz = dz.ld();
  ASSERT_OK(idelta_backward_data(context.get(), delta.get(), &args));
  EXPECT_TRUE(y.unchanged() && out.surroundings_untouched() && dz.surroundings_untouched());
  EXPECT_TRUE(c.in_place || dy.unchanged());

  std::vector<float> rows = elements(original);
  if (!c.in_place) {
    const Matrix zero(n, n);  // of the reference only dz is taken
    fill(zero, [] { return 0.0f; });
    expect_within(dz, backward_data_reference(original, y, zero, a, c.activation).dz, "dz");
    rows = elements(dz);
  }
  const ScopedMxcsr as_inside_the_calls(kFlushingMxcsr);
  const std::vector<float> s = chain(rows, m, n, elements(f.V, true), r);
  const std::vector<float> sums = chain(s, m, r, elements(f.U, true), n);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const auto at = static_cast<size_t>(i * n + j);
      const auto expected = static_cast<double>(std::fma(a, rows[at], sums[at]));
      ASSERT_NEAR(expected, static_cast<double>(out(i, j)), 2 * kUnit * std::fabs(expected) + kUnderflow)
          << i << ", " << j;
    }
  }
}

void expect_passes(const ContextPtr& context, const DeltaPtr& delta, const Case& c) {
  const FactorPair f = unpacked_factors(context, delta);
  EXPECT_LT(departure_from_orthonormal(f.U), 1e-6);
  expect_forward(context, delta, f, c);
  expect_backward(context, delta, f, c);
}

std::vector<int64_t> widths() {
  if (reduced()) return {1, 2, 3, 16, 17, 33, 65, 130};
  return {1, 2, 3, 5, 7, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 130, 257};
}

TEST_F(LowRankTest, PassesGiveThePromisedBitsAtEverySize) {
  for (const int64_t n : widths()) {
    Random random(static_cast<uint64_t>(n));
    const Matrix D(n, n, n + 3);
    fill_delta(D, random);
    std::vector<int64_t> ranks;
    std::copy_if(std::begin(kRanks), std::end(kRanks), std::back_inserter(ranks), [&](int64_t r) { return r < n; });
    if (n <= 130) ranks.push_back(n);
    size_t next = static_cast<size_t>(n);
    for (const int64_t rank : ranks) {
      const DeltaPtr delta = pack(context, D, low_rank_options(rank));
      ASSERT_EQ(rank, info_of(context, delta).rank) << "n " << n;
      for (int turn = 0; turn < (n <= 65 ? 4 : 2); ++turn) {
        const int64_t m = kBatches[next++ % std::size(kBatches)];
        SCOPED_TRACE("m " + std::to_string(m) + " n " + std::to_string(n) + " r " + std::to_string(rank));
        expect_passes(context, delta, {.m = m, .gap = turn % 2 == 0 ? 0 : 5});
        if (HasFailure()) return;
      }
    }
  }
}

TEST_F(LowRankTest, EveryBatchSize) {
  Random random(1);
  const Matrix D(50, 50);
  fill_delta(D, random);
  const DeltaPtr delta = pack(context, D, low_rank_options(18));
  for (const int64_t m : kBatches) expect_passes(context, delta, {.m = m});
  const Matrix none(0, 50);
  idelta_forward_args forward = forward_args(none, none);
  EXPECT_OK(idelta_forward(context.get(), delta.get(), &forward));
  const idelta_backward_data_args backward = backward_data_args(none, none, none);
  EXPECT_OK(idelta_backward_data(context.get(), delta.get(), &backward));
}

TEST_F(LowRankTest, ActivationsScalesAndOutputsInPlace) {
  for (const int64_t n : {20, 67}) {
    Random random(2);
    const Matrix D(n, n);
    fill_delta(D, random);
    for (const float a : kIdentityScales) {
      idelta_delta_options options = low_rank_options(9);
      options.identity_scale = a;
      const DeltaPtr delta = pack(context, D, options);
      for (const idelta_activation activation : kActivations) {
        SCOPED_TRACE("n " + std::to_string(n) + " a " + std::to_string(a) + " activation " +
                     std::to_string(activation.kind));
        expect_passes(context, delta, {.m = 19, .activation = activation});
      }
      expect_passes(context, delta, {.m = 19, .gap = 4, .in_place = true});
      const FactorPair f = unpacked_factors(context, delta);
      for (const idelta_activation activation : kActivations) {
        expect_forward(context, delta, f, {.m = 19, .activation = activation, .in_place = true});
      }
      if (HasFailure()) return;
    }
  }
}

// dx over dy with an activation, dz unwanted or in a place of its own: the same bits as apart.
TEST_F(LowRankTest, GradientsInPlaceHaveTheBitsOfThoseApart) {
  const int64_t m = 40, n = 67;
  Random random(3);
  const Matrix D(n, n), dy(m, n), y(m, n), dx(m, n), dz(m, n);
  fill_delta(D, random), fill_uniform(dy, random), fill_uniform(y, random);
  const DeltaPtr delta = pack(context, D, low_rank_options(9));
  idelta_backward_data_args args = backward_data_args(dy, y, dx, kActivations[IDELTA_ACTIVATION_TANH]);
  ASSERT_OK(idelta_backward_data(context.get(), delta.get(), &args));
  for (const bool wants_dz : {false, true}) {
    const Matrix over = dy.copy();
    idelta_backward_data_args same = backward_data_args(over, y, over, args.activation);
    if (wants_dz) same.dz = dz.data(), same.lddz = n;
    ASSERT_OK(idelta_backward_data(context.get(), delta.get(), &same));
    EXPECT_EQ(dx.element_bits(), over.element_bits());
  }
  const Matrix over = dy.copy(), other(m, n);
  args = backward_data_args(over, y, other, args.activation);
  args.dz = over.data(), args.lddz = n;
  ASSERT_OK(idelta_backward_data(context.get(), delta.get(), &args));
  EXPECT_EQ(dz.element_bits(), over.element_bits());
  EXPECT_EQ(dx.element_bits(), other.element_bits());
}

// A transposed D packs as its transpose does, to the bit; so do transposed factors.
TEST_F(LowRankTest, TransposedMeansTheTranspose) {
  const int64_t n = 37;
  Random random(4);
  const Matrix D(n, n, n + 2), Dt(n, n, n + 1);
  fill_delta(D, random);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) Dt(j, i) = D(i, j);
  }
  idelta_delta_options options = low_rank_options(6);
  const FactorPair plain = unpacked_factors(context, pack(context, D, options));
  options.transposed = 1;
  const DeltaPtr transposed = pack(context, Dt, options);
  const FactorPair other = unpacked_factors(context, transposed);
  EXPECT_EQ(plain.U.element_bits(), other.U.element_bits());
  EXPECT_EQ(plain.V.element_bits(), other.V.element_bits());
  expect_passes(context, transposed, {.m = 9});

  FactorPair given{Matrix(n, 4, 7), Matrix(4, n, n + 5)}, turned{Matrix(n, 4), Matrix(4, n)};
  fill_uniform(given.U, random), fill_uniform(given.V, random);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < 4; ++j) turned.U(i, j) = given.V(j, i), turned.V(j, i) = given.U(i, j);
  }
  options.rank = 0;
  const FactorPair of_turned = unpacked_factors(context, pack_factors(context, turned, options));
  const FactorPair of_given = unpacked_factors(context, pack_factors(context, given));
  EXPECT_EQ(of_given.U.element_bits(), of_turned.U.element_bits());
  EXPECT_EQ(of_given.V.element_bits(), of_turned.V.element_bits());
}

// One direction alone holds the same factors, serves its pass, and refuses the other.
TEST_F(LowRankTest, EachPassAlone) {
  const int64_t n = 45;
  Random random(5);
  const Matrix D(n, n), x(3, n), y(3, n);
  fill_delta(D, random), fill_uniform(x, random);
  idelta_delta_options options = low_rank_options(8);
  const DeltaPtr both = pack(context, D, options);
  const FactorPair expected = unpacked_factors(context, both);
  const Matrix unpacked(n, n);
  ASSERT_OK(idelta_delta_unpack(context.get(), both.get(), unpacked.data(), n));
  for (const idelta_passes passes : {IDELTA_PASS_FORWARD, IDELTA_PASS_BACKWARD_DATA}) {
    options.passes = passes;
    const DeltaPtr one = pack(context, D, options);
    const FactorPair f = unpacked_factors(context, one);
    EXPECT_EQ(expected.U.element_bits(), f.U.element_bits());
    EXPECT_EQ(expected.V.element_bits(), f.V.element_bits());
    const Matrix again(n, n);
    ASSERT_OK(idelta_delta_unpack(context.get(), one.get(), again.data(), n));
    const Dense product = multiply(dense(f.U), dense(f.V));
    for (int64_t i = 0; i < n * n; ++i) {
      ASSERT_NEAR(product.at[static_cast<size_t>(i)], static_cast<double>(again.data()[i]), 1e-6);
    }
    const bool is_forward = passes == IDELTA_PASS_FORWARD;
    is_forward ? expect_forward(context, one, f, {.m = 5}) : expect_backward(context, one, f, {.m = 5});
    const idelta_forward_args forward = forward_args(x, y);
    const idelta_backward_data_args backward = backward_data_args(x, x, y);
    EXPECT_EQ(IDELTA_INVALID_ARGUMENT, is_forward ? idelta_backward_data(context.get(), one.get(), &backward)
                                                  : idelta_forward(context.get(), one.get(), &forward));
    EXPECT_TRUE(y.untouched());
    const idelta_delta_info_t info = info_of(context, one), whole = info_of(context, both);
    const double bound = is_forward ? info.certificate : info.certificate_backward_data;
    EXPECT_TRUE(std::isinf(is_forward ? info.certificate_backward_data : info.certificate));
    EXPECT_NEAR(bound, is_forward ? whole.certificate : whole.certificate_backward_data, 0.02 * bound);
  }
}

// ---- Blocks of the reduction ------------------------------------------------------------------------------------

TEST_F(LowRankTest, ToyCachesCrossEveryBlockEdge) {
  for (const char* caches : {"1,1,1", "512,2048,8192", kToyCaches}) {
    const ScopedEnvironment environment("IDELTA_CACHES", caches);
    for (const int32_t threads : {1, 3}) {
      const ContextPtr toy = make_context(context_options(forced_isa(), threads));
      for (const int64_t n : {33, 70, reduced() ? 90 : 257}) {
        Random random(6);
        const Matrix D(n, n);
        fill_delta(D, random);
        for (const int64_t rank : {int64_t{1}, int64_t{17}, int64_t{33}, std::min<int64_t>(n, 90)}) {
          const DeltaPtr delta = pack(toy, D, low_rank_options(rank));
          for (const int64_t m : {1, 15, 61}) {
            SCOPED_TRACE(std::string("caches ") + caches + " m " + std::to_string(m) + " n " + std::to_string(n) +
                         " r " + std::to_string(rank) + " threads " + std::to_string(threads));
            expect_passes(toy, delta, {.m = m});
            if (HasFailure()) return;
          }
        }
      }
    }
  }
}

// Rows a page apart are copied before they are multiplied, y on x among them.
TEST_F(LowRankTest, RowsThatCrowdTheCacheAreCopied) {
  for (const int32_t threads : {1, 3}) {
    const ContextPtr own = make_context(context_options(forced_isa(), threads));
    Random random(9);
    const Matrix D(100, 100);
    fill_delta(D, random);
    const DeltaPtr delta = pack(own, D, low_rank_options(20));
    for (const int64_t m : {8, 9, 130}) {
      for (const bool in_place : {false, true}) expect_passes(own, delta, {.m = m, .gap = 924, .in_place = in_place});
    }
  }
}

// ---- Rows that are not finite -----------------------------------------------------------------------------------

// So many that the first product of others fetches the rows that the second writes; here it has no tiles.
TEST_F(LowRankTest, RankZeroTakesRowsBeyondTheCache) {
  const int64_t n = 512, m = 2048;
  const Matrix D(n, n), x(m, n), y(m, n);
  Random random(4);
  for (int64_t i = 0; i < n; ++i) std::fill_n(D.data() + i * n, n, 0.0f);
  fill_uniform(x, random);
  const DeltaPtr delta = pack(context, D, low_rank_options(4));
  EXPECT_EQ(0, info_of(context, delta).rank);
  const idelta_forward_args args = forward_args(x, y);
  ASSERT_OK(idelta_forward(context.get(), delta.get(), &args));
  EXPECT_EQ(x.element_bits(), y.element_bits());
}

TEST_F(LowRankTest, NanAndInfStayInTheirRow) {
  const int64_t m = 31, n = 70;
  Random random(7);
  const Matrix D(n, n), x(m, n), y(m, n), clean(m, n);
  fill_delta(D, random), fill_uniform(x, random);
  const DeltaPtr delta = pack(context, D, low_rank_options(20));
  const auto both = [&](const Matrix& out) {
    const Matrix dx(m, n);
    const idelta_forward_args forward = forward_args(x, out);
    EXPECT_OK(idelta_forward(context.get(), delta.get(), &forward));
    const idelta_backward_data_args backward = backward_data_args(x, x, dx);
    EXPECT_OK(idelta_backward_data(context.get(), delta.get(), &backward));
    return dx.element_bits();
  };
  const std::vector<uint32_t> clean_dx = both(clean);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const int64_t row : {int64_t{0}, int64_t{13}, m - 1}) {
      const float before = x(row, 5);
      x(row, 5) = bad;
      const std::vector<uint32_t> dx = both(y);
      EXPECT_FALSE(std::isfinite(y(row, 5)));
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; i != row && j < n; ++j) {
          ASSERT_EQ(bits(clean(i, j)), bits(y(i, j))) << i << ", " << j;
          ASSERT_EQ(clean_dx[static_cast<size_t>(i * n + j)], dx[static_cast<size_t>(i * n + j)]) << i << ", " << j;
        }
      }
      x(row, 5) = before;
    }
  }
}

// ---- Workspace --------------------------------------------------------------------------------------------------

TEST_F(LowRankTest, ExactlyTheQueriedBytesAreEnoughAndOneLessIsRefused) {
  for (const char* caches : {"", kToyCaches, "4096,40000,100000"}) {
    const ScopedEnvironment environment(*caches != 0 ? "IDELTA_CACHES" : "IDELTA_TEST_NO_CACHES", caches);
    for (const int32_t threads : {1, 2, 8}) {
      const ContextPtr owner = make_context(context_options(forced_isa(), threads));
      for (const auto& [m, n, r, ld] : {std::array<int64_t, 4>{1, 1, 1, 1}, {7, 33, 33, 33}, {130, 97, 20, 1024}}) {
        Random random(8);
        const Matrix D(n, n), x(m, n, ld), y(m, n), own(m, n);
        fill_delta(D, random), fill_uniform(x, random);
        const DeltaPtr delta = pack(owner, D, low_rank_options(r));
        size_t bytes = 0, back = 0;
        ASSERT_OK(idelta_forward_workspace_bytes(owner.get(), delta.get(), m, &bytes));
        ASSERT_OK(idelta_backward_data_workspace_bytes(owner.get(), delta.get(), m, &back));
        EXPECT_EQ(bytes, back);
        EXPECT_GT(bytes, 0u);
        const GuardBuffer workspace(bytes, Flush::kRight, 64);
        const auto call = [&](const Matrix& out, size_t given, bool forward) {
          idelta_forward_args f = forward_args(x, out);
          f.workspace = given != 0 ? workspace.data() : nullptr, f.workspace_bytes = given;
          idelta_backward_data_args b = backward_data_args(x, x, out, kActivations[IDELTA_ACTIVATION_TANH]);
          b.workspace = f.workspace, b.workspace_bytes = given;
          return forward ? idelta_forward(owner.get(), delta.get(), &f)
                         : idelta_backward_data(owner.get(), delta.get(), &b);
        };
        for (const bool forward : {true, false}) {
          const Matrix refused(m, n);
          EXPECT_EQ(IDELTA_INVALID_ARGUMENT, call(refused, bytes - 1, forward));
          EXPECT_NE(nullptr, std::strstr(idelta_last_error(), "workspace_bytes")) << idelta_last_error();
          EXPECT_TRUE(refused.untouched());
          ASSERT_OK(call(own, 0, forward));
          ASSERT_OK(call(y, bytes, forward));
          EXPECT_TRUE(workspace.slack_untouched());
          EXPECT_EQ(own.element_bits(), y.element_bits());
        }
      }
    }
  }
}

}  // namespace
}  // namespace idelta_test
