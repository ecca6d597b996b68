// The certificates of LOW_RANK attacked: eps with |y^ - y|_2 <= eps |x|_2 for every row, against the D that was given.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "support/low_rank.h"
#include "support/row_errors.h"

namespace idelta_test {
namespace {

using LowRankCertificate = ContextTest;

constexpr Pass kPasses[] = {Pass::kForward, Pass::kBackwardData};

double certificate_of(const idelta_delta_info_t& info, Pass pass) {
  return pass == Pass::kForward ? info.certificate : info.certificate_backward_data;
}

constexpr int64_t kAttackers = 24;

// The leading singular vector of what is dropped, at several sizes and moved a little; spikes, signs, and the rows on
// which the factors themselves are largest.
void fill_attack(const Matrix& x, const Dense& error, const Dense& B, Random& random) {
  std::vector<double> worst, large;
  spectral_norm(error, &worst);
  const double size = spectral_norm(B, &large) < 0x1p-50 ? 0x1p60 : 1;
  const int64_t n = x.cols();
  for (int64_t i = 0; i < x.rows(); ++i) {
    const int64_t spike = random.below(n);
    for (int64_t j = 0; j < n; ++j) {
      const auto at = static_cast<size_t>(j);
      const double shapes[] = {worst[at],
                               large[at],
                               std::copysign(1.0, worst[at]),
                               std::copysign(1.0, large[at]),
                               j == spike ? 1.0 : 0.0,
                               worst[at] + 1e-3 * static_cast<double>(random.uniform(-1, 1)),
                               static_cast<double>(random.uniform(-1, 1)),
                               worst[at] + large[at]};
      const double sizes[] = {size, size * 0x1p30, size * 0x1p-20};  // whose products neither overflow nor underflow
      x(i, j) = static_cast<float>(sizes[i / 8 % 3] * shapes[i % 8]);
    }
  }
}

// Every other row becomes the worst one, moved in its last places.
void mutate_worst(const Matrix& x, const std::vector<double>& errors, Random& random) {
  const int64_t worst = std::max_element(errors.begin(), errors.end()) - errors.begin();
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = 0; i != worst && j < x.cols(); ++j) {
      const float by = i % 2 == 0 ? 0x1p-10f : 0x1p-22f;
      x(i, j) = random.below(3) != 0 ? x(worst, j) : x(worst, j) * (1.0f + random.uniform(-by, by));
    }
  }
}

// The largest share of the certificate that an attack reaches.
double attack(const ContextPtr& context, const DeltaPtr& delta, const Dense& D, Pass pass, Random& random) {
  const idelta_delta_info_t info = info_of(context, delta);
  const FactorPair f = unpacked_factors(context, delta);
  Dense rest = multiply(dense(f.U), dense(f.V));
  for (size_t i = 0; i < rest.at.size(); ++i) rest.at[i] -= D.at[i];
  const bool forward = pass == Pass::kForward;
  const Dense B = forward ? D : transpose(D);
  const Matrix x(kAttackers, D.cols);
  fill_attack(x, forward ? rest : transpose(rest), B, random);
  double worst = 0;
  for (int round = 0; round < 8; ++round) {
    const std::vector<double> errors = row_errors(context, delta, x, B, info.identity_scale, pass);
    worst = std::max(worst, *std::max_element(errors.begin(), errors.end()));
    mutate_worst(x, errors, random);
  }
  return worst / certificate_of(info, pass);
}

int64_t width() { return reduced() ? 60 : 130; }

TEST_F(LowRankCertificate, HoldsAndIsTightWhereTruncationDominates) {
  const int64_t n = width();
  for (const double ratio : {0.8, 0.95, 1.0}) {
    Random random(1);
    const Matrix D(n, n);
    fill_spectrum(D, falling_spectrum(n, 0.3, ratio), random);
    for (const int64_t rank : {0, 1, 8, 20}) {
      const DeltaPtr delta =
          rank == 0 ? pack(context, D, low_rank_options(0, 0.31)) : pack(context, D, low_rank_options(rank));
      for (const Pass pass : kPasses) {
        const double share = attack(context, delta, dense(D), pass, random);
        const std::string name = "ratio " + std::to_string(ratio) + " rank " + std::to_string(rank) +
                                 (pass == Pass::kForward ? " forward" : " backward");
        EXPECT_LE(share, 1) << name;
        EXPECT_GE(share, 0.9) << name;
        RecordProperty(name, std::to_string(share));
      }
    }
  }
}

// Nothing is dropped: roundings alone, of every scale of the identity and of any size of D.
TEST_F(LowRankCertificate, HoldsWhereRoundingDominates) {
  for (const int64_t n : {int64_t{1}, int64_t{2}, int64_t{3}, int64_t{17}, width()}) {
    for (const float a : kIdentityScales) {
      for (const float size : {0.05f, 3.0f, 0x1p80f, 0x1p-60f, 0x1p-100f}) {
        Random random(2);
        const Matrix D(n, n);
        fill_uniform(D, random, size);
        idelta_delta_options options = low_rank_options(n);
        options.identity_scale = a;
        const DeltaPtr delta = pack(context, D, options);
        for (const Pass pass : kPasses) {
          ASSERT_LE(attack(context, delta, dense(D), pass, random), 1) << "n " << n << " a " << a << " size " << size;
        }
      }
    }
  }
}

TEST_F(LowRankCertificate, HoldsForGivenFactors) {
  const int64_t n = width();
  for (const int64_t r : {1, 5, 20}) {
    for (const int step : {0, 3, 20}) {
      Random random(3);
      const FactorPair f = unlike_factors(n, r, step, random);
      const DeltaPtr delta = pack_factors(context, f);
      const Dense D = multiply(dense(f.U), dense(f.V));
      for (const Pass pass : kPasses) {
        ASSERT_LE(attack(context, delta, D, pass, random), 1) << "r " << r << " step " << step;
      }
    }
  }
}

TEST_F(LowRankCertificate, HoldsForPacksByTolerance) {
  const int64_t n = width();
  Random random(4);
  const Matrix D(n, n);
  fill_spectrum(D, falling_spectrum(n), random);
  for (const double tolerance : {0.1, 0.01, 1e-3}) {
    const DeltaPtr delta = pack(context, D, low_rank_options(0, tolerance));
    for (const Pass pass : kPasses) {
      EXPECT_LE(certificate_of(info_of(context, delta), pass), tolerance);
      EXPECT_LE(attack(context, delta, dense(D), pass, random), 1) << tolerance;
    }
  }
}

// A second singular value that counts as zero, in rows that few roundings follow: what is dropped is most of the error.
TEST_F(LowRankCertificate, CountsWhatTheNumericalRankDrops) {
  const int64_t n = width();
  Random random(5);
  FactorPair f{Matrix(n, 2), Matrix(2, n)};
  fill(f.U, [] { return 0.0f; }), fill(f.V, [] { return 0.0f; });
  f.U(n - 1, 0) = f.V(0, 0) = f.V(1, 1) = 1;
  f.U(n - 2, 1) = 0.8f * static_cast<float>(n) * 0x1p-24f;
  const Dense D = multiply(dense(f.U), dense(f.V));
  const Matrix rounded(n, n);
  for (int64_t i = 0; i < n * n; ++i) rounded.data()[i] = static_cast<float>(D.at[static_cast<size_t>(i)]);
  for (const DeltaPtr& delta : {pack_factors(context, f), pack(context, rounded, low_rank_options(n))}) {
    ASSERT_EQ(1, info_of(context, delta).rank);
    for (const Pass pass : kPasses) {
      const double share = attack(context, delta, D, pass, random);
      EXPECT_LE(share, 1);
      EXPECT_GE(share, 0.1);
    }
  }
}

// D - U V is below the range of fp32 where D is not: packing must not measure it as zero.
TEST_F(LowRankCertificate, CountsWhatIsDroppedBelowTheRangeOfFp32) {
  const int64_t n = 33;
  Random random(6);
  const Matrix D(n, n);
  fill(D, [&] { return std::ldexp(1.0f + (random.below(2) == 0 ? 0x1p-10f : 0.0f), -120); });
  idelta_delta_options options = low_rank_options(1);
  options.identity_scale = 0;
  const DeltaPtr delta = pack(context, D, options);
  for (const Pass pass : kPasses) EXPECT_LE(attack(context, delta, dense(D), pass, random), 1);
}

}  // namespace
}  // namespace idelta_test
