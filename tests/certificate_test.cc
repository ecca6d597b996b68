// The certificate of a packed delta against rows made to break it: eps with |y^ - y|_2 <= eps |x|_2 for every row.
#include <cmath>
#include <cstring>
#include <vector>

#include "support/fixture.h"
#include "support/reference.h"

namespace idelta_test {
namespace {

using CertificateTest = ContextTest;

// |y^ - y|_2 / |x|_2 of each row.
std::vector<double> row_errors(const ContextPtr& context, const DeltaPtr& delta, const Matrix& x, const Matrix& D,
                               float identity_scale) {
  const Matrix y(x.rows(), x.cols());
  const idelta_forward_args args = forward_args(x, y);
  EXPECT_OK(idelta_forward(context.get(), delta.get(), &args));
  const Dense exact = forward_reference(x, D, nullptr, identity_scale, kIdentity).y.value;
  std::vector<double> errors;
  for (int64_t i = 0; i < x.rows(); ++i) {
    double error = 0, size = 0;
    for (int64_t j = 0; j < x.cols(); ++j) {
      error += std::pow(static_cast<double>(y(i, j)) - exact(i, j), 2);
      size += std::pow(static_cast<double>(x(i, j)), 2);
    }
    errors.push_back(std::sqrt(error / size));
  }
  return errors;
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
        const double certificate = info_of(context, delta).certificate;
        fill_adversaries(x, D, random);
        double worst = 0;
        for (int round = 0; round < 12; ++round) {
          const std::vector<double> errors = row_errors(context, delta, x, D, identity_scale);
          for (const double error : errors) worst = std::max(worst, error);
          mutate_worst(x, errors, random);
        }
        ASSERT_LE(worst, certificate) << "n " << n << " a " << identity_scale << " |D_ij| <= " << size;
        // The attack must come near, or it proves nothing: rounding errors add like sqrt(n), the bound like n.
        ASSERT_GT(worst, certificate / (200 * std::sqrt(static_cast<double>(n)))) << "n " << n;
      }
    }
  }
}

TEST_F(CertificateTest, IsTheFormulaOfTheHeader) {
  for (const int64_t n : {1, 7, 64, 150}) {
    for (const float identity_scale : kIdentityScales) {
      Random random(7);
      const Matrix D(n, n);
      fill_delta(D, random);
      const idelta_delta_info_t info = info_of(context, pack(context, D, delta_options(identity_scale)));
      const double norm = std::min(info.norm_frobenius, std::sqrt(info.norm_one * info.norm_inf));
      const double expected =
          kUnit * (static_cast<double>(n + 3) * norm + 2 * std::abs(static_cast<double>(identity_scale)));
      EXPECT_NEAR(expected, info.certificate, 1e-9 * expected) << "n " << n << " a " << identity_scale;
    }
  }
}

TEST_F(CertificateTest, ToleranceIsMetOrRefused) {
  Random random(8);
  const Matrix D(40, 40);
  fill_delta(D, random);
  idelta_delta_options options = delta_options();
  const double certificate = info_of(context, pack(context, D, options)).certificate;
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
  options.tolerance = info_of(context, pack(context, D, options)).certificate * 1.5;
  const DeltaPtr delta = pack(context, D, options);
  EXPECT_EQ(IDELTA_TOLERANCE_NOT_MET, idelta_delta_repack(context.get(), delta.get(), larger.data(), 20));
  const Matrix kept(20, 20);
  ASSERT_OK(idelta_delta_unpack(context.get(), delta.get(), kept.data(), 20));
  EXPECT_EQ(D.element_bits(), kept.element_bits());
}

}  // namespace
}  // namespace idelta_test
