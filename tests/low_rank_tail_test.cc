// LOW_RANK with a tail in INT8: certificates and row errors attacked; the rank that a tolerance takes; and tails that
// are kept and packed again.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "support/int8.h"
#include "support/row_bounds.h"

namespace idelta_test {
namespace {

class LowRankTail : public ContextTest {};

// ---- Errors --------------------------------------------------------------------------------------------------------

// D~ without roundings of its own, and what of it is the tail.
struct Stored {
  Dense all, tail;
};
Stored stored_in(const ContextPtr& context, const DeltaPtr& delta) {
  const FactorPair f = unpacked_factors(context, delta);
  Stored stored{multiply(dense(f.U), dense(f.V)), unpacked_integers(context, delta).product()};
  for (size_t i = 0; i < stored.all.at.size(); ++i) stored.all.at[i] += stored.tail.at[i];
  return stored;
}

// backward_data is attacked by what forward stores, which is nearly the same.
Shares attack(const ContextPtr& context, const DeltaPtr& delta, const Matrix& D, Pass pass) {
  const Stored stored = stored_in(context, delta);
  if (pass == Pass::kForward) return attack_by_ties(context, delta, D, pass, stored.tail, stored.all);
  return attack_by_ties(context, delta, D, pass, transpose(stored.tail), transpose(stored.all));
}

TEST_F(LowRankTail, BoundsHoldAndAreNearWhatAttacksReach) {
  const int64_t n = reduced() ? 96 : 200;
  for (const double ratio : {0.8, 0.95}) {
    const Matrix D = trained(n, 6, ratio);
    for (const int64_t rank : {0, 4, 16}) {
      for (const float a : {1.0f, 0.0f}) {
        const DeltaPtr delta = pack(context, D, tail_options(rank, 0, a));
        for (const Pass pass : {Pass::kForward, Pass::kBackwardData}) {
          const Shares shares = attack(context, delta, D, pass);
          const std::string name = "ratio " + std::to_string(ratio) + " rank " + std::to_string(rank) +
                                   (pass == Pass::kForward ? " forward" : " backward");
          EXPECT_LE(shares.most(), 1) << name;
          EXPECT_GE(shares.parts, 0.4) << name;
          EXPECT_TRUE(pass == Pass::kBackwardData || shares.row >= 0.3) << name << ' ' << shares.row;
          RecordProperty(name, std::to_string(shares.whole) + " " + std::to_string(shares.parts) + " " +
                                   std::to_string(shares.row));
        }
      }
    }
  }
}

TEST_F(LowRankTail, BoundsHoldWhereRoundingDominates) {
  for (const int64_t n : {1, 2, 3, 17, 60}) {
    for (const float size : {0.05f, 3.0f, 0x1p60f, 0x1p-60f}) {
      for (const float a : kIdentityScales) {
        Random random(7);
        const Matrix D(n, n), x(36, n), bias(1, n);
        fill_uniform(D, random, size), fill_unlike_rows(x, random), fill_uniform(bias, random, size);
        for (const int64_t rank : {int64_t{0}, (n + 1) / 2, n}) {
          const DeltaPtr delta = pack(context, D, tail_options(rank, 0, a));
          for (const Pass pass : {Pass::kForward, Pass::kBackwardData}) {
            const Shares shares = attack(context, delta, D, pass);
            ASSERT_LE(shares.most(), 1) << "n " << n << " rank " << rank << " D " << size << " a " << a;
          }
          if (size > 100) continue;
          expect_bounded(bounded_rows(context, delta, x, dense(D), a), "unlike rows");
          expect_bounded(bounded_rows(context, delta, x, dense(D), a, &bias), "unlike rows with a bias");
        }
      }
    }
  }
}

double frobenius(const Dense& A) {
  double squares = 0;
  for (const double a : A.at) squares += a * a;
  return std::sqrt(squares);
}

// All that is left of U^T E, E = D - R~ - U V, where V was made of D - R~: what U lacks of orthonormal columns, and
// roundings: of V, D - R~ and R~ once, and what the proof pays for those of E and of U^T E.
double roundings_of_overlap(const FactorPair& f, const Stored& stored, const idelta_low_rank_proof& proof) {
  const auto n = static_cast<double>(f.U.rows()), rank = static_cast<double>(f.U.cols());
  const Dense V = dense(f.V);
  const double once = 2 * frobenius(V) + frobenius(stored.tail);
  const double of_E = (rank + 3) * frobenius(V) + frobenius(stored.tail) + 5 * proof.dropped;
  const double of_product = (n + 2) * std::sqrt(rank) * proof.dropped;
  return 1.02 * (proof.departure * spectral_norm(V) + kUnit * (once + of_E + of_product));
}

// V is made of what the tail leaves, so that U reaches nothing of the rest; and the tail holds nearly all of it.
TEST_F(LowRankTail, TheRestIsSmallAndOutOfReach) {
  const int64_t n = 100;
  const Matrix D = trained(n);
  for (const int64_t rank : {0, 8, 30}) {
    const DeltaPtr delta = pack(context, D, tail_options(rank));
    const FactorPair f = unpacked_factors(context, delta);
    const Integers integers = unpacked_integers(context, delta);
    const idelta_int8_tail tail = integers.tail();
    idelta_low_rank_proof proof = IDELTA_LOW_RANK_PROOF_INIT;
    ASSERT_OK(idelta_low_rank_measure(context.get(), n, D.data(), n, rank, f.U.data(), f.U.ld(), f.V.data(), f.V.ld(),
                                      &tail, &proof));
    const Stored stored = stored_in(context, delta);
    Dense rest = dense(D);
    for (size_t i = 0; i < rest.at.size(); ++i) rest.at[i] -= stored.all.at[i];
    EXPECT_GE(proof.dropped, spectral_norm(rest) * (1 - 1e-9));
    EXPECT_LE(proof.dropped, spectral_norm(rest) * 1.02 + 1e-7);
    EXPECT_GE(proof.tail, spectral_norm(stored.tail) * (1 - 1e-9));
    EXPECT_LE(proof.tail, spectral_norm(stored.tail) * 1.02);
    EXPECT_LE(proof.dropped, 0.1 * proof.tail);
    EXPECT_LE(proof.overlap, roundings_of_overlap(f, stored, proof)) << rank;
    EXPECT_GE(proof.overlap, spectral_norm(multiply(transpose(dense(f.U)), rest)) * (1 - 1e-9));
  }
}

// Of rows that U spans next to nothing is dropped, and their bound knows it by their t.
TEST_F(LowRankTail, RowsThatTheFactorsSpanFearTheIntegersAlone) {
  const int64_t n = 100, rank = 8;
  const Matrix D = trained(n);
  const DeltaPtr delta = pack(context, D, tail_options(rank));
  const Stored stored = stored_in(context, delta);
  Dense rest = dense(D);
  for (size_t i = 0; i < rest.at.size(); ++i) rest.at[i] -= stored.all.at[i];
  const Matrix U = unpacked_factors(context, delta).U, x(rank, n);
  for (int64_t i = 0; i < rank; ++i) {
    for (int64_t j = 0; j < n; ++j) x(i, j) = U(j, i);
  }
  const BoundedRows rows = bounded_rows(context, delta, x, dense(D), 1);
  expect_bounded(rows, "rows of U");
  for (int64_t i = 0; i < rank; ++i) {
    float largest = 0;
    for (int64_t j = 0; j < n; ++j) largest = std::max(largest, std::fabs(x(i, j)));
    const double of_integers = static_cast<double>(largest) / 254 * std::sqrt(n) * spectral_norm(stored.tail);
    EXPECT_LE(rows.bounds[static_cast<size_t>(i)], of_integers + 0.02 * spectral_norm(rest) + 1e-6) << i;
  }
}

// ---- By tolerance --------------------------------------------------------------------------------------------------

TEST_F(LowRankTail, ByToleranceTakesTheLeastRankThatIsTried) {
  const int64_t n = 100;
  const Matrix D = trained(n, 8, 0.8);
  for (const double tolerance : {0.1, 0.01, 1e-3, 1e-4}) {
    const DeltaPtr delta = pack(context, D, tail_options(0, tolerance));
    const idelta_delta_info_t info = info_of(context, delta);
    EXPECT_LE(std::max(info.certificate, info.certificate_backward_data), tolerance);
    EXPECT_LT(info.rank, info_of(context, pack(context, D, low_rank_options(0, tolerance))).rank);
    if (info.rank == 0) continue;
    int64_t before = info.rank - 1;  // the last rank that was tried: larger ones are tried in larger steps
    while (before + 1 + before / 16 > info.rank) --before;
    const idelta_delta_info_t less = info_of(context, pack(context, D, tail_options(before)));
    EXPECT_GT(std::max(less.certificate, less.certificate_backward_data), tolerance) << info.rank;
  }
  EXPECT_EQ(0, info_of(context, pack(context, D, tail_options(0, 0.1))).rank);
  idelta_delta* made = nullptr;
  const idelta_delta_options none = tail_options(0, 1e-9);
  EXPECT_EQ(IDELTA_TOLERANCE_NOT_MET, idelta_delta_pack(context.get(), n, D.data(), n, &none, &made));
}

// ---- Kept and packed again -----------------------------------------------------------------------------------------

TEST_F(LowRankTail, ComesBackAsItWasPacked) {
  const int64_t n = 90, m = 12;
  Random random(9);
  const Matrix D = trained(n), x(m, n), y(m, n), dx(m, n), errors(1, m);
  fill_uniform(x, random);
  const auto bits_of = [&](const DeltaPtr& delta) {
    idelta_forward_args args = forward_args(x, y);
    args.row_error = errors.data();
    EXPECT_OK(idelta_forward(context.get(), delta.get(), &args));
    return Bits{{"y", y.element_bits()}, {"row_error", errors.element_bits()}};
  };
  for (const int64_t rank : {0, 1, 20}) {
    const DeltaPtr from_D = pack(context, D, tail_options(rank));
    const FactorPair f = unpacked_factors(context, from_D);
    const Integers integers = unpacked_integers(context, from_D);
    const idelta_int8_tail tail = integers.tail();
    idelta_low_rank_proof proof = IDELTA_LOW_RANK_PROOF_INIT;
    ASSERT_OK(idelta_low_rank_measure(context.get(), n, D.data(), n, rank, f.U.data(), f.U.ld(), f.V.data(), f.V.ld(),
                                      &tail, &proof));
    for (const idelta_passes passes : {IDELTA_PASS_FORWARD, IDELTA_PASS_BACKWARD_DATA, IDELTA_PASS_BOTH}) {
      idelta_delta_options options = low_rank_options(0);
      options.passes = passes;
      idelta_delta* made = nullptr;
      ASSERT_OK(idelta_delta_pack_measured(context.get(), n, rank, f.U.data(), f.U.ld(), f.V.data(), f.V.ld(), &tail,
                                           &proof, &options, &made));
      const DeltaPtr again(made);
      const idelta_delta_info_t one = info_of(context, from_D), other = info_of(context, again);
      EXPECT_EQ(IDELTA_TAIL_INT8, other.tail);
      if ((passes & IDELTA_PASS_FORWARD) != 0) {
        expect_same_bits(bits_of(from_D), bits_of(again));
        EXPECT_EQ(one.certificate, other.certificate);
        EXPECT_EQ(one.certificate_inf, other.certificate_inf);
        EXPECT_EQ(integers.q, unpacked_integers(context, again).q);
      }
      EXPECT_TRUE(passes != IDELTA_PASS_BOTH || attack(context, again, D, Pass::kBackwardData).parts <= 1);
      if (passes == IDELTA_PASS_BACKWARD_DATA) {
        EXPECT_LE(one.certificate_backward_data, 1.01 * other.certificate_backward_data);
        const Matrix stored(n, n);
        ASSERT_OK(idelta_delta_unpack(context.get(), again.get(), stored.data(), stored.ld()));
        Dense rest = dense(D);  // which the tail's second rounding makes larger than proof.dropped
        for (int64_t i = 0; i < n; ++i) {
          for (int64_t j = 0; j < n; ++j) rest(i, j) -= static_cast<double>(stored(i, j));
        }
        EXPECT_GT(spectral_norm(rest), 1.1 * proof.dropped);
        EXPECT_LE(spectral_norm(rest), other.certificate_backward_data - other.certificate_inf_backward_data);
      }
    }
  }
}

TEST_F(LowRankTail, ARepackHasATailToo) {
  const int64_t n = 60, m = 5;
  Random random(10);
  const Matrix D = trained(n), second = trained(n, 11), x(m, n), y(m, n), other(m, n);
  fill_uniform(x, random);
  for (const int64_t rank : {0, 9}) {
    const DeltaPtr delta = pack(context, D, tail_options(rank)), fresh = pack(context, second, tail_options(rank));
    ASSERT_OK(idelta_delta_repack(context.get(), delta.get(), second.data(), n));
    const idelta_forward_args args = forward_args(x, y), others = forward_args(x, other);
    ASSERT_OK(idelta_forward(context.get(), delta.get(), &args));
    ASSERT_OK(idelta_forward(context.get(), fresh.get(), &others));
    EXPECT_EQ(y.element_bits(), other.element_bits());
    EXPECT_EQ(info_of(context, fresh).certificate, info_of(context, delta).certificate);
  }
}

}  // namespace
}  // namespace idelta_test
