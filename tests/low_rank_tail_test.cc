// LOW_RANK with a tail in INT8: the formula to the bit, however a call is cut; certificates and row errors attacked;
// the rank that a tolerance takes; and tails that are kept and packed again.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "support/low_rank.h"
#include "support/row_bounds.h"

namespace idelta_test {
namespace {

const float kNan = std::nanf("");

idelta_delta_options tail_options(int64_t rank, double tolerance = 0, float identity_scale = 1) {
  idelta_delta_options options = low_rank_options(rank, tolerance);
  options.tail = IDELTA_TAIL_INT8;
  options.identity_scale = identity_scale;
  return options;
}

struct Integers {
  std::vector<int8_t> q;
  Matrix scales;
  idelta_int8_tail tail() const { return {q.data(), scales.cols(), scales.data()}; }
};

Integers unpacked_integers(const ContextPtr& context, const DeltaPtr& delta) {
  const int64_t n = info_of(context, delta).n;
  Integers all{std::vector<int8_t>(static_cast<size_t>(n * n)), Matrix(1, n)};
  EXPECT_OK(idelta_delta_unpack_integers(context.get(), delta.get(), all.q.data(), n, all.scales.data()));
  return all;
}

Matrix trained(int64_t n, uint64_t seed = 1, double ratio = 0.9) {
  Random random(seed);
  Matrix D(n, n);
  fill_spectrum(D, falling_spectrum(n, 0.3, ratio), random);
  return D;
}

void fill_rows(const Matrix& x, Random& random) {
  fill_uniform(x, random);
  for (int64_t i = 0; i < x.rows(); ++i) {
    const float sizes[] = {1, 1e-37f, 1, 0, 1e30f, 1e-41f, 1};
    for (int64_t j = 0; j < x.cols(); ++j) x(i, j) *= sizes[i % 7];
    if (i % 7 == 2) x(i, random.below(x.cols())) = random.below(2) == 0 ? kNan : kInfinity;
  }
}

class LowRankTail : public ContextTest {};

// fma(s_i s_j, integer sum, the head's chain), or the chain of both in fp32. Called while denormals are zero.
std::vector<float> promised_row(const float* x, const std::vector<float>& head, const Integers& tail) {
  const auto n = static_cast<int64_t>(head.size());
  float largest = 0;
  bool finite = true;
  for (int64_t k = 0; k < n; ++k) {
    largest = std::max(largest, std::fabs(x[k]));
    finite = finite && std::isfinite(x[k]);
  }
  const float scale = largest / 127;
  std::vector<float> row(head);
  for (int64_t j = 0; j < n; ++j) {
    const float of_column = tail.scales(0, j);
    float& sum = row[static_cast<size_t>(j)];
    const auto q = [&](int64_t k) { return tail.q[static_cast<size_t>(k * n + j)]; };
    if (largest == 0) continue;
    if (finite && largest >= 127 * 0x1p-126f) {
      int64_t integers = 0;
      for (int64_t k = 0; k < n; ++k) integers += static_cast<int64_t>(std::nearbyint(x[k] / scale)) * q(k);
      sum = std::fma(scale * of_column, static_cast<float>(integers), sum);
    } else {
      for (int64_t k = 0; k < n; ++k) sum = std::fma(x[k], of_column * static_cast<float>(q(k)), sum);
    }
  }
  return row;
}

TEST_F(LowRankTail, SumsAreThoseOfTheFormulaToTheBit) {
  for (const int64_t n : {1, 17, 64, 100, reduced() ? 130 : 257}) {
    for (const int64_t rank : {int64_t{0}, int64_t{1}, (n + 2) / 3}) {
      for (const int32_t threads : {1, 3}) {
        const int64_t m = 40;
        Random random(static_cast<uint64_t>(n));
        const Matrix D = trained(n), x(m, n), y(m, n), contribution(m, n);
        fill_rows(x, random);
        const ContextPtr own = make_context(context_options(forced_isa(), threads));
        const DeltaPtr delta = pack(own, D, tail_options(rank));
        const FactorPair f = unpacked_factors(own, delta);
        const Integers tail = unpacked_integers(own, delta);
        idelta_forward_args args = forward_args(x, y);
        args.contribution = contribution.data(), args.ldc = n;
        ASSERT_OK(idelta_forward(own.get(), delta.get(), &args));
        const ScopedMxcsr as_inside_the_calls(kFlushingMxcsr);
        const std::vector<float> t = chain(elements(x), m, n, elements(f.U), f.V.rows());
        const std::vector<float> heads = chain(t, m, f.V.rows(), elements(f.V), n);
        for (int64_t i = 0; i < m; ++i) {
          const std::vector<float> row =
              promised_row(&x(i, 0), {heads.begin() + i * n, heads.begin() + (i + 1) * n}, tail);
          for (int64_t j = 0; j < n; ++j) {
            const float sum = row[static_cast<size_t>(j)] + 0.0f, actual = contribution(i, j);  // no bias: 0
            ASSERT_TRUE(bits(sum) == bits(actual) || (std::isnan(sum) && std::isnan(actual)))
                << "n " << n << " rank " << rank << " row " << i << " column " << j << ": " << actual << ", not "
                << sum;
          }
        }
      }
    }
  }
}

TEST_F(LowRankTail, RankZeroIsInt8) {
  const int64_t n = 100, m = 30;
  Random random(2);
  const Matrix D = trained(n), x(m, n), y(m, n), other_y(m, n), dx(m, n), other_dx(m, n);
  fill_uniform(x, random);
  idelta_delta_options options = IDELTA_DELTA_OPTIONS_INIT;
  options.format = IDELTA_FORMAT_INT8;
  const DeltaPtr int8 = pack(context, D, options), rank_zero = pack(context, D, tail_options(0));
  const auto run = [&](const DeltaPtr& delta, const Matrix& to_y, const Matrix& to_dx) {
    const idelta_forward_args forward = forward_args(x, to_y);
    EXPECT_OK(idelta_forward(context.get(), delta.get(), &forward));
    const idelta_backward_data_args backward = backward_data_args(x, x, to_dx);
    EXPECT_OK(idelta_backward_data(context.get(), delta.get(), &backward));
  };
  run(int8, y, dx), run(rank_zero, other_y, other_dx);
  EXPECT_EQ(y.element_bits(), other_y.element_bits());
  EXPECT_EQ(dx.element_bits(), other_dx.element_bits());
  const idelta_delta_info_t one = info_of(context, int8), other = info_of(context, rank_zero);
  EXPECT_NEAR(one.certificate, other.certificate, 0.01 * one.certificate);
  EXPECT_NEAR(one.certificate_inf, other.certificate_inf, 1e-6 * one.certificate_inf);
  EXPECT_EQ(IDELTA_TAIL_INT8, other.tail);
  EXPECT_EQ(IDELTA_TAIL_NONE, one.tail);
  EXPECT_EQ(0, other.rank);
}

// ---- The same bits -------------------------------------------------------------------------------------------------

struct Calls {
  static constexpr int64_t m = 150, n = 130;
  Matrix D = trained(n), x{m, n};
  Calls() {
    Random random(3);
    fill_rows(x, random);
  }
  // Both passes, row errors and the packed numbers, of rows cut after `split`.
  Bits run(const ContextPtr& context, int64_t split = m, bool in_place = false) const {
    const DeltaPtr delta = pack(context, D, tail_options(20));
    const Matrix y(m, n), dx(m, n), errors(1, m), copy = x.copy();
    for (const auto& [first, last] : {std::pair{int64_t{0}, split}, {split, m}}) {
      idelta_forward_args forward = forward_args(x, y, {IDELTA_ACTIVATION_LEAKY_RELU, 0.125f});
      if (in_place) forward.x = forward.y = copy.data();
      forward.m = last - first;
      forward.x += first * n, forward.y += first * n;
      forward.row_error = errors.data() + first;
      EXPECT_OK(idelta_forward(context.get(), delta.get(), &forward));
      idelta_backward_data_args backward = backward_data_args(x, x, dx, {IDELTA_ACTIVATION_TANH, 0});
      backward.m = last - first;
      backward.dy += first * n, backward.y += first * n, backward.dx += first * n;
      EXPECT_OK(idelta_backward_data(context.get(), delta.get(), &backward));
    }
    const FactorPair f = unpacked_factors(context, delta);
    return {{"y", in_place ? copy.element_bits() : y.element_bits()},
            {"dx", dx.element_bits()},
            {"row_error", errors.element_bits()},
            {"U", f.U.element_bits()},
            {"V", f.V.element_bits()},
            {"scales", unpacked_integers(context, delta).scales.element_bits()}};
  }
};

// NaN has no promised bits.
void expect_same(Bits expected, Bits actual) {
  for (Bits* all : {&expected, &actual}) {
    for (auto& [name, numbers] : *all) {
      for (uint32_t& number : numbers) number = std::isnan(std::bit_cast<float>(number)) ? 0x7fc00000u : number;
    }
  }
  expect_same_bits(expected, actual);
}

TEST_F(LowRankTail, ThreadsSplitsAndPlacesChangeNothing) {
  const Calls calls;
  const Bits expected = calls.run(make_context(context_options(forced_isa(), 1)));
  for (const int32_t threads : {1, 2, 5}) {
    const ContextPtr own = make_context(context_options(forced_isa(), threads));
    for (const int64_t split : {int64_t{1}, int64_t{7}, int64_t{64}, Calls::m}) {
      SCOPED_TRACE(std::to_string(threads) + " threads, split after " + std::to_string(split));
      expect_same(expected, calls.run(own, split));
    }
    expect_same(expected, calls.run(own, Calls::m, true));
  }
}

TEST_F(LowRankTail, CachesChangeNothing) {
  const Calls calls;
  const Bits expected = calls.run(context);
  for (const char* caches : {"1,1,1", kToyCaches, "4096,40000,100000"}) {
    const ScopedEnvironment environment("IDELTA_CACHES", caches);
    for (const int32_t threads : {1, 3}) {
      expect_same(expected, calls.run(make_context(context_options(forced_isa(), threads))));
    }
  }
}

TEST_F(LowRankTail, IsasChangeNothing) {
  const Calls calls;
  expect_same(calls.run(make_context(context_options(IDELTA_ISA_SCALAR))), calls.run(context));
}

TEST_F(LowRankTail, ExactlyTheQueriedWorkspaceIsEnough) {
  for (const int64_t n : {1, 33, 130}) {
    for (const int64_t m : {1, 7, 200}) {
      for (const int32_t threads : {1, 4}) {
        Random random(4);
        const Matrix D = trained(n), x(m, n, n + 5), y(m, n), free_y(m, n);
        fill_rows(x, random);
        const ContextPtr own = make_context(context_options(forced_isa(), threads));
        const DeltaPtr delta = pack(own, D, tail_options(n / 4));
        idelta_forward_args args = forward_args(x, free_y);
        ASSERT_OK(idelta_forward(own.get(), delta.get(), &args));
        ASSERT_OK(idelta_forward_workspace_bytes(own.get(), delta.get(), m, &args.workspace_bytes));
        for (const Flush flush : {Flush::kLeft, Flush::kRight}) {
          const GuardBuffer workspace(args.workspace_bytes, flush, 64);
          args.workspace = workspace.data(), args.y = y.data();
          ASSERT_OK(idelta_forward(own.get(), delta.get(), &args));
          EXPECT_TRUE(workspace.slack_untouched() && y.surroundings_untouched());
          expect_same({{"y", free_y.element_bits()}}, {{"y", y.element_bits()}});
        }
      }
    }
  }
}

// ---- Errors --------------------------------------------------------------------------------------------------------

enum class Way { kForward, kBackward };

// D~ of a direction, without roundings of its own.
struct Stored {
  Dense head, tail;
};
Stored stored_in(const ContextPtr& context, const DeltaPtr& delta) {
  const FactorPair f = unpacked_factors(context, delta);
  const Integers integers = unpacked_integers(context, delta);
  Dense tail = zeros(f.U.rows(), f.U.rows());
  for (int64_t k = 0; k < tail.rows; ++k) {
    for (int64_t j = 0; j < tail.cols; ++j) {
      tail(k, j) = static_cast<double>(integers.scales(0, j)) * integers.q[static_cast<size_t>(k * tail.cols + j)];
    }
  }
  return {multiply(dense(f.U), dense(f.V)), tail};
}

// Ties of the signs of the tail's leading singular vector below one large entry; what is dropped; the head's; others.
void fill_attack(const Matrix& x, const Stored& stored, const Dense& B, Random& random) {
  const int64_t n = x.cols();
  Dense dropped = B;
  for (size_t i = 0; i < dropped.at.size(); ++i) dropped.at[i] -= stored.head.at[i] + stored.tail.at[i];
  std::vector<double> of_tail, of_head, of_dropped;
  spectral_norm(stored.tail, &of_tail), spectral_norm(B, &of_head), spectral_norm(dropped, &of_dropped);
  const double sizes[] = {1, 0x1p30, 0x1p-30, 1e-30};
  for (int64_t i = 0; i < x.rows(); ++i) {
    const int64_t spike = random.below(n);
    for (int64_t j = 0; j < n; ++j) {
      const auto at = static_cast<size_t>(j);
      const double tie = std::copysign(0.499, of_tail[at]), any = static_cast<double>(random.uniform(-127, 127));
      const double shapes[] = {j == spike ? 127 : tie,
                               j == spike ? 127 : std::round(100 * of_head[at]) + tie,
                               127 * of_dropped[at],
                               127 * of_head[at],
                               any,
                               j == spike ? 127.0 : 0.0,
                               j == spike ? 127 : 20 * of_dropped[at] + tie,
                               std::copysign(127.0, of_tail[at])};
      x(i, j) = static_cast<float>(sizes[i / 8 % 4] * shapes[i % 8]);
    }
  }
}

struct Shares {
  double whole = 0, norms = 0, row = 0;
};

Shares attack(const ContextPtr& context, const DeltaPtr& delta, const Matrix& D, Way way) {
  const int64_t n = D.cols();
  const bool forward = way == Way::kForward;
  const idelta_delta_info_t info = info_of(context, delta);
  const double whole = forward ? info.certificate : info.certificate_backward_data;
  const double of_largest = forward ? info.certificate_inf : info.certificate_inf_backward_data;
  const auto a = static_cast<double>(info.identity_scale);
  Stored stored = stored_in(context, delta);
  if (!forward) stored = {transpose(stored.head), transpose(stored.tail)};
  const Dense B = forward ? dense(D) : transpose(dense(D));
  Random random(5);
  const Matrix x(64, n), y(64, n), bounds(1, 64);
  fill_attack(x, stored, B, random);
  if (forward) {
    idelta_forward_args args = forward_args(x, y);
    args.row_error = bounds.data();
    EXPECT_OK(idelta_forward(context.get(), delta.get(), &args));
  } else {
    const idelta_backward_data_args args = backward_data_args(x, x, y);
    EXPECT_OK(idelta_backward_data(context.get(), delta.get(), &args));
  }
  const Dense exact = multiply(dense(x), B);
  Shares shares;
  for (int64_t i = 0; i < x.rows(); ++i) {
    double error = 0, size = 0, largest = 0;
    for (int64_t j = 0; j < n; ++j) {
      const auto own = static_cast<double>(x(i, j));
      error += std::pow(static_cast<double>(y(i, j)) - exact(i, j) - a * own, 2);
      size += own * own;
      largest = std::max(largest, std::fabs(own));
    }
    error = std::sqrt(error), size = std::sqrt(size);
    if (forward) shares.row = std::max(shares.row, error / static_cast<double>(bounds(0, i)));
    if (largest * static_cast<double>(info.norm_max) < 0x1p-110) continue;  // certificates promise nothing there
    shares.whole = std::max(shares.whole, error / (whole * size));
    shares.norms = std::max(shares.norms, error / ((whole - of_largest) * size + of_largest * largest));
  }
  return shares;
}

TEST_F(LowRankTail, BoundsHoldAndAreNearWhatAttacksReach) {
  const int64_t n = reduced() ? 96 : 200;
  for (const double ratio : {0.8, 0.95}) {
    const Matrix D = trained(n, 6, ratio);
    for (const int64_t rank : {0, 4, 16}) {
      for (const float a : {1.0f, 0.0f}) {
        const DeltaPtr delta = pack(context, D, tail_options(rank, 0, a));
        for (const Way way : {Way::kForward, Way::kBackward}) {
          const Shares shares = attack(context, delta, D, way);
          const std::string name = "ratio " + std::to_string(ratio) + " rank " + std::to_string(rank) +
                                   (way == Way::kForward ? " forward" : " backward");
          EXPECT_LE(std::max({shares.whole, shares.norms, shares.row}), 1) << name;
          EXPECT_GE(shares.norms, 0.4) << name;
          EXPECT_TRUE(way == Way::kBackward || shares.row >= 0.3) << name << ' ' << shares.row;
          RecordProperty(name, std::to_string(shares.whole) + " " + std::to_string(shares.norms) + " " +
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
          for (const Way way : {Way::kForward, Way::kBackward}) {
            const Shares shares = attack(context, delta, D, way);
            ASSERT_LE(std::max({shares.whole, shares.norms, shares.row}), 1)
                << "n " << n << " rank " << rank << " D " << size << " a " << a;
          }
          if (size > 100) continue;
          expect_bounded(bounded_rows(context, delta, x, dense(D), a), "unlike rows");
          expect_bounded(bounded_rows(context, delta, x, dense(D), a, &bias), "unlike rows with a bias");
        }
      }
    }
  }
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
    for (size_t i = 0; i < rest.at.size(); ++i) rest.at[i] -= stored.head.at[i] + stored.tail.at[i];
    EXPECT_GE(proof.dropped, spectral_norm(rest) * (1 - 1e-9));
    EXPECT_LE(proof.dropped, spectral_norm(rest) * 1.02 + 1e-7);
    EXPECT_GE(proof.tail, spectral_norm(stored.tail) * (1 - 1e-9));
    EXPECT_LE(proof.tail, spectral_norm(stored.tail) * 1.02);
    EXPECT_LE(proof.dropped, 0.1 * proof.tail);
    if (rank > 0) EXPECT_LE(proof.overlap, 1e-3 * proof.dropped + 1e-6);
    EXPECT_GE(proof.overlap, spectral_norm(multiply(transpose(dense(f.U)), rest)) * (1 - 1e-9));
  }
}

// ---- By tolerance --------------------------------------------------------------------------------------------------

TEST_F(LowRankTail, ByToleranceTakesTheLeastRank) {
  const int64_t n = 100;
  const Matrix D = trained(n, 8, 0.8);
  for (const double tolerance : {0.1, 0.01, 1e-3, 1e-4}) {
    const DeltaPtr delta = pack(context, D, tail_options(0, tolerance));
    const idelta_delta_info_t info = info_of(context, delta);
    EXPECT_LE(std::max(info.certificate, info.certificate_backward_data), tolerance);
    EXPECT_LT(info.rank, info_of(context, pack(context, D, low_rank_options(0, tolerance))).rank);
    if (info.rank == 0) continue;
    const idelta_delta_info_t less = info_of(context, pack(context, D, tail_options(info.rank - 1)));
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
      if (passes == IDELTA_PASS_BOTH) EXPECT_LE(attack(context, again, D, Way::kBackward).norms, 1);
      if (passes == IDELTA_PASS_BACKWARD_DATA) {
        EXPECT_LE(one.certificate_backward_data, 1.01 * other.certificate_backward_data);
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

// ---- Refused -------------------------------------------------------------------------------------------------------

TEST_F(LowRankTail, WhatDoesNotFitIsRefusedByName) {
  const int64_t n = 9;
  const Matrix D = trained(n);
  const DeltaPtr delta = pack(context, D, tail_options(2)), plain = pack(context, D, low_rank_options(2));
  const FactorPair f = unpacked_factors(context, delta);
  Integers integers = unpacked_integers(context, delta);
  idelta_int8_tail tail = integers.tail();
  idelta_low_rank_proof proof = IDELTA_LOW_RANK_PROOF_INIT;
  idelta_delta* made = nullptr;
  const auto refused = [&](idelta_status status, std::initializer_list<const char*> words,
                           idelta_status expected = IDELTA_INVALID_ARGUMENT) {
    EXPECT_EQ(expected, status);
    for (const char* word : words) EXPECT_NE(nullptr, std::strstr(idelta_last_error(), word)) << idelta_last_error();
    EXPECT_EQ(nullptr, made);
  };
  const auto pack_measured = [&](idelta_delta_options options = low_rank_options(0)) {
    return idelta_delta_pack_measured(context.get(), n, 2, f.U.data(), f.U.ld(), f.V.data(), f.V.ld(), &tail, &proof,
                                      &options, &made);
  };
  integers.q[5 * n + 3] = 64;
  refused(pack_measured(), {"tail->q[5, 3] = 64", "63"});
  integers.q[5 * n + 3] = -128;
  refused(pack_measured(), {"tail->q[5, 3] = -128"});
  integers.q[5 * n + 3] = 0;
  for (const float bad : {-1.0f, kNan, kInfinity, 1e-40f}) {
    integers.scales(0, 4) = bad;
    refused(pack_measured(), {"tail->scales[4]", "normal"});
  }
  integers.scales(0, 4) = 1;
  tail.ldq = n - 1;
  refused(pack_measured(), {"tail->ldq = 8"});
  tail = {nullptr, n, integers.scales.data()};
  refused(pack_measured(), {"tail->q is null"});
  tail = {integers.q.data(), n, nullptr};
  refused(pack_measured(), {"tail->scales is null"});
  tail = integers.tail();
  proof.tail = -1;
  refused(pack_measured(), {"proof.tail = -1"});
  proof.tail = 0;
  idelta_delta_options options = tail_options(0);
  refused(idelta_delta_pack_factors(context.get(), n, 2, f.U.data(), f.U.ld(), f.V.data(), f.V.ld(), &options, &made),
          {"tail", "factors"});
  refused(pack_measured(options), {"tail", "factors"});
  options.tail = static_cast<idelta_tail>(7);
  refused(idelta_delta_pack(context.get(), n, D.data(), n, &options, &made), {"tail = 7"});
  refused(idelta_delta_unpack_integers(context.get(), plain.get(), integers.q.data(), n, integers.scales.data()),
          {"low_rank", "integers", "tail"});
  idelta_optimizer optimizer = IDELTA_OPTIMIZER_INIT;
  const Matrix x(2, n), master = D.copy();
  fill(x, [] { return 1.0f; });
  const idelta_update_args update = update_args(x, x, optimizer, master);
  refused(idelta_update(context.get(), delta.get(), &update), {"low_rank", "stepped"}, IDELTA_UNSUPPORTED);
}

}  // namespace
}  // namespace idelta_test
