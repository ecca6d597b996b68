// Factors that are measured against a D once, kept, and packed again without it.
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "support/low_rank.h"

namespace idelta_test {
namespace {

constexpr int64_t n = 40;

class LowRankMeasured : public ContextTest {
 protected:
  LowRankMeasured() {
    Random random(3);
    fill_spectrum(D, falling_spectrum(n), random);
  }
  const Matrix D{n, n};
};

FactorPair first_of(const FactorPair& f, int64_t rank) {
  FactorPair part{Matrix(f.U.rows(), rank, rank + 1), Matrix(rank, f.V.cols(), f.V.cols() + 2)};
  for (int64_t i = 0; i < f.U.rows(); ++i) {
    for (int64_t j = 0; j < rank; ++j) part.U(i, j) = f.U(i, j);
  }
  for (int64_t i = 0; i < rank; ++i) {
    for (int64_t j = 0; j < f.V.cols(); ++j) part.V(i, j) = f.V(i, j);
  }
  return part;
}

idelta_low_rank_proof measured(const ContextPtr& context, const Matrix& D, const FactorPair& f) {
  idelta_low_rank_proof proof = IDELTA_LOW_RANK_PROOF_INIT;
  EXPECT_OK(idelta_low_rank_measure(context.get(), n, D.data(), D.ld(), f.V.rows(), f.U.data(), f.U.ld(), f.V.data(),
                                    f.V.ld(), nullptr, &proof));
  return proof;
}

DeltaPtr packed(const ContextPtr& context, const FactorPair& f, const idelta_low_rank_proof& proof,
                const idelta_delta_options& options = low_rank_options(0)) {
  idelta_delta* delta = nullptr;
  EXPECT_OK(idelta_delta_pack_measured(context.get(), n, f.V.rows(), f.U.data(), f.U.ld(), f.V.data(), f.V.ld(),
                                       nullptr, &proof, &options, &delta));
  return DeltaPtr(delta);
}

struct Result {
  std::vector<float> y, errors;
};

Result forward(const ContextPtr& context, const DeltaPtr& delta, const Matrix& x) {
  Result result{std::vector<float>(static_cast<size_t>(x.rows() * n)),
                std::vector<float>(static_cast<size_t>(x.rows()))};
  idelta_forward_args args = IDELTA_FORWARD_ARGS_INIT;
  args.m = x.rows(), args.x = x.data(), args.ldx = x.ld(), args.y = result.y.data(), args.ldy = n;
  args.row_error = result.errors.data();
  EXPECT_OK(idelta_forward(context.get(), delta.get(), &args));
  return result;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// What packing D at a rank gives, and what its factors give once they have been to a file and back.
TEST_F(LowRankMeasured, FactorsComeBackAsTheyWerePacked) {
  Random random(4);
  const Matrix x(5, n);
  fill_uniform(x, random);
  for (const int64_t rank : {1, 7, 16, 40}) {
    const DeltaPtr from_D = pack(context, D, low_rank_options(rank));
    const FactorPair f = unpacked_factors(context, from_D);
    const DeltaPtr again = packed(context, f, measured(context, D, f));
    const Result first = forward(context, from_D, x), second = forward(context, again, x);
    EXPECT_TRUE(same_bits(first.y, second.y)) << rank;
    EXPECT_TRUE(same_bits(first.errors, second.errors)) << rank;
    const idelta_delta_info_t a = info_of(context, from_D), b = info_of(context, again);
    EXPECT_EQ(a.certificate, b.certificate);
    EXPECT_EQ(a.certificate_backward_data, b.certificate_backward_data);
    EXPECT_EQ(a.rank, b.rank);
  }
}

// The first columns of U and rows of V: errors against D hold, and the certificate is near what truncation drops.
TEST_F(LowRankMeasured, PrefixesAreDeltasOfLowerRank) {
  Random random(5);
  const Matrix x(20, n);
  fill_uniform(x, random);
  const FactorPair f = unpacked_factors(context, pack(context, D, low_rank_options(30)));
  for (const int64_t rank : {0, 1, 8, 20, 30}) {
    const FactorPair part = first_of(f, rank);
    const idelta_low_rank_proof proof = measured(context, D, part);
    const double exact = spectral_norm(dropped(D, part));
    EXPECT_GE(proof.dropped, exact * (1 - 1e-9)) << rank;
    EXPECT_LE(proof.dropped, 1.01 * exact + 1e-5) << rank;
    EXPECT_LT(proof.departure, 1e-5) << rank;
    EXPECT_LT(proof.overlap, 1e-4) << rank;
    const Dense reverse = multiply(dense(part.V), transpose(dropped(D, part)));
    EXPECT_GE(proof.reverse_overlap, spectral_norm(reverse) * (1 - 1e-9)) << rank;
    EXPECT_LT(proof.reverse_overlap, 1e-4) << rank;
    const DeltaPtr delta = packed(context, part, proof);
    const Result result = forward(context, delta, x);
    for (int64_t i = 0; i < x.rows(); ++i) {
      double squares = 0;
      for (int64_t j = 0; j < n; ++j) {
        double exact_z = static_cast<double>(x(i, j));
        for (int64_t k = 0; k < n; ++k) exact_z += static_cast<double>(x(i, k)) * static_cast<double>(D(k, j));
        squares += std::pow(static_cast<double>(result.y[static_cast<size_t>(i * n + j)]) - exact_z, 2);
      }
      EXPECT_LE(std::sqrt(squares), static_cast<double>(result.errors[static_cast<size_t>(i)])) << rank;
    }
  }
}

// U is taken as it is: what it lacks of orthonormal columns is in the proof, and the bound still holds.
TEST_F(LowRankMeasured, AskewFactorsHaveAProofToo) {
  FactorPair f = unpacked_factors(context, pack(context, D, low_rank_options(8)));
  for (int64_t i = 0; i < n; ++i) f.U(i, 3) = 0.5f * f.U(i, 2) + 0.9f * f.U(i, 3);
  const idelta_low_rank_proof proof = measured(context, D, f);
  EXPECT_GT(proof.departure, 0.3);
  EXPECT_GE(proof.dropped, spectral_norm(dropped(D, f)) * (1 - 1e-9));
  const double reverse = spectral_norm(multiply(dense(f.V), transpose(dropped(D, f))));
  EXPECT_GT(reverse, 1e-3);
  EXPECT_GE(proof.reverse_overlap, reverse * (1 - 1e-9));
  EXPECT_LE(proof.reverse_overlap, reverse * 1.02);
  const FactorPair back = unpacked_factors(context, packed(context, f, proof));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < 8; ++j) ASSERT_EQ(f.U(i, j), back.U(i, j));
  }
}

TEST_F(LowRankMeasured, ToleranceIsHeeded) {
  const FactorPair f = unpacked_factors(context, pack(context, D, low_rank_options(4)));
  const idelta_low_rank_proof proof = measured(context, D, f);
  const idelta_delta_options within = low_rank_options(0, 1.1 * proof.dropped),
                             below = low_rank_options(0, 0.9 * proof.dropped);
  EXPECT_TRUE(packed(context, f, proof, within));
  idelta_delta* made = nullptr;
  EXPECT_EQ(IDELTA_TOLERANCE_NOT_MET, idelta_delta_pack_measured(context.get(), n, 4, f.U.data(), f.U.ld(), f.V.data(),
                                                                 f.V.ld(), nullptr, &proof, &below, &made));
  EXPECT_EQ(nullptr, made);
}

TEST_F(LowRankMeasured, WhatIsNoProofIsRefused) {
  const FactorPair f = unpacked_factors(context, pack(context, D, low_rank_options(4)));
  const idelta_low_rank_proof good = measured(context, D, f);
  const auto refused = [&](const idelta_low_rank_proof& proof, const idelta_delta_options& options, const char* part) {
    idelta_delta* made = nullptr;
    EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_delta_pack_measured(context.get(), n, 4, f.U.data(), f.U.ld(), f.V.data(),
                                                                  f.V.ld(), nullptr, &proof, &options, &made));
    EXPECT_NE(nullptr, std::strstr(idelta_last_error(), part)) << idelta_last_error();
    EXPECT_EQ(nullptr, made);
  };
  const idelta_delta_options options = low_rank_options(0);
  for (const double bad : {-1.0, std::numeric_limits<double>::infinity(), std::nan("")}) {
    idelta_low_rank_proof proof = good;
    proof.dropped = bad, refused(proof, options, "proof.dropped"), proof = good;
    proof.departure = bad, refused(proof, options, "proof.departure"), proof = good;
    proof.overlap = bad, refused(proof, options, "proof.overlap"), proof = good;
    proof.reverse_overlap = bad, refused(proof, options, "proof.reverse_overlap");
  }
  idelta_delta_options transposed = options;
  transposed.transposed = 1;
  refused(good, transposed, "transposed");
  refused(good, low_rank_options(3), "rank = 3");
  f.V(2, 5) = std::nanf("");
  refused(good, options, "V[2, 5]");
  idelta_low_rank_proof proof = good;
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_low_rank_measure(context.get(), n, D.data(), D.ld(), 4, f.U.data(),
                                                             f.U.ld(), f.V.data(), f.V.ld(), nullptr, &proof));
  EXPECT_NE(nullptr, std::strstr(idelta_last_error(), "V[2, 5]")) << idelta_last_error();
  EXPECT_EQ(good.dropped, proof.dropped);
}

}  // namespace
}  // namespace idelta_test
