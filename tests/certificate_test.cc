// The certificate of a packed delta against rows made to break it: eps with |y^ - y|_2 <= eps |x|_2 for every row.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "support/fixture.h"
#include "support/reference.h"
#include "support/row_errors.h"

namespace idelta_test {
namespace {

using CertificateTest = ContextTest;

// Against the D that was given, not the one that is stored.
std::vector<double> row_errors(const ContextPtr& context, const DeltaPtr& delta, const Matrix& x, const Matrix& D,
                               float identity_scale, Pass pass = Pass::kForward) {
  const Dense B = pass == Pass::kForward ? dense(D) : transpose(dense(D));
  return idelta_test::row_errors(context, delta, x, B, identity_scale, pass);
}

double largest(const std::vector<double>& values) { return *std::max_element(values.begin(), values.end()); }

// The left singular vector of A's largest singular value, by power iteration.
std::vector<double> leading_row(const Dense& A) {
  const Dense gram = multiply(A, transpose(A));
  Dense v = zeros(1, A.rows);
  Random random(11);
  for (double& value : v.at) value = static_cast<double>(random.uniform(-1, 1));
  for (int step = 0; step < 60; ++step) {
    v = multiply(v, gram);
    double norm = 0;
    for (const double value : v.at) norm += value * value;
    for (double& value : v.at) value /= norm > 0 ? std::sqrt(norm) : 1;
  }
  return v.at;
}

// Rows a certificate is likeliest to fail on: all signs, one entry, the Perron vector of |D| (where |x||D| is
// largest), values of full mantissas, and the same very large and very small.
void fill_adversaries(const Matrix& x, const Matrix& D, Random& random) {
  const int64_t n = D.cols();
  const Dense absolute = multiply(magnitude(dense(D)), transpose(magnitude(dense(D))));
  Dense perron = zeros(1, n);
  for (double& value : perron.at) value = 1;
  for (int step = 0; step < 30; ++step) {
    perron = multiply(perron, absolute);
    double norm = 0;
    for (const double value : perron.at) norm += value * value;
    for (double& value : perron.at) value /= norm > 0 ? std::sqrt(norm) : 1;
  }
  constexpr float kRanges[] = {1.0f, 0x1p60f, 0x1p-40f};
  for (int64_t i = 0; i < x.rows(); ++i) {
    const float range = kRanges[(i / 5) % 3] * random.uniform(1.0f, 2.0f);
    const int64_t spike = random.below(n);
    for (int64_t j = 0; j < n; ++j) {
      const float sign = random.below(2) == 0 ? 1.0f : -1.0f;
      const float shapes[] = {sign, j == spike ? 1.0f : 0.0f, static_cast<float>(perron(0, j)),
                              sign * static_cast<float>(perron(0, j)), random.uniform(-1.0f, 1.0f)};
      x(i, j) = range * shapes[i % 5];
    }
  }
}

// Every round keeps the worst row and mutates it into all others.
void mutate_worst(const Matrix& x, const std::vector<double>& errors, Random& random) {
  int64_t worst = 0;
  for (int64_t i = 0; i < x.rows(); ++i) {
    if (errors[static_cast<size_t>(i)] > errors[static_cast<size_t>(worst)]) worst = i;
  }
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = 0; i != worst && j < x.cols(); ++j) {
      const bool keep = random.below(3) != 0;
      x(i, j) = keep ? x(worst, j) : x(worst, j) * (1.0f + random.uniform(-0x1p-10f, 0x1p-10f));
    }
  }
}

TEST_F(CertificateTest, HoldsAgainstAdversarialRows) {
  for (const int64_t n : {1, 2, 3, 8, 33, reduced() ? 65 : 200}) {
    for (const float identity_scale : kIdentityScales) {
      for (const float size : {0.05f, 3.0f}) {
        Random random(static_cast<uint64_t>(n));
        const Matrix D(n, n), x(60, n);
        fill_uniform(D, random, size);
        const DeltaPtr delta = pack(context, D, delta_options(identity_scale));
        const idelta_delta_info_t info = info_of(context, delta);
        const double certificate = info.certificate;
        fill_adversaries(x, D, random);
        double worst = 0;
        for (int round = 0; round < 12; ++round) {
          const std::vector<double> errors = row_errors(context, delta, x, D, identity_scale);
          for (const double error : errors) worst = std::max(worst, error);
          mutate_worst(x, errors, random);
        }
        ASSERT_LE(worst, certificate) << "n " << n << " a " << identity_scale << " |D_ij| <= " << size;
        // The attack must come near, or it proves nothing: rounding errors add like sqrt(n), the bound like n.
        // As an integer the only entry of a row is exact, whatever the bound of larger rows allows for it.
        const double reachable = n == 1 ? certificate - info.certificate_inf : certificate;
        ASSERT_GT(worst, reachable / (200 * std::sqrt(static_cast<double>(n)))) << "n " << n;
      }
    }
  }
}

// D as a network learns it: a few directions that matter and a floor of noise.
void fill_trained(const Matrix& D, Random& random) {
  const int64_t n = D.cols();
  const Matrix U(n, 6), V(6, n);
  fill_uniform(U, random, 1 / std::sqrt(static_cast<float>(n))), fill_uniform(V, random);
  const Dense product = multiply(dense(U), dense(V));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) D(i, j) = 0.02f * static_cast<float>(product(i, j)) + random.uniform(-1e-4f, 1e-4f);
  }
}

// Rows that meet what a format drops head on: the leading singular vector of D - D~; and, where x is rounded, one
// whose own rounding is the leading singular vector of D~, by powers of two, each entry just below a tie: of its first
// bf16 number, or of the second; of integers, by its signs.
void fill_attack(const Matrix& x, const Matrix& D, Pass pass) {
  const Dense kept = pass == Pass::kForward ? stored(D) : stored(transpose(dense(D)));
  Dense dropped = pass == Pass::kForward ? dense(D) : transpose(dense(D));
  for (size_t i = 0; i < dropped.at.size(); ++i) dropped.at[i] -= kept.at[i];
  const std::vector<double> of_error = leading_row(dropped), of_kept = leading_row(kept);
  const double above_a_power = forced_format().format == IDELTA_FORMAT_BF16X3 ? 0x1p-9 + 0x1.f8p-18 : 0x1.fep-9;
  for (int64_t j = 0; j < x.cols(); ++j) {
    const double e = of_error[static_cast<size_t>(j)], k = of_kept[static_cast<size_t>(j)];
    const double below_a_tie =
        k == 0 ? 0 : std::copysign(std::exp2(std::round(std::log2(std::abs(k)))), k) * (1 + above_a_power);
    x(0, j) = static_cast<float>(e);
    x(1, j) = static_cast<float>(below_a_tie);
    x(2, j) = static_cast<float>(below_a_tie + e * 0x1p-9);
    if (stores_int8()) x(1, j) = j == 0 ? 127 : static_cast<float>(std::copysign(0.499, k));  // all below one tie
    x(3, j) = static_cast<float>(e) * 0x1p70f;
    x(4, j) = static_cast<float>(e) * 0x1p-50f;
  }
}

// Of a reduced format the certificate is no loose bound: rows exist that come within a factor of ten, here of trained
// and of random deltas, and in both passes.
TEST_F(CertificateTest, IsTightAndHoldsAgainstSingularVectors) {
  if (stores_f32()) GTEST_SKIP() << "nothing is dropped";
  const int64_t n = reduced() ? 96 : 320;
  for (const bool trained : {true, false}) {
    Random random(5);
    const Matrix D(n, n), x(5, n);
    trained ? fill_trained(D, random) : fill_delta(D, random);
    const DeltaPtr delta = pack(context, D);
    const idelta_delta_info_t info = info_of(context, delta);
    for (const Pass pass : {Pass::kForward, Pass::kBackwardData}) {
      fill_attack(x, D, pass);
      const double worst = largest(row_errors(context, delta, x, D, 1.0f, pass));
      const double certificate = pass == Pass::kForward ? info.certificate : info.certificate_backward_data;
      EXPECT_LE(worst, certificate);
      EXPECT_GT(worst, 0.1 * certificate) << (trained ? "trained" : "random");
      RecordProperty(std::string(trained ? "trained" : "random") + (pass == Pass::kForward ? " forward" : " backward"),
                     std::to_string(worst / certificate));
    }
  }
}

// An update does not measure, and must not leave the certificate of the D before it.
TEST_F(CertificateTest, HoldsAfterAnUpdate) {
  if (stores_int8()) GTEST_SKIP() << "cannot be stepped";
  const int64_t n = 70;
  Random random(6);
  const Matrix D(n, n), x(5, n), dz(5, n);
  fill_delta(D, random), fill_uniform(x, random), fill_uniform(dz, random);
  const DeltaPtr delta = pack(context, D);
  const double before = info_of(context, delta).certificate;
  idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  optimizer.learning_rate = 10;
  const idelta_update_args args = update_args(x, dz, optimizer, D);
  ASSERT_OK(idelta_update(context.get(), delta.get(), &args));
  const double after = info_of(context, delta).certificate;
  EXPECT_GT(after, 2 * before);  // D is much larger now
  if (!stores_f32()) fill_attack(x, D, Pass::kForward);
  EXPECT_LE(largest(row_errors(context, delta, x, D, 1.0f)), after);
  ASSERT_OK(idelta_delta_repack(context.get(), delta.get(), D.data(), n));
  EXPECT_LE(info_of(context, delta).certificate, after);
}

// F32: from the norm of |D| weighted by the roundings that are still to come, so between that of a single rounding and
// the plain Frobenius bound.
TEST_F(CertificateTest, OfF32LiesBelowTheFrobeniusBound) {
  if (!stores_f32()) GTEST_SKIP() << "F32 only";
  for (const int64_t n : {1, 7, 64, 150}) {
    for (const float identity_scale : kIdentityScales) {
      Random random(7);
      const Matrix D(n, n);
      fill_delta(D, random);
      const idelta_delta_info_t info = info_of(context, pack(context, D, delta_options(identity_scale)));
      const double last = kUnit * std::abs(static_cast<double>(identity_scale));
      const double frobenius = kUnit * static_cast<double>(n + 2) * info.norm_frobenius;
      for (const double certificate : {info.certificate, info.certificate_backward_data}) {
        EXPECT_GT(certificate, kUnit * info.norm_max + last) << "n " << n << " a " << identity_scale;
        // Weights fall from n to 1.
        EXPECT_LT(certificate - last, (n >= 64 ? 0.7 : 1.0001) * frobenius) << "n " << n;
      }
    }
  }
}

// What keeping the identity apart gains: error relative to fp64 over many rows, beside that of W = I + D multiplied in
// fp32, rounded as SGEMM rounds it.
double error_of(const ContextPtr& context, const Matrix& x, const Matrix& multiplied, float identity_scale,
                const Dense& exact) {
  const Matrix y(x.rows(), x.cols());
  idelta_delta_options options = delta_options(identity_scale);
  if (identity_scale == 0) options.format = IDELTA_FORMAT_F32;  // W
  const DeltaPtr delta = pack(context, multiplied, options);
  const idelta_forward_args args = forward_args(x, y);
  EXPECT_OK(idelta_forward(context.get(), delta.get(), &args));
  double error = 0, size = 0;
  for (int64_t i = 0; i < x.rows(); ++i) {
    for (int64_t j = 0; j < x.cols(); ++j) {
      error += std::pow(static_cast<double>(y(i, j)) - exact(i, j), 2);
      size += exact(i, j) * exact(i, j);
    }
  }
  return std::sqrt(error / size);
}

TEST_F(CertificateTest, MoreAccurateThanOneProductWithW) {
  if (forced_format().format == IDELTA_FORMAT_BF16 || stores_int8()) GTEST_SKIP() << "faster, not more accurate";
  const int64_t n = reduced() ? 300 : 794;
  for (const float norm : {0.05f, 0.3f}) {
    // What two bf16 numbers leave of x and D is 2^-17 of x D, and no less when n, by which fp32's errors grow, is
    // small.
    if (norm > 0.1f && !stores_f32()) continue;
    Random random(10);
    const Matrix D(n, n), W(n, n), x(24, n);
    // Of uniform entries up to s the spectral norm is about 2 s sqrt(n / 3).
    fill_uniform(D, random, norm / (2 * std::sqrt(static_cast<float>(n) / 3))), fill_uniform(x, random);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) W(i, j) = D(i, j) + (i == j ? 1.0f : 0.0f);
    }
    Dense exact = multiply(dense(x), dense(D));
    for (int64_t i = 0; i < x.rows(); ++i) {
      for (int64_t j = 0; j < n; ++j) exact(i, j) += static_cast<double>(x(i, j));
    }
    const double apart = error_of(context, x, D, 1, exact), together = error_of(context, x, W, 0, exact);
    EXPECT_LT(apart, 0.8 * together) << "norm " << norm;
    RecordProperty("norm " + std::to_string(norm), std::to_string(together / apart) + " times");
  }
}

// ---- Tolerance -------------------------------------------------------------------------------------------------

idelta_format chosen(const ContextPtr& context, const Matrix& D, double tolerance) {
  idelta_delta_options options = delta_options();
  options.format = IDELTA_FORMAT_AUTO;
  options.tolerance = tolerance;
  return info_of(context, pack(context, D, options)).format;
}

TEST_F(CertificateTest, AutoTakesNoFormatBeyondTheTolerance) {
  Random random(8);
  const Matrix D(60, 60);
  fill_delta(D, random);
  idelta_delta_options options = delta_options();
  options.format = IDELTA_FORMAT_BF16;
  const double bf16 = info_of(context, pack(context, D, options)).certificate;
  options.format = IDELTA_FORMAT_F32;
  const double f32 = info_of(context, pack(context, D, options)).certificate;
  ASSERT_LT(f32, bf16 / 10);
  // Which of those that are within it is a matter of speed: automatic_test.cc.
  EXPECT_NE(IDELTA_FORMAT_BF16, chosen(context, D, 0.5 * bf16));
  EXPECT_NE(IDELTA_FORMAT_BF16, chosen(context, D, 1.2 * f32));
  EXPECT_NE(IDELTA_FORMAT_INT8, chosen(context, D, 1.2 * f32));
  EXPECT_EQ(IDELTA_FORMAT_F32, chosen(context, D, 0));  // no demand: nothing is given up
}

// bf16 of D errs by 2^-9 |D| at most, SGEMM by n u |W|: what is small enough against the identity may be rounded.
TEST_F(CertificateTest, NotLessAccurateThanSgemm) {
  const int64_t n = 150;
  Random random(9);
  const Matrix tiny(n, n), large(n, n);
  fill_uniform(tiny, random, 1e-5f), fill_delta(large, random);
  idelta_delta_options options = delta_options();
  options.format = IDELTA_FORMAT_BF16;
  options.tolerance = IDELTA_TOLERANCE_SGEMM;
  EXPECT_NE(nullptr, pack(context, tiny, options));
  idelta_delta* delta = nullptr;
  EXPECT_EQ(IDELTA_TOLERANCE_NOT_MET, idelta_delta_pack(context.get(), n, large.data(), n, &options, &delta));
  EXPECT_NE(IDELTA_FORMAT_BF16, chosen(context, large, IDELTA_TOLERANCE_SGEMM));
}

// W = 0 is exact in SGEMM and is not here.
TEST_F(CertificateTest, SgemmCannotAlwaysBeMatched) {
  const Matrix D(40, 40);
  fill(D, [] { return 0.0f; });
  for (int64_t i = 0; i < 40; ++i) D(i, i) = -1.0f;
  idelta_delta_options options = delta_options();
  options.format = IDELTA_FORMAT_AUTO;
  options.tolerance = IDELTA_TOLERANCE_SGEMM;
  idelta_delta* delta = nullptr;
  EXPECT_EQ(IDELTA_TOLERANCE_NOT_MET, idelta_delta_pack(context.get(), 40, D.data(), 40, &options, &delta));
  EXPECT_NE(nullptr, std::strstr(idelta_last_error(), "SGEMM")) << idelta_last_error();
}

TEST_F(CertificateTest, ToleranceIsMetOrRefused) {
  Random random(8);
  const Matrix D(40, 40);
  fill_delta(D, random);
  idelta_delta_options options = delta_options();
  options.format = IDELTA_FORMAT_F32;
  const idelta_delta_info_t best = info_of(context, pack(context, D, options));
  const double certificate = std::max(best.certificate, best.certificate_backward_data);
  for (const idelta_format format : {IDELTA_FORMAT_AUTO, IDELTA_FORMAT_F32}) {
    options.format = format;
    options.tolerance = certificate * 1.0001;
    EXPECT_NE(nullptr, pack(context, D, options));
    options.tolerance = certificate * 0.9999;
    idelta_delta* delta = nullptr;
    EXPECT_EQ(IDELTA_TOLERANCE_NOT_MET, idelta_delta_pack(context.get(), 40, D.data(), 40, &options, &delta));
    EXPECT_EQ(nullptr, delta);
    EXPECT_NE(nullptr, std::strstr(idelta_last_error(), "certificate")) << idelta_last_error();
    EXPECT_NE(nullptr, std::strstr(idelta_last_error(), "tolerance")) << idelta_last_error();
  }
}

// The promise holds for what is packed later, too.
TEST_F(CertificateTest, ToleranceHoldsForRepack) {
  Random random(9);
  const Matrix D(20, 20), larger(20, 20);
  fill_delta(D, random), fill_uniform(larger, random, 10.0f);
  idelta_delta_options options = delta_options();
  const idelta_delta_info_t info = info_of(context, pack(context, D, options));
  options.tolerance = 1.5 * std::max(info.certificate, info.certificate_backward_data);
  const DeltaPtr delta = pack(context, D, options);
  EXPECT_EQ(IDELTA_TOLERANCE_NOT_MET, idelta_delta_repack(context.get(), delta.get(), larger.data(), 20));
  const Matrix kept(20, 20);
  ASSERT_OK(idelta_delta_unpack(context.get(), delta.get(), kept.data(), 20));
  expect_equal(kept, stored(D), "D");
}

}  // namespace
}  // namespace idelta_test
