// LOW_RANK: which factors packing finds, of any D and of given factors, and at which rank.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "support/low_rank.h"

namespace idelta_test {
namespace {

using LowRankPackingTest = ContextTest;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

int64_t rank_of(const ContextPtr& context, const DeltaPtr& delta) { return info_of(context, delta).rank; }

double largest_certificate(const idelta_delta_info_t& info) {
  return std::max(info.certificate, info.certificate_backward_data);
}

// ---- By rank ----------------------------------------------------------------------------------------------------

// No factors of the same rank could drop less than the next singular value.
TEST_F(LowRankPackingTest, ByRankDropsLittleMoreThanTheNextSingularValue) {
  for (const int64_t n : {5, 20, 64, 100}) {
    for (const double ratio : {0.5, 0.8, 0.97, 1.0}) {
      Random random(static_cast<uint64_t>(n));
      const Matrix D(n, n);
      const std::vector<double> sigma = falling_spectrum(n, 0.3, ratio);
      fill_spectrum(D, sigma, random);
      for (const int64_t rank : {1, 3, 16, 40}) {
        if (rank >= n) continue;
        const DeltaPtr delta = pack(context, D, low_rank_options(rank));
        const FactorPair f = unpacked_factors(context, delta);
        // Singular values below n u of the largest are not told from zero.
        const auto has = std::count_if(sigma.begin(), sigma.end(),
                                       [&](double s) { return s > static_cast<double>(n) * kUnit * sigma[0]; });
        ASSERT_EQ(std::min<int64_t>(rank, has), f.V.rows()) << "n " << n << " ratio " << ratio;
        const double best = sigma[static_cast<size_t>(rank)], found = spectral_norm(dropped(D, f));
        EXPECT_LE(found, 1.02 * best + static_cast<double>(n) * kUnit * sigma[0])
            << "n " << n << " ratio " << ratio << " rank " << rank;
        EXPECT_LT(departure_from_orthonormal(f.U), 1e-6);
      }
    }
  }
}

// Numbers that nothing orders: the hardest for a random start.
TEST_F(LowRankPackingTest, ByRankOfRandomNumbers) {
  const int64_t n = reduced() ? 80 : 200;
  Random random(1);
  const Matrix D(n, n);
  fill_delta(D, random);
  const FactorPair whole = unpacked_factors(context, pack(context, D, low_rank_options(n)));
  ASSERT_EQ(n, whole.V.rows());
  for (const int64_t rank : {1, 10, 40}) {
    // Rows of V are sigma_i v_i where the subspace is whole.
    double best = 0;
    for (int64_t j = 0; j < n; ++j) best += std::pow(static_cast<double>(whole.V(rank, j)), 2);
    const FactorPair f = unpacked_factors(context, pack(context, D, low_rank_options(rank)));
    EXPECT_LE(spectral_norm(dropped(D, f)), 1.1 * std::sqrt(best)) << rank;
  }
}

TEST_F(LowRankPackingTest, FullRankIsAsGoodAsF32) {
  for (const int64_t n : {1, 2, 3, 4, 5, 6, 7, 8, 16, 17, 18, 33, 65}) {
    Random random(static_cast<uint64_t>(n));
    const Matrix D(n, n);
    fill_delta(D, random);
    const DeltaPtr delta = pack(context, D, low_rank_options(n));
    ASSERT_EQ(n, rank_of(context, delta));
    EXPECT_LT(spectral_norm(dropped(D, unpacked_factors(context, delta))), 1e-6) << n;
  }
}

TEST_F(LowRankPackingTest, RankShrinksToWhatDHas) {
  const int64_t n = 60;
  for (const int64_t has : {1, 2, 9, 30}) {
    Random random(static_cast<uint64_t>(has));
    const Matrix D(n, n);
    fill_spectrum(D, std::vector<double>(static_cast<size_t>(has), 0.2), random);
    for (const int64_t rank : {has, n}) {
      // Rounding D to fp32 leaves values of at most u sqrt(n) / 2 of the largest, below what counts as one.
      EXPECT_EQ(has, rank_of(context, pack(context, D, low_rank_options(rank))));
    }
    // Exactly so, in integers.
    const Matrix U(n, has), V(has, n), product(n, n);
    fill_integers(U, random, 3), fill_integers(V, random, 3);
    const Dense exact = multiply(dense(U), dense(V));
    for (int64_t i = 0; i < n * n; ++i) product.data()[i] = static_cast<float>(exact.at[static_cast<size_t>(i)]);
    EXPECT_EQ(has, rank_of(context, pack(context, product, low_rank_options(n))));
    EXPECT_EQ(has, rank_of(context, pack(context, product, low_rank_options(0, 2e-4 * spectral_norm(exact)))));
  }
}

// The last layer of a classifier: gradients of softmax sum to zero but for rounding, so that ten columns have rank 9.
TEST_F(LowRankPackingTest, TenClassColumnsThatSumToZeroHaveRankNine) {
  const int64_t n = 70, classes = 10;
  Random random(2);
  const Matrix D(n, n);
  fill(D, [] { return 0.0f; });
  for (int step = 0; step < 500; ++step) {
    float g[classes], sum = 0;
    for (float& each : g) sum += each = std::exp(random.uniform(-2, 2));
    for (float& each : g) each /= sum;
    g[random.below(classes)] -= 1;
    for (int64_t i = 0; i < n; ++i) {
      const float x = random.uniform(0, 1);
      for (int64_t c = 0; c < classes; ++c) D(i, n - classes + c) -= 0.01f * x * g[c];
    }
  }
  const DeltaPtr delta = pack(context, D, low_rank_options(n));
  EXPECT_EQ(9, rank_of(context, delta));
  EXPECT_LT(info_of(context, delta).certificate, 1e-4);
}

TEST_F(LowRankPackingTest, ZeroAndDenormalDeltasHaveRankZero) {
  for (const float entry : {0.0f, -0.0f, 1e-40f}) {
    for (const int64_t n : {1, 33}) {
      for (const bool by_tolerance : {false, true}) {
        const Matrix D(n, n), x(7, n), y(7, n), dx(7, n);
        Random random(3);
        fill(D, [&] { return entry; }), fill_uniform(x, random);
        idelta_delta_options options = by_tolerance ? low_rank_options(0, 1e-3) : low_rank_options(n);
        options.identity_scale = 0.5f;
        const DeltaPtr delta = pack(context, D, options);
        const idelta_delta_info_t info = info_of(context, delta);
        EXPECT_EQ(0, info.rank);
        EXPECT_LE(info.certificate, 0x1p-24);
        EXPECT_EQ(0, info.norm_frobenius);
        const idelta_forward_args forward = forward_args(x, y);
        ASSERT_OK(idelta_forward(context.get(), delta.get(), &forward));
        const idelta_backward_data_args backward = backward_data_args(x, x, dx);
        ASSERT_OK(idelta_backward_data(context.get(), delta.get(), &backward));
        for (int64_t i = 0; i < 7 * n; ++i) {
          ASSERT_EQ(0.5f * x.data()[i], y.data()[i]);
          ASSERT_EQ(0.5f * x.data()[i], dx.data()[i]);
        }
        const Matrix back(n, n);
        ASSERT_OK(idelta_delta_unpack(context.get(), delta.get(), back.data(), n));
        expect_equal(back, zeros(n, n), "D");
        EXPECT_OK(idelta_delta_unpack_factors(context.get(), delta.get(), nullptr, 0, nullptr, 0));
      }
    }
  }
}

// Scaling D by a power of two scales V, and changes no other bit.
TEST_F(LowRankPackingTest, HugeAndTinyDeltas) {
  const int64_t n = 50;
  Random random(4);
  const Matrix D(n, n), scaled(n, n);
  fill_spectrum(D, falling_spectrum(n), random);
  const FactorPair f = unpacked_factors(context, pack(context, D, low_rank_options(8)));
  for (const int exponent : {100, -80, 120}) {
    for (int64_t i = 0; i < n * n; ++i) scaled.data()[i] = std::ldexp(D.data()[i], exponent);
    idelta_delta_options options = low_rank_options(8);
    options.identity_scale = 0;
    const DeltaPtr delta = pack(context, scaled, options);
    const FactorPair other = unpacked_factors(context, delta);
    ASSERT_EQ(f.U.element_bits(), other.U.element_bits()) << exponent;
    for (int64_t i = 0; i < 8; ++i) {
      for (int64_t j = 0; j < n; ++j) ASSERT_EQ(std::ldexp(f.V(i, j), exponent), other.V(i, j)) << exponent;
    }
    const double certificate = std::ldexp(info_of(context, delta).certificate, -exponent);
    EXPECT_GE(certificate, spectral_norm(dropped(D, f))) << exponent;
    EXPECT_LE(certificate, 1.02 * spectral_norm(dropped(D, f)) + 1e-5) << exponent;
    options = low_rank_options(0, std::ldexp(0.06, exponent));
    options.identity_scale = 0;
    EXPECT_EQ(8, rank_of(context, pack(context, scaled, options))) << exponent;
  }
}

// Entries near the end of fp32's range, of which no product fits: refused, or bounded truly.
TEST_F(LowRankPackingTest, FactorsBeyondFp32AreNotStoredInSilence) {
  const int64_t n = 64;
  const Matrix D(n, n);
  fill(D, [] { return 3e38f; });  // its only singular value is 64 times as large
  idelta_delta* made = nullptr;
  const idelta_delta_options options = low_rank_options(4);
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_delta_pack(context.get(), n, D.data(), n, &options, &made));
  EXPECT_NE(nullptr, std::strstr(idelta_last_error(), "low_rank")) << idelta_last_error();
  EXPECT_EQ(nullptr, made);
  idelta_delta_destroy(made);
}

// ---- By tolerance -----------------------------------------------------------------------------------------------

TEST_F(LowRankPackingTest, ByTolerancePacksFewMoreThanTheLeastRank) {
  for (const int64_t n : {4, 30, 100}) {
    for (const double ratio : {0.5, 0.8, 0.95}) {
      Random random(static_cast<uint64_t>(n));
      const Matrix D(n, n);
      const std::vector<double> sigma = falling_spectrum(n, 0.3, ratio);
      fill_spectrum(D, sigma, random);
      for (const double tolerance : {0.5, 0.2, 0.03, 1e-3, 1e-4}) {
        const auto least = std::count_if(sigma.begin(), sigma.end(), [&](double s) { return s > tolerance; });
        if (least + 3 > (n + 1) / 2) continue;
        SCOPED_TRACE("n " + std::to_string(n) + " ratio " + std::to_string(ratio) + " tolerance " +
                     std::to_string(tolerance));
        const DeltaPtr delta = pack(context, D, low_rank_options(0, tolerance));
        const idelta_delta_info_t info = info_of(context, delta);
        EXPECT_LE(largest_certificate(info), tolerance);
        EXPECT_GE(info.rank, least);
        EXPECT_LE(info.rank, least + 2);
        EXPECT_EQ(info.rank, rank_of(context, pack(context, D, low_rank_options(n, tolerance))));
      }
    }
  }
}

TEST_F(LowRankPackingTest, RankBoundsWhatToleranceMayTake) {
  const int64_t n = 40;
  Random random(5);
  const Matrix D(n, n);
  fill_spectrum(D, falling_spectrum(n), random);
  const int64_t enough = rank_of(context, pack(context, D, low_rank_options(0, 0.02)));
  EXPECT_EQ(enough, rank_of(context, pack(context, D, low_rank_options(enough, 0.02))));
  EXPECT_EQ(enough, rank_of(context, pack(context, D, low_rank_options(n, 0.02))));
  idelta_delta* made = nullptr;
  const idelta_delta_options fewer = low_rank_options(enough - 2, 0.02);
  EXPECT_EQ(IDELTA_TOLERANCE_NOT_MET, idelta_delta_pack(context.get(), n, D.data(), n, &fewer, &made));
  for (const char* word : {"tolerance = 0.02", "certificate", "low_rank"}) {
    EXPECT_NE(nullptr, std::strstr(idelta_last_error(), word)) << idelta_last_error();
  }
  EXPECT_EQ(nullptr, made);
}

// What the identity's own rounding exceeds no rank meets.
TEST_F(LowRankPackingTest, ToleranceNotMet) {
  for (const int64_t n : {1, 20, 150}) {
    Random random(6);
    const Matrix D(n, n);
    fill_delta(D, random);
    for (const double tolerance : {1e-9, 1e-300}) {
      idelta_delta* made = nullptr;
      const idelta_delta_options options = low_rank_options(0, tolerance);
      EXPECT_EQ(IDELTA_TOLERANCE_NOT_MET, idelta_delta_pack(context.get(), n, D.data(), n, &options, &made));
      EXPECT_NE(nullptr, std::strstr(idelta_last_error(), "best certificate")) << idelta_last_error();
    }
  }
  // Random numbers need more than half of the rank: only if that is asked for.
  Random random(7);
  const Matrix D(90, 90);
  fill_delta(D, random);
  idelta_delta* made = nullptr;
  const idelta_delta_options half = low_rank_options(0, 1e-2);
  EXPECT_EQ(IDELTA_TOLERANCE_NOT_MET, idelta_delta_pack(context.get(), 90, D.data(), 90, &half, &made));
  EXPECT_LE(info_of(context, pack(context, D, low_rank_options(90, 1e-2))).certificate, 1e-2);
}

// What SGEMM's worst case is does not depend on the passes that are packed.
TEST_F(LowRankPackingTest, ToleranceOfSgemmIsThatOfDForEveryPass) {
  const int64_t n = 40;
  // Large entries in the last rows, which few roundings follow, or of D^T in its last columns.
  FactorPair given{Matrix(n, 1), Matrix(1, n)};
  fill(given.U, [] { return 0.0f; });
  fill(given.V, [] { return 1.0f; });
  given.U(n - 1, 0) = 1;
  const auto limit = [&](idelta_passes passes) {
    idelta_delta_options options = low_rank_options(0, IDELTA_TOLERANCE_SGEMM);
    options.passes = passes;
    options.identity_scale = 0;
    idelta_delta* made = nullptr;
    EXPECT_EQ(IDELTA_TOLERANCE_NOT_MET,
              idelta_delta_pack_factors(context.get(), n, 1, given.U.data(), 1, given.V.data(), n, &options, &made));
    const std::string text = idelta_last_error();
    return text.substr(0, text.find("is below"));
  };
  EXPECT_EQ(limit(IDELTA_PASS_FORWARD), limit(IDELTA_PASS_BACKWARD_DATA));
  EXPECT_EQ(limit(IDELTA_PASS_FORWARD), limit(IDELTA_PASS_BOTH));
}

// ---- Given factors ----------------------------------------------------------------------------------------------

struct Given {
  const char* name;
  int64_t n, r, rank;
};

TEST_F(LowRankPackingTest, AnyFactorsArePackedAsTheirProduct) {
  constexpr Given kGiven[] = {{"any", 40, 7, 7},          {"wide", 20, 20, 20},       {"one", 1, 1, 1},
                              {"dependent", 40, 9, 5},    {"zero columns", 40, 6, 4}, {"zero rows", 40, 6, 4},
                              {"unlike sizes", 40, 5, 5}, {"cancels", 30, 4, 2},      {"all zero", 12, 3, 0}};
  for (const Given& g : kGiven) {
    SCOPED_TRACE(g.name);
    const std::string name = g.name;
    Random random(9);
    FactorPair f{Matrix(g.n, g.r, g.r + 3), Matrix(g.r, g.n, g.n + 1)};
    fill_uniform(f.U, random, 2), fill_uniform(f.V, random, 0.1f);
    for (int64_t i = 0; i < g.n; ++i) {
      for (int64_t j = 0; j < g.r; ++j) {
        if (name == "dependent" && j >= 5) f.U(i, j) = f.U(i, j - 5) - 2 * f.U(i, 4);
        if (name == "zero columns" && j % 3 == 1) f.U(i, j) = 0;
        if (name == "zero rows" && j % 3 == 1) f.V(j, i) = 0;
        if (name == "unlike sizes")
          f.U(i, j) = std::ldexp(f.U(i, j), static_cast<int>(20 * j)),
                 f.V(j, i) = std::ldexp(f.V(j, i), static_cast<int>(-20 * j));
        if (name == "cancels" && j >= 2) f.U(i, j) = f.U(i, j - 2);
        if (name == "all zero") f.U(i, j) = 0;
      }
    }
    f.U.freeze(), f.V.freeze();
    const DeltaPtr delta = pack_factors(context, f);
    EXPECT_TRUE(f.U.unchanged() && f.V.unchanged());
    const idelta_delta_info_t info = info_of(context, delta);
    EXPECT_EQ(g.rank, info.rank);
    EXPECT_EQ(IDELTA_FORMAT_LOW_RANK, info.format);
    const FactorPair packed = unpacked_factors(context, delta);
    EXPECT_LT(departure_from_orthonormal(packed.U), 1e-6);
    Dense rest = multiply(dense(f.U), dense(f.V));
    const double size = spectral_norm(rest);
    const Dense stored_product = multiply(dense(packed.U), dense(packed.V));
    for (size_t i = 0; i < rest.at.size(); ++i) rest.at[i] -= stored_product.at[i];
    EXPECT_LE(spectral_norm(rest), 1e-6 * size);
    EXPECT_LE(spectral_norm(rest), info.certificate);
    EXPECT_LE(info.certificate, 1e-6 * static_cast<double>(g.r + 8) * size + 0x1p-23);
  }
}

TEST_F(LowRankPackingTest, NoFactorsAreADeltaOfZero) {
  idelta_delta* made = nullptr;
  ASSERT_OK(idelta_delta_pack_factors(context.get(), 5, 0, nullptr, 0, nullptr, 0, nullptr, &made));
  const DeltaPtr delta(made);
  EXPECT_EQ(0, rank_of(context, delta));
  const Matrix D(5, 5);
  ASSERT_OK(idelta_delta_unpack(context.get(), delta.get(), D.data(), 5));
  expect_equal(D, zeros(5, 5), "D");
}

// ---- Repack -----------------------------------------------------------------------------------------------------

TEST_F(LowRankPackingTest, RepackGivesTheBitsOfAFreshPack) {
  const int64_t n = 33;
  Random random(10);
  const Matrix first(n, n), second(n, n);
  fill_delta(first, random), fill_delta(second, random);
  FactorPair given{Matrix(n, 6), Matrix(6, n)};
  fill_uniform(given.U, random), fill_uniform(given.V, random);
  const FactorPair expected = unpacked_factors(context, pack(context, second, low_rank_options(6)));
  for (const DeltaPtr& delta : {pack(context, first, low_rank_options(6)), pack_factors(context, given)}) {
    ASSERT_OK(idelta_delta_repack(context.get(), delta.get(), second.data(), n));
    const FactorPair f = unpacked_factors(context, delta);
    EXPECT_EQ(expected.U.element_bits(), f.U.element_bits());
    EXPECT_EQ(expected.V.element_bits(), f.V.element_bits());
  }
  const DeltaPtr bounded = pack(context, first, low_rank_options(20, 0.5));
  const FactorPair before = unpacked_factors(context, bounded);
  fill_uniform(second, random, 100), second(3, 4) = kNan;
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_delta_repack(context.get(), bounded.get(), second.data(), n));
  second(3, 4) = 1;
  EXPECT_EQ(IDELTA_TOLERANCE_NOT_MET, idelta_delta_repack(context.get(), bounded.get(), second.data(), n));
  EXPECT_EQ(before.V.element_bits(), unpacked_factors(context, bounded).V.element_bits())
      << "a refusal changes nothing";
}

}  // namespace
}  // namespace idelta_test
