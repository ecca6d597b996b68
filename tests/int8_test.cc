// INT8 beyond what every format promises: the formula to the bit, rows that go through fp32, the integers themselves,
// and certificates with rows that rounding hurts most.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "support/int8.h"
#include "support/row_bounds.h"

namespace idelta_test {
namespace {

const float kNan = std::nanf("");

idelta_delta_options int8_options(float identity_scale = 1) {
  idelta_delta_options options = IDELTA_DELTA_OPTIONS_INIT;
  options.format = IDELTA_FORMAT_INT8;
  options.identity_scale = identity_scale;
  return options;
}

class Int8Test : public ContextTest {};

std::vector<float> promised(const Matrix& x, int64_t i, const Integers& B) {
  return promised_row(&x(i, 0), std::vector<float>(static_cast<size_t>(B.n()), 0.0f), B);
}

TEST_F(Int8Test, SumsAreThoseOfTheFormulaToTheBit) {
  for (const int64_t n : {1, 2, 15, 33, 64, 65, 100, reduced() ? 130 : 300}) {
    for (const int64_t m : {1, 9, 70}) {
      for (const int32_t threads : {1, 3}) {
        Random random(static_cast<uint64_t>(n + m));
        const Matrix D(n, n), x(m, n), y(m, n), contribution(m, n), dx(m, n);
        fill_delta(D, random), fill_special_rows(x, random);
        for (int64_t k = 0; k < n; ++k) {
          D(k, n / 2) = 0;                         // a column of zeros
          D(k, n - 1) *= n % 2 == 0 ? 1e-37f : 1;  // one whose scale underflows
        }
        const ContextPtr own = make_context(context_options(forced_isa(), threads));
        const DeltaPtr delta = pack(own, D, int8_options(0));
        idelta_forward_args forward = forward_args(x, y);
        forward.contribution = contribution.data(), forward.ldc = n;
        ASSERT_OK(idelta_forward(own.get(), delta.get(), &forward));
        const idelta_backward_data_args backward = backward_data_args(x, x, dx);
        ASSERT_OK(idelta_backward_data(own.get(), delta.get(), &backward));
        const ScopedMxcsr as_inside_the_calls(kFlushingMxcsr);
        const Integers integers(dense(D));
        for (int64_t i = 0; i < m; ++i) expect_promised(contribution, i, promised(x, i, integers));
        if (HasFailure()) FAIL() << "n " << n << " m " << m << " threads " << threads;
      }
    }
  }
}

// The rows of dx, too, which need no contribution: a = 0 adds 0 x.
TEST_F(Int8Test, BackwardDataHasScalesOfItsOwn) {
  const int64_t n = 70, m = 20;
  Random random(2);
  const Matrix D(n, n), dy(m, n), dx(m, n);
  fill_delta(D, random), fill_uniform(dy, random);
  for (int64_t k = 0; k < n; ++k) D(3, k) *= 100, D(k, 5) *= 100;
  const DeltaPtr delta = pack(context, D, int8_options(0));
  const idelta_backward_data_args backward = backward_data_args(dy, dy, dx);
  ASSERT_OK(idelta_backward_data(context.get(), delta.get(), &backward));
  const Integers integers(transpose(dense(D)));
  for (int64_t i = 0; i < m; ++i) expect_promised(dx, i, promised(dy, i, integers));
}

// y may be x: a row that goes through fp32 is read after y is written.
TEST_F(Int8Test, RowsInFp32MayBeOverwritten) {
  for (const int64_t n : {33, 130, 300}) {
    for (const int64_t m : {1, 2, 40}) {
      for (const int32_t threads : {1, 4}) {
        Random random(3);
        const Matrix D(n, n), x(m, n), y(m, n);
        fill_delta(D, random), fill_uniform(x, random, 1e-37f);
        if (m > 2) fill_special_rows(x, random);
        const ContextPtr own = make_context(context_options(forced_isa(), threads));
        const DeltaPtr delta = pack(own, D, int8_options());
        const idelta_forward_args apart = forward_args(x, y), in_place = forward_args(x, x);
        ASSERT_OK(idelta_forward(own.get(), delta.get(), &apart));
        ASSERT_OK(idelta_forward(own.get(), delta.get(), &in_place));
        EXPECT_EQ(y.element_bits(), x.element_bits()) << "n " << n << " m " << m << " threads " << threads;
      }
    }
  }
}

// Also through columns of zeros, which are skipped for other rows.
TEST_F(Int8Test, WhatIsNotFiniteReachesAllOfItsRow) {
  const int64_t n = 140;
  const Matrix D(n, n), x(3, n), y(3, n);
  fill(D, [] { return 0.0f; }), fill(x, [] { return 1.0f; });
  x(1, 2) = kNan, x(2, 130) = kInfinity;
  const DeltaPtr delta = pack(context, D, int8_options());
  const idelta_forward_args args = forward_args(x, y);
  ASSERT_OK(idelta_forward(context.get(), delta.get(), &args));
  for (int64_t j = 0; j < n; ++j) {
    EXPECT_EQ(1.0f, y(0, j));
    EXPECT_TRUE(std::isnan(y(1, j)) && std::isnan(y(2, j))) << j;
  }
}

// ---- The integers --------------------------------------------------------------------------------------------------

TEST_F(Int8Test, IntegersAreThoseThatTheHeaderDefines) {
  for (const int64_t n : {1, 17, 64, 130}) {
    for (const bool transposed : {false, true}) {
      Random random(4);
      const Matrix D(n, n);
      fill_delta(D, random);
      D(0, 0) = 0;
      idelta_delta_options options = int8_options();
      options.transposed = transposed ? 1 : 0;
      const DeltaPtr delta = pack(context, D, options);
      std::vector<int8_t> q(static_cast<size_t>(n * (n + 3)), 99);
      const Matrix scales(1, n), values(n, n);
      ASSERT_OK(idelta_delta_unpack_integers(context.get(), delta.get(), q.data(), n + 3, scales.data()));
      ASSERT_OK(idelta_delta_unpack(context.get(), delta.get(), values.data(), n));
      const Integers expected(transposed ? transpose(dense(D)) : dense(D));
      for (int64_t j = 0; j < n; ++j) {
        ASSERT_EQ(expected.scales(0, j), scales(0, j));
        for (int64_t k = 0; k < n; ++k) {
          const int8_t given = q[static_cast<size_t>(k * (n + 3) + j)];
          ASSERT_EQ(expected.at(k, j), given);
          ASSERT_EQ(scales(0, j) * static_cast<float>(given), values(k, j));
        }
        for (int64_t gap = 0; gap < 3 && j + 1 < n; ++gap) {
          ASSERT_EQ(99, q[static_cast<size_t>(j * (n + 3) + n + gap)]);
        }
      }
    }
  }
}

// Integers whose largest are 63, in D's rows and columns, and 127 in x: nothing is rounded.
TEST_F(Int8Test, IntegersAreExactInBothDirections) {
  for (const int64_t n : {1, 16, 65, reduced() ? 130 : 794}) {
    const int64_t m = 30;
    Random random(5);
    const Matrix D(n, n), x(m, n), y(m, n), dx(m, n);
    fill_integers(D, random, 63), fill_integers(x, random, 127);
    for (int64_t j = 0; j < n; ++j) D(j, j) = 63;
    for (int64_t i = 0; i < m; ++i) x(i, random.below(n)) = -127;
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) D(i, j) *= 0x1p-9f;
    }
    const DeltaPtr delta = pack(context, D, int8_options());
    const idelta_forward_args forward = forward_args(x, y);
    ASSERT_OK(idelta_forward(context.get(), delta.get(), &forward));
    const idelta_backward_data_args backward = backward_data_args(x, x, dx);
    ASSERT_OK(idelta_backward_data(context.get(), delta.get(), &backward));
    Dense z = multiply(dense(x), dense(D)), dz = multiply(dense(x), transpose(dense(D)));
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) z(i, j) += static_cast<double>(x(i, j)), dz(i, j) += static_cast<double>(x(i, j));
    }
    expect_equal(y, z, "y"), expect_equal(dx, dz, "dx");
    // Nothing is dropped: only what the proof pays for s q, in fp32, and for four roundings of sums and one of a x.
    const idelta_delta_info_t info = info_of(context, delta);
    const double roundings = 2 * info.norm_frobenius + 4 * 1.01 * spectral_norm(dense(D)) + 1;
    EXPECT_LE(info.certificate - info.certificate_inf, kUnit * roundings);
  }
}

// ---- Certificates --------------------------------------------------------------------------------------------------

Shares attack(const ContextPtr& context, const Matrix& D, float a, Pass pass) {
  const Dense stored = Integers(pass == Pass::kForward ? dense(D) : transpose(dense(D))).product();
  return attack_by_ties(context, pack(context, D, int8_options(a)), D, pass, stored, stored);
}

TEST_F(Int8Test, CertificatesHoldAndAreNearWhatAttacksReach) {
  const int64_t n = reduced() ? 96 : 300;
  for (const bool falling : {false, true}) {
    for (const float a : {1.0f, 0.0f}) {
      for (const Pass pass : {Pass::kForward, Pass::kBackwardData}) {
        Random random(7);
        const Matrix D(n, n);
        falling ? fill_spectrum(D, falling_spectrum(n), random) : fill_delta(D, random);
        const Shares shares = attack(context, D, a, pass);
        const std::string name =
            std::string(falling ? "falling" : "flat") + (pass == Pass::kForward ? " forward" : " backward");
        EXPECT_LE(shares.whole, 1) << name;
        EXPECT_LE(shares.parts, 1) << name;
        EXPECT_LE(shares.row, 1) << name;
        EXPECT_GE(shares.whole, 0.5) << name;
        EXPECT_GE(shares.parts, 0.5) << name;
        EXPECT_TRUE(pass == Pass::kBackwardData || shares.row >= 0.5) << name << ' ' << shares.row;
        RecordProperty(
            name, std::to_string(shares.whole) + " " + std::to_string(shares.parts) + " " + std::to_string(shares.row));
      }
    }
  }
}

TEST_F(Int8Test, CertificatesHoldAtEverySize) {
  for (const int64_t n : {1, 2, 3, 17, 60}) {
    for (const float size : {0.05f, 3.0f, 0x1p60f, 0x1p-60f}) {
      for (const float a : kIdentityScales) {
        for (const Pass pass : {Pass::kForward, Pass::kBackwardData}) {
          Random random(8);
          const Matrix D(n, n);
          fill_uniform(D, random, size);
          const Shares shares = attack(context, D, a, pass);
          ASSERT_LE(shares.most(), 1) << "n " << n << " D " << size << " a " << a;
        }
      }
    }
  }
}

// Rows on the lattice of integers lose nothing, and their bound knows it.
TEST_F(Int8Test, RowsThatAreIntegersHaveLittleToFear) {
  const int64_t n = 130;
  Random random(9);
  const Matrix D(n, n), x(8, n);
  fill_integers(D, random, 63), fill_integers(x, random, 127);
  for (int64_t j = 0; j < n; ++j) D(j, j) = 63;
  for (int64_t i = 0; i < 8; ++i) x(i, i) = 127;
  const DeltaPtr delta = pack(context, D, int8_options());
  const BoundedRows rows = bounded_rows(context, delta, x, dense(D), 1);
  expect_bounded(rows, "integers");
  const idelta_delta_info_t info = info_of(context, delta);
  for (const double bound : rows.bounds) EXPECT_LT(bound, 0.01 * info.certificate_inf * 127);
}

// ---- Refused -------------------------------------------------------------------------------------------------------

void expect_refused(idelta_status expected, idelta_status status, std::initializer_list<const char*> words) {
  EXPECT_EQ(expected, status);
  for (const char* word : words) EXPECT_NE(nullptr, std::strstr(idelta_last_error(), word)) << idelta_last_error();
}

TEST_F(Int8Test, WhatItCannotDoIsRefusedByName) {
  const int64_t n = 11;
  Random random(10);
  const Matrix D(n, n), x(2, n), master = D.copy(), dD(n, n);
  fill_delta(D, random), fill_uniform(x, random), fill_delta(master, random);
  idelta_delta_options options = int8_options();
  const DeltaPtr delta = pack(context, D, options);
  idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  idelta_update_args update = update_args(x, x, optimizer, master);
  update.gradient_format = IDELTA_FORMAT_F32;
  expect_refused(IDELTA_UNSUPPORTED, idelta_update(context.get(), delta.get(), &update), {"int8", "stepped"});
  expect_refused(IDELTA_INVALID_ARGUMENT, idelta_gradient_format_check(IDELTA_FORMAT_INT8), {"int8"});
  idelta_delta* made = nullptr;
  const auto packed = [&] { return idelta_delta_pack(context.get(), n, D.data(), n, &options, &made); };
  options.rank = 3;
  expect_refused(IDELTA_INVALID_ARGUMENT, packed(), {"rank = 3", "int8"});
  options = int8_options();
  options.tail = IDELTA_TAIL_INT8;
  expect_refused(IDELTA_INVALID_ARGUMENT, packed(), {"tail", "int8", "low_rank"});
  options = int8_options();
  for (const float bad : {kNan, kInfinity}) {
    D(4, 7) = bad;
    expect_refused(IDELTA_INVALID_ARGUMENT, packed(), {"D[4, 7]", "finite", "int8"});
  }
  EXPECT_EQ(nullptr, made);
  options.format = IDELTA_FORMAT_F32;
  const DeltaPtr f32 = pack(context, master, options);
  int8_t q[n * n] = {};
  float scales[n] = {};
  expect_refused(IDELTA_INVALID_ARGUMENT, idelta_delta_unpack_integers(context.get(), f32.get(), q, n, scales),
                 {"f32", "integers"});
  expect_refused(IDELTA_INVALID_ARGUMENT, idelta_delta_unpack_integers(context.get(), delta.get(), q, n - 1, scales),
                 {"ldq = 10"});
}

}  // namespace
}  // namespace idelta_test
