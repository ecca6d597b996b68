// LOW_RANK: what it refuses, by name, and that a refusal changes nothing.
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "support/int8.h"

namespace idelta_test {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();

class LowRankErrors : public ContextTest {
 protected:
  void expect_refused(idelta_status status, std::initializer_list<const char*> words,
                      idelta_status expected = IDELTA_INVALID_ARGUMENT) {
    EXPECT_EQ(expected, status);
    for (const char* word : words) EXPECT_NE(nullptr, std::strstr(idelta_last_error(), word)) << idelta_last_error();
    EXPECT_EQ(nullptr, made);
    idelta_delta_destroy(std::exchange(made, nullptr));
  }
  idelta_status packed(const idelta_delta_options& options) {
    return idelta_delta_pack(context.get(), n, D.data(), n, &options, &made);
  }
  idelta_status factors(int64_t r, const float* U, int64_t ldu, const float* V, int64_t ldv,
                        const idelta_delta_options& options) {
    return idelta_delta_pack_factors(context.get(), n, r, U, ldu, V, ldv, &options, &made);
  }

  static constexpr int64_t n = 11;
  Matrix D{n, n};
  FactorPair f{Matrix(n, 3), Matrix(3, n)};
  idelta_delta* made = nullptr;
  LowRankErrors() {
    Random random(1);
    fill_delta(D, random), fill_uniform(f.U, random), fill_uniform(f.V, random);
  }
};

TEST_F(LowRankErrors, OptionsThatDoNotFit) {
  expect_refused(packed(low_rank_options(0)), {"rank", "tolerance", "low_rank"});
  expect_refused(packed(low_rank_options(n + 1)), {"rank = 12", "11"});
  expect_refused(packed(low_rank_options(-1)), {"rank = -1"});
  expect_refused(packed(low_rank_options(INT64_MAX)), {"rank ="});
  expect_refused(packed(low_rank_options(2, -3)), {"tolerance = -3"});
  expect_refused(packed(low_rank_options(2, std::nan(""))), {"tolerance"});
  for (const idelta_format format : {IDELTA_FORMAT_F32, IDELTA_FORMAT_BF16, IDELTA_FORMAT_BF16X3, IDELTA_FORMAT_AUTO}) {
    idelta_delta_options options = low_rank_options(3);
    options.format = format;
    expect_refused(packed(options), {"rank = 3", "low_rank", idelta_format_name(format)});
  }
}

TEST_F(LowRankErrors, EntriesThatAreNotFinite) {
  for (const float bad : {kNan, kInf, -kInf}) {
    D(4, 7) = bad;
    expect_refused(packed(low_rank_options(3)), {"D[4, 7]", "finite"});
    expect_refused(packed(low_rank_options(0, 0.1)), {"D[4, 7]", "finite"});
    std::swap(f.U(5, 2), D(4, 7));
    expect_refused(factors(3, f.U.data(), 3, f.V.data(), n, low_rank_options(0)), {"U[5, 2]", "finite"});
    std::swap(f.U(5, 2), f.V(1, 9));
    expect_refused(factors(3, f.U.data(), 3, f.V.data(), n, low_rank_options(0)), {"V[1, 9]", "finite"});
    std::swap(f.V(1, 9), D(4, 7));
  }
}

// Places are named as the caller has them.
TEST_F(LowRankErrors, TransposedEntriesThatAreNotFinite) {
  idelta_delta_options options = low_rank_options(3);
  options.transposed = 1;
  D(4, 7) = kInf;
  expect_refused(packed(options), {"D[4, 7]"});
  options.rank = 0;
  f.U(5, 2) = kInf;
  expect_refused(factors(3, f.U.data(), 3, f.V.data(), n, options), {"U[5, 2]"});
}

TEST_F(LowRankErrors, ProductsThatOverflow) {
  fill(f.U, [] { return 1e30f; });
  fill(f.V, [] { return 1e30f; });
  expect_refused(factors(3, f.U.data(), 3, f.V.data(), n, low_rank_options(0)), {"finite"});
}

TEST_F(LowRankErrors, FactorsThatDoNotFit) {
  const idelta_delta_options good = low_rank_options(0);
  expect_refused(factors(-1, f.U.data(), 3, f.V.data(), n, good), {"r = -1"});
  expect_refused(factors(n + 1, f.U.data(), 12, f.V.data(), n, good), {"r = 12"});
  expect_refused(factors(3, f.U.data(), 2, f.V.data(), n, good), {"ldu = 2"});
  expect_refused(factors(3, f.U.data(), 3, f.V.data(), n - 1, good), {"ldv = 10"});
  expect_refused(factors(3, nullptr, 3, f.V.data(), n, good), {"U is null"});
  expect_refused(factors(3, f.U.data(), 3, nullptr, n, good), {"V is null"});
  expect_refused(factors(3, f.U.data(), 3, f.V.data(), n, low_rank_options(3)), {"rank = 3"});
  for (const idelta_format format : {IDELTA_FORMAT_F32, IDELTA_FORMAT_BF16, IDELTA_FORMAT_BF16X3}) {
    idelta_delta_options options = good;
    options.format = format;
    expect_refused(factors(3, f.U.data(), 3, f.V.data(), n, options), {idelta_format_name(format), "low_rank"});
  }
  expect_refused(factors(3, f.U.data(), 3, f.V.data(), n, low_rank_options(0, 1e-9)), {"tolerance", "certificate"},
                 IDELTA_TOLERANCE_NOT_MET);
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT,
            idelta_delta_pack_factors(context.get(), n, 3, f.U.data(), 3, f.V.data(), n, &good, nullptr));
}

TEST_F(LowRankErrors, UnpackingFactors) {
  idelta_delta_options options = delta_options();
  options.format = IDELTA_FORMAT_F32;
  const DeltaPtr f32 = pack(context, D, options), low_rank = pack(context, D, low_rank_options(3));
  const Matrix U(n, 3), V(3, n);
  const auto unpack = [&](const DeltaPtr& delta, float* u, int64_t ldu, float* v, int64_t ldv) {
    return idelta_delta_unpack_factors(context.get(), delta.get(), u, ldu, v, ldv);
  };
  expect_refused(unpack(f32, U.data(), 3, V.data(), n), {"f32", "factors", "low_rank"});
  expect_refused(unpack(low_rank, U.data(), 2, V.data(), n), {"ldu = 2"});
  expect_refused(unpack(low_rank, U.data(), 3, V.data(), n - 1), {"ldv = 10"});
  expect_refused(unpack(low_rank, nullptr, 3, V.data(), n), {"U is null"});
  expect_refused(unpack(low_rank, U.data(), 3, nullptr, n), {"V is null"});
  EXPECT_TRUE(U.untouched() && V.untouched());
}

TEST_F(LowRankErrors, TailsThatDoNotFit) {
  idelta_delta_options with_tail = low_rank_options(3);
  with_tail.tail = IDELTA_TAIL_INT8;
  const DeltaPtr delta = pack(context, D, with_tail), plain = pack(context, D, low_rank_options(3));
  const FactorPair kept = unpacked_factors(context, delta);
  Integers integers = unpacked_integers(context, delta);
  idelta_int8_tail tail = integers.tail();
  idelta_low_rank_proof proof = IDELTA_LOW_RANK_PROOF_INIT;
  const auto pack_measured = [&](idelta_delta_options options = low_rank_options(0)) {
    return idelta_delta_pack_measured(context.get(), n, 3, kept.U.data(), kept.U.ld(), kept.V.data(), kept.V.ld(),
                                      &tail, &proof, &options, &made);
  };
  integers.q[5 * n + 3] = 64;
  expect_refused(pack_measured(), {"tail->q[5, 3] = 64", "63"});
  integers.q[5 * n + 3] = -128;
  expect_refused(pack_measured(), {"tail->q[5, 3] = -128"});
  integers.q[5 * n + 3] = 0;
  for (const float bad : {-1.0f, kNan, kInf, 1e-40f}) {
    integers.scales(0, 4) = bad;
    expect_refused(pack_measured(), {"tail->scales[4]", "normal"});
  }
  integers.scales(0, 4) = 1;
  tail.ldq = n - 1;
  expect_refused(pack_measured(), {"tail->ldq = 10"});
  tail = {nullptr, n, integers.scales.data()};
  expect_refused(pack_measured(), {"tail->q is null"});
  tail = {integers.q.data(), n, nullptr};
  expect_refused(pack_measured(), {"tail->scales is null"});
  tail = integers.tail();
  proof.tail = -1;
  expect_refused(pack_measured(), {"proof.tail = -1"});
  proof.tail = 0;
  idelta_delta_options options = low_rank_options(0);
  options.tail = IDELTA_TAIL_INT8;
  expect_refused(idelta_delta_pack_factors(context.get(), n, 3, kept.U.data(), kept.U.ld(), kept.V.data(), kept.V.ld(),
                                           &options, &made),
                 {"tail", "factors"});
  expect_refused(pack_measured(options), {"tail", "factors"});
  options.tail = static_cast<idelta_tail>(7);
  expect_refused(idelta_delta_pack(context.get(), n, D.data(), n, &options, &made), {"tail = 7"});
  expect_refused(idelta_delta_unpack_integers(context.get(), plain.get(), integers.q.data(), n, integers.scales.data()),
                 {"low_rank", "integers", "tail"});
  idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  const Matrix x(2, n), master = D.copy();
  fill(x, [] { return 1.0f; });
  const idelta_update_args update = update_args(x, x, optimizer, master);
  expect_refused(idelta_update(context.get(), delta.get(), &update), {"low_rank", "stepped"}, IDELTA_UNSUPPORTED);
}

TEST_F(LowRankErrors, UpdateIsUnsupportedAndChangesNothing) {
  const DeltaPtr delta = pack(context, D, low_rank_options(3));
  const FactorPair before = unpacked_factors(context, delta);
  Matrix x(2, n), master = D.copy();
  Random random(2);
  fill_uniform(x, random);
  master.freeze();
  idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  optimizer.learning_rate = 1;
  for (const bool with_master : {true, false}) {
    idelta_update_args args = update_args(x, x, optimizer, master);
    if (!with_master) args.D = nullptr;
    expect_refused(idelta_update(context.get(), delta.get(), &args), {"low_rank"}, IDELTA_UNSUPPORTED);
  }
  EXPECT_TRUE(master.unchanged());
  EXPECT_EQ(before.U.element_bits(), unpacked_factors(context, delta).U.element_bits());
  EXPECT_EQ(before.V.element_bits(), unpacked_factors(context, delta).V.element_bits());
}

TEST_F(LowRankErrors, GradientsHaveNoSuchFormat) {
  const Matrix x(2, n), dD(n, n);
  Random random(3);
  fill_uniform(x, random);
  idelta_backward_weights_args args = backward_weights_args(x, x, dD, nullptr);
  args.format = IDELTA_FORMAT_LOW_RANK;
  expect_refused(idelta_backward_weights(context.get(), &args), {"low_rank"});
  EXPECT_TRUE(dD.untouched());
  expect_refused(idelta_gradient_format_check(IDELTA_FORMAT_LOW_RANK), {"low_rank"});
  idelta_delta_options options = delta_options();
  options.format = IDELTA_FORMAT_F32;
  const DeltaPtr delta = pack(context, D, options);
  const idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  idelta_update_args update = update_args(x, x, optimizer, D);
  update.gradient_format = IDELTA_FORMAT_LOW_RANK;
  expect_refused(idelta_update(context.get(), delta.get(), &update), {"low_rank"});
}

}  // namespace
}  // namespace idelta_test
