// Packing D: what goes in comes out bit for bit, in every layout; the info tells the truth; and a delta is refused
// where it does not belong.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "support/fixture.h"
#include "support/reference.h"

namespace idelta_test {
namespace {

using DeltaTest = ContextTest;

constexpr idelta_passes kPasses[] = {IDELTA_PASS_FORWARD, IDELTA_PASS_BACKWARD_DATA, IDELTA_PASS_BOTH};
const int64_t kWidths[] = {1, 2, 5, 8, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 96, 100, 129, 257};

Matrix random_delta(int64_t n, int64_t ld, uint64_t seed, Flush flush = Flush::kRight) {
  Random random(seed);
  Matrix D(n, n, ld, flush);
  fill_delta(D, random);
  return D;
}

Matrix transposed(const Matrix& D) {
  Matrix t(D.cols(), D.rows());
  for (int64_t i = 0; i < D.rows(); ++i) {
    for (int64_t j = 0; j < D.cols(); ++j) t(j, i) = D(i, j);
  }
  return t;
}

Matrix unpack(const ContextPtr& context, const DeltaPtr& delta, int64_t n, int64_t ld) {
  Matrix D(n, n, ld);
  EXPECT_OK(idelta_delta_unpack(context.get(), delta.get(), D.data(), ld));
  EXPECT_TRUE(D.surroundings_untouched());
  return D;
}

// What comes out is D as the format stores it: bit for bit for F32, by value (-0 is 0) else; of integers as the
// direction that is packed scales them.
void expect_stored(const Matrix& D, const Matrix& unpacked, idelta_passes passes = IDELTA_PASS_BOTH) {
  if (stores_f32()) {
    ASSERT_EQ(D.element_bits(), unpacked.element_bits());
  }
  const bool forward = (passes & IDELTA_PASS_FORWARD) != 0;
  expect_equal(unpacked, forward ? stored(D) : transpose(stored(transpose(dense(D)))), "D");
}

// Column j of row i is number j % nr of row i of panel j / nr.
TEST(Panels, HoldEveryEntryAndZeros) {
  const ContextPtr context = make_context();
  int64_t nr = 0;  // of one column all the floats
  ASSERT_OK(idelta_panels_floats(context.get(), 1, &nr));
  for (const int64_t n : {1, 15, 16, 17, 33, 100}) {
    for (const Flush flush : {Flush::kLeft, Flush::kRight}) {
      const Matrix D = random_delta(n, n + 3, 5, flush);
      int64_t floats = 0;
      ASSERT_OK(idelta_panels_floats(context.get(), n, &floats));
      ASSERT_EQ(0, floats % n);
      const Matrix panels(1, floats, floats, flush), back(n, n, n + 5, flush);
      ASSERT_OK(idelta_panels_pack(context.get(), n, D.data(), D.ld(), panels.data()));
      for (int64_t i = 0; i < n; ++i) {
        for (int64_t j = 0; j < floats / n; ++j) {
          ASSERT_EQ(j < n ? D(i, j) : 0.0f, panels(0, (j / nr * n + i) * nr + j % nr)) << i << ", " << j;
        }
      }
      ASSERT_OK(idelta_panels_unpack(context.get(), n, panels.data(), back.data(), back.ld()));
      EXPECT_EQ(D.element_bits(), back.element_bits());
      EXPECT_TRUE(back.surroundings_untouched());
      EXPECT_TRUE(panels.surroundings_untouched());
    }
  }
}

// The bits of both passes (or those packed) on fixed rows.
std::vector<uint32_t> passes_bits(const ContextPtr& context, const DeltaPtr& delta, int64_t n, idelta_passes passes) {
  Random random(99);
  const Matrix x(3, n), y(3, n), dx(3, n);
  fill_uniform(x, random);
  if ((passes & IDELTA_PASS_FORWARD) != 0) {
    const idelta_forward_args args = forward_args(x, y);
    EXPECT_OK(idelta_forward(context.get(), delta.get(), &args));
  }
  if ((passes & IDELTA_PASS_BACKWARD_DATA) != 0) {
    const idelta_backward_data_args args = backward_data_args(x, x, dx);
    EXPECT_OK(idelta_backward_data(context.get(), delta.get(), &args));
  }
  std::vector<uint32_t> all = y.element_bits();
  for (const uint32_t b : dx.element_bits()) all.push_back(b);
  return all;
}

TEST_F(DeltaTest, UnpackGivesBackEveryBit) {
  for (const int64_t n : kWidths) {
    for (const idelta_passes passes : kPasses) {
      for (const Flush flush : {Flush::kLeft, Flush::kRight}) {
        SCOPED_TRACE("n " + std::to_string(n) + " passes " + std::to_string(passes));
        Matrix D = random_delta(n, n + n % 3, 1, flush);
        D(0, n - 1) = -0.0f;
        D(n - 1, 0) = 0x1p-149f;
        D.freeze();
        const DeltaPtr delta = pack(context, D, delta_options(1.0f, passes));
        EXPECT_TRUE(D.unchanged());
        expect_stored(D, unpack(context, delta, n, n + n % 5), passes);
        if (HasFailure()) return;
      }
    }
  }
}

TEST_F(DeltaTest, TransposedPackIsThePackOfTheTranspose) {
  for (const int64_t n : kWidths) {
    for (const idelta_passes passes : kPasses) {
      SCOPED_TRACE("n " + std::to_string(n) + " passes " + std::to_string(passes));
      const Matrix given = random_delta(n, n + n % 4, 2), D = transposed(given);
      const DeltaPtr from_given = pack(context, given, delta_options(1.0f, passes, true));
      const DeltaPtr from_transpose = pack(context, D, delta_options(1.0f, passes));
      expect_stored(D, unpack(context, from_given, n, n), passes);
      ASSERT_EQ(passes_bits(context, from_transpose, n, passes), passes_bits(context, from_given, n, passes));
    }
  }
}

// Also from and to zero: what was skipped before must not be skipped after, and the other way round.
TEST_F(DeltaTest, RepackIsPackOfTheNewDelta) {
  for (const int64_t n : {7, 64, 129}) {
    for (const bool transpose : {false, true}) {
      SCOPED_TRACE("n " + std::to_string(n) + (transpose ? " transposed" : ""));
      const idelta_delta_options options = delta_options(0.5f, IDELTA_PASS_BOTH, transpose);
      const Matrix first = random_delta(n, n, 3), second = random_delta(n, n + 2, 4), zero(n, n);
      fill(zero, [] { return 0.0f; });
      const DeltaPtr delta = pack(context, first, options);
      for (const Matrix* next : {&second, &zero, &first}) {
        ASSERT_OK(idelta_delta_repack(context.get(), delta.get(), next->data(), next->ld()));
        const DeltaPtr fresh = pack(context, *next, options);
        ASSERT_EQ(passes_bits(context, fresh, n, IDELTA_PASS_BOTH), passes_bits(context, delta, n, IDELTA_PASS_BOTH));
        ASSERT_EQ(info_of(context, fresh).certificate, info_of(context, delta).certificate);
        ASSERT_EQ(info_of(context, fresh).zero_fraction, info_of(context, delta).zero_fraction);
      }
    }
  }
}

TEST_F(DeltaTest, InfoReportsWhatWasPacked) {
  const int64_t n = 33;
  const Matrix D = random_delta(n, n, 5);
  for (const idelta_passes passes : kPasses) {
    const idelta_delta_info_t info = info_of(context, pack(context, D, delta_options(-2.0f, passes)));
    EXPECT_EQ(n, info.n);
    EXPECT_EQ(forced_format().format, info.format);
    EXPECT_EQ(forced_format().format, info.asked);
    EXPECT_EQ(forced_isa(), info.isa);
    EXPECT_EQ(passes, info.passes);
    EXPECT_EQ(-2.0f, info.identity_scale);
    const size_t copies = passes == IDELTA_PASS_BOTH ? 2 : 1;
    const size_t bytes = stores_int8()                                  ? sizeof(int8_t)
                         : forced_format().format == IDELTA_FORMAT_BF16 ? sizeof(uint16_t)
                                                                        : sizeof(float);
    EXPECT_GE(info.packed_bytes, copies * static_cast<size_t>(n * n) * bytes);
    EXPECT_LE(info.packed_bytes, copies * static_cast<size_t>((n + 64) * (n + 64)) * bytes);
  }
}

TEST_F(DeltaTest, NormsMatchFp64) {
  for (const int64_t n : {1, 5, 64, 130}) {
    for (const bool transpose : {false, true}) {
      SCOPED_TRACE("n " + std::to_string(n) + (transpose ? " transposed" : ""));
      const Matrix D = random_delta(n, n, 6);
      D(n - 1, 0) *= 7;  // so that rows and columns differ
      const Dense d = stored(D);
      double squares = 0, largest = 0, largest_row = 0, largest_column = 0;
      for (int64_t i = 0; i < n; ++i) {
        double row = 0, column = 0;
        for (int64_t j = 0; j < n; ++j) {
          const double value = std::abs(d(i, j));
          squares += value * value;
          largest = std::max(largest, value);
          row += value;
          column += std::abs(d(j, i));
        }
        largest_row = std::max(largest_row, row);
        largest_column = std::max(largest_column, column);
      }
      const idelta_delta_info_t info = info_of(
          context, pack(context, transpose ? transposed(D) : D.copy(), delta_options(1, IDELTA_PASS_BOTH, transpose)));
      const auto near = [](double expected, double actual) { EXPECT_NEAR(expected, actual, 1e-9 * expected); };
      near(std::sqrt(squares), info.norm_frobenius);
      near(largest_column, info.norm_one);
      near(largest_row, info.norm_inf);
      near(largest, info.norm_max);
    }
  }
}

TEST_F(DeltaTest, AnotherIsaIsRefusedByName) {
  const idelta_isa best = idelta_context_isa(make_context(context_options(IDELTA_ISA_AUTO)).get());
  const idelta_isa other = forced_isa() == IDELTA_ISA_SCALAR ? best : IDELTA_ISA_SCALAR;
  if (other == forced_isa()) GTEST_SKIP() << "this machine runs one ISA only";
  const ContextPtr foreign = make_context(context_options(other));
  const Matrix D = random_delta(9, 9, 7), x = random_delta(9, 9, 8), y(9, 9);
  const DeltaPtr delta = pack(context, D);
  const idelta_forward_args forward = forward_args(x, y);
  const idelta_backward_data_args backward = backward_data_args(x, x, y);
  idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  const Matrix master = D.copy();
  const idelta_update_args update = update_args(x, x, optimizer, master);
  const auto refused = [&](idelta_status status, const char* call) {
    EXPECT_TRUE(status == IDELTA_UNSUPPORTED || status == IDELTA_INVALID_ARGUMENT) << call << " gave " << status;
    for (const idelta_isa isa : {forced_isa(), other}) {
      EXPECT_NE(nullptr, std::strstr(idelta_last_error(), idelta_isa_name(isa))) << call << ": " << idelta_last_error();
    }
    EXPECT_TRUE(y.untouched()) << call;
  };
  refused(idelta_forward(foreign.get(), delta.get(), &forward), "forward");
  refused(idelta_backward_data(foreign.get(), delta.get(), &backward), "backward_data");
  refused(idelta_delta_unpack(foreign.get(), delta.get(), y.data(), 9), "unpack");
  refused(idelta_delta_repack(foreign.get(), delta.get(), x.data(), 9), "repack");
  refused(idelta_update(foreign.get(), delta.get(), &update), "update");
  EXPECT_EQ(D.element_bits(), master.element_bits());
  expect_stored(D, unpack(context, delta, 9, 9));
}

TEST_F(DeltaTest, APassThatWasNotPackedIsRefusedByName) {
  const Matrix D = random_delta(9, 9, 9), x = random_delta(9, 9, 10), y(9, 9);
  const DeltaPtr forward_only = pack(context, D, delta_options(1, IDELTA_PASS_FORWARD));
  const DeltaPtr backward_only = pack(context, D, delta_options(1, IDELTA_PASS_BACKWARD_DATA));
  const idelta_forward_args forward = forward_args(x, y);
  const idelta_backward_data_args backward = backward_data_args(x, x, y);
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_forward(context.get(), backward_only.get(), &forward));
  EXPECT_NE(nullptr, std::strstr(idelta_last_error(), "pass forward")) << idelta_last_error();
  EXPECT_EQ(IDELTA_INVALID_ARGUMENT, idelta_backward_data(context.get(), forward_only.get(), &backward));
  EXPECT_NE(nullptr, std::strstr(idelta_last_error(), "pass backward_data")) << idelta_last_error();
  EXPECT_TRUE(y.untouched());
}

TEST_F(DeltaTest, DefaultPassesAreBoth) {
  const Matrix D = random_delta(5, 5, 11);
  const DeltaPtr delta = pack(context, D, delta_options(1, static_cast<idelta_passes>(0)));
  EXPECT_EQ(IDELTA_PASS_BOTH, info_of(context, delta).passes);
}

}  // namespace
}  // namespace idelta_test
