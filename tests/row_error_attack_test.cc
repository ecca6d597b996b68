// row_error of LOW_RANK attacked: rows along what truncation drops, inside and outside the span of U, and an ascent on
// error / bound. No row may break its bound, and some must come close.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "support/low_rank.h"
#include "support/row_bounds.h"

namespace idelta_test {
namespace {

using RowErrorAttack = ContextTest;

constexpr int64_t kAttackers = 32;

// sigma_k of a layer of ten that was trained for three epochs: what is left at these ranks, and log-linear between.
std::vector<double> trained_spectrum(int64_t n) {
  const double ranks[] = {0, 8, 16, 32, 64, 128, 256, 512}, left[] = {.29, .18, .05, .015, .004, .0015, .0005, 5e-5};
  std::vector<double> sigma;
  for (int64_t k = 0; k < n; ++k) {
    const auto at = std::min(static_cast<double>(k), 511.0);
    int i = 0;
    while (at >= ranks[i + 1]) ++i;
    const double share = (at - ranks[i]) / (ranks[i + 1] - ranks[i]);
    sigma.push_back(left[i] * std::pow(left[i + 1] / left[i], share));
  }
  return sigma;
}

using Row = std::vector<double>;

Row normalised(Row row) {
  double squares = 0;
  for (const double value : row) squares += value * value;
  for (double& value : row) value /= squares > 0 ? std::sqrt(squares) : 1;
  return row;
}

Row random_row(int64_t n, Random& random) {
  Row row(static_cast<size_t>(n));
  for (double& value : row) value = static_cast<double>(random.uniform(-1, 1));
  return normalised(row);
}

Row sum(const Row& a, double by, const Row& b) {
  Row row(a);
  for (size_t j = 0; j < row.size(); ++j) row[j] += by * b[j];
  return row;
}

struct Attack {
  const ContextPtr& context;
  const DeltaPtr& delta;
  Dense D;
  float a;
  const Matrix* bias;
  Dense U, UT;
  Row worst, kept;  // leading singular vectors of D - U V and of D, from the left

  Attack(const ContextPtr& on, const DeltaPtr& of, Dense given, float scale, const Matrix* b)
      : context(on), delta(of), D(std::move(given)), a(scale), bias(b) {
    const FactorPair f = unpacked_factors(context, delta);
    U = dense(f.U), UT = transpose(U);
    Dense rest = multiply(U, dense(f.V));
    for (size_t i = 0; i < rest.at.size(); ++i) rest.at[i] -= D.at[i];
    spectral_norm(rest, &worst);
    spectral_norm(D, &kept);
  }

  Row projected(const Row& row) const {
    return multiply(multiply(Dense{1, static_cast<int64_t>(row.size()), row}, U), UT).at;
  }

  // Singular vectors; random rows, and what of them lies inside and outside the span of U; mixtures at every angle; a
  // column of U, and signs. At sizes whose products neither overflow nor underflow.
  Row start(int64_t i, Random& random) const {
    const Row any = random_row(D.cols, random), inside = normalised(projected(any));
    const Row outside = normalised(sum(any, -1, projected(any)));
    const double angle = 1.5707963 * static_cast<double>(random.below(64)) / 64;
    Row column(inside), signs(worst);
    const int64_t c = random.below(std::max<int64_t>(U.cols, 1));
    for (size_t j = 0; j < column.size(); ++j) {
      if (U.cols > 0) column[j] = U(static_cast<int64_t>(j), c);
      signs[j] = std::copysign(1.0, worst[j]);
    }
    const Row mixed = sum(sum(inside, std::cos(angle) - 1, inside), std::sin(angle), normalised(worst));
    const Row rows[] = {worst, kept, any, inside, outside, mixed, column, signs, sum(outside, 1e-6, inside)};
    Row row = rows[i % 9];
    const double sizes[] = {1, 0x1p30, 0x1p-30};
    for (double& value : row) value *= sizes[i / 9 % 3];
    return row;
  }

  // The largest share of a bound that an error takes; shares of the first rows go to `of_start`.
  double run(Random& random, std::vector<double>* of_start = nullptr) const {
    const int64_t n = D.cols;
    const Matrix x(kAttackers, n);
    for (int64_t i = 0; i < kAttackers; ++i) {
      const Row row = start(i, random);
      for (int64_t j = 0; j < n; ++j) x(i, j) = static_cast<float>(row[static_cast<size_t>(j)]);
    }
    double best = 0;
    for (int round = 0; round < 12; ++round) {
      const BoundedRows rows = bounded_rows(context, delta, x, D, a, bias);
      std::vector<double> shares;
      for (size_t i = 0; i < rows.errors.size(); ++i) shares.push_back(rows.errors[i] / rows.bounds[i]);
      if (of_start && round == 0) *of_start = shares;
      best = std::max(best, *std::max_element(shares.begin(), shares.end()));
      ascend(x, shares, random);
    }
    return best;
  }

  // The lesser of each pair of rows becomes the better one, moved: in its last places, or in a direction.
  void ascend(const Matrix& x, const std::vector<double>& shares, Random& random) const {
    for (int64_t i = 0; i + 1 < x.rows(); i += 2) {
      const bool first = shares[static_cast<size_t>(i)] >= shares[static_cast<size_t>(i + 1)];
      const int64_t better = first ? i : i + 1, other = first ? i + 1 : i;
      double size = 0;
      for (int64_t j = 0; j < x.cols(); ++j) size = std::max(size, std::fabs(static_cast<double>(x(better, j))));
      const Row random_one = random_row(x.cols(), random);
      const Row& along = random.below(2) == 0 ? random_one : worst;
      const double step = size * std::ldexp(1.0, -static_cast<int>(random.below(12)));
      const bool in_last_places = random.below(2) == 0;
      for (int64_t j = 0; j < x.cols(); ++j) {
        const double moved = static_cast<double>(x(better, j)) + step * along[static_cast<size_t>(j)];
        x(other, j) =
            in_last_places ? x(better, j) * (1 + random.uniform(-0x1p-20f, 0x1p-20f)) : static_cast<float>(moved);
      }
    }
  }
};

int64_t width() { return reduced() ? 80 : 200; }

TEST_F(RowErrorAttack, NeverBreaksAndComesCloseOnTrainedSpectra) {
  const int64_t n = width();
  Random random(1);
  const Matrix D(n, n), bias(1, n);
  fill_spectrum(D, trained_spectrum(n), random), fill_uniform(bias, random);
  for (const int64_t rank : {0, 8, 32, 64}) {
    const DeltaPtr delta = pack(context, D, rank == 0 ? low_rank_options(0, 0.31) : low_rank_options(rank));
    std::vector<double> shares;
    const double best = Attack(context, delta, dense(D), 1, nullptr).run(random, &shares);
    EXPECT_LE(best, 1) << rank;
    EXPECT_GE(best, 1.0 / 6) << rank;
    std::printf(
        "rank %d: bound / error %.3f under attack; of a random row %.2f, inside the span of U %.1f, outside "
        "%.2f\n",
        static_cast<int>(rank), 1 / best, 1 / shares[2], 1 / shares[3], 1 / shares[4]);
    EXPECT_LE(Attack(context, delta, dense(D), 1, &bias).run(random), 1) << rank;
  }
}

// What the row's own t is for: of rows inside the span of U next to nothing is dropped, and the bound must say so.
TEST_F(RowErrorAttack, RowsInsideTheSpanHaveLittleToFear) {
  const int64_t n = width();
  Random random(2);
  const Matrix D(n, n);
  fill_spectrum(D, trained_spectrum(n), random);
  const DeltaPtr delta = pack(context, D, low_rank_options(32));
  const Attack attack(context, delta, dense(D), 1, nullptr);
  const Matrix x(1, n);
  const Row row = normalised(attack.projected(random_row(n, random)));
  for (int64_t j = 0; j < n; ++j) x(0, j) = static_cast<float>(row[static_cast<size_t>(j)]);
  const BoundedRows rows = bounded_rows(context, delta, x, dense(D), 1);
  expect_bounded(rows, "inside");
  EXPECT_LT(rows.bounds[0], info_of(context, delta).certificate / 20);
}

// Nothing is dropped: roundings alone.
TEST_F(RowErrorAttack, NeverBreaksWhereRoundingDominates) {
  for (const int64_t n : {int64_t{1}, int64_t{2}, int64_t{3}, int64_t{17}, int64_t{60}}) {
    for (const float a : kIdentityScales) {
      for (const float size : {0.05f, 3.0f, 0x1p60f, 0x1p-60f}) {
        Random random(3);
        const Matrix D(n, n), bias(1, n);
        fill_uniform(D, random, size), fill_uniform(bias, random, size);
        idelta_delta_options options = low_rank_options(n);
        options.identity_scale = a;
        const DeltaPtr delta = pack(context, D, options);
        for (const Matrix* const b : {static_cast<const Matrix*>(nullptr), &bias}) {
          ASSERT_LE(Attack(context, delta, dense(D), a, b).run(random), 1) << "n " << n << " a " << a << " D " << size;
        }
      }
    }
  }
}

TEST_F(RowErrorAttack, NeverBreaksOnGivenFactors) {
  const int64_t n = 60;
  for (const int64_t r : {1, 5, 20}) {
    for (const int step : {0, 3, 20}) {
      Random random(4);
      const FactorPair f = unlike_factors(n, r, step, random);
      for (const float a : {1.0f, 0.0f}) {
        idelta_delta_options options = low_rank_options(0);
        options.identity_scale = a;
        const DeltaPtr delta = pack_factors(context, f, options);
        const Attack attack(context, delta, multiply(dense(f.U), dense(f.V)), a, nullptr);
        ASSERT_LE(attack.run(random), 1) << "r " << r << " step " << step << " a " << a;
      }
    }
  }
}

// A D of rank 4 and a pattern in its last places: what is dropped is no larger than what rounds.
TEST_F(RowErrorAttack, NeverBreaksWhereWhatIsDroppedIsARounding) {
  const int64_t n = 24;
  Random random(5);
  const Matrix D(n, n);
  std::vector<double> sigma(static_cast<size_t>(n), 0.0);
  for (size_t i = 0; i < 4; ++i) sigma[i] = 0.3;
  fill_spectrum(D, sigma, random);
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) D(i, j) += 0x1p-22f * static_cast<float>((i + j) % 3);
  }
  for (const float a : {1.0f, 0.0f}) {
    idelta_delta_options options = low_rank_options(4);
    options.identity_scale = a;
    EXPECT_LE(Attack(context, pack(context, D, options), dense(D), a, nullptr).run(random), 1);
  }
}

// As large as the networks that this is for.
TEST_F(RowErrorAttack, NeverBreaksAtTheWidthOfANetwork) {
  if (reduced()) GTEST_SKIP() << "minutes";
  const int64_t n = 794;
  Random random(6);
  const Matrix D(n, n), x(36, n), bias(1, n);
  fill_spectrum(D, trained_spectrum(128), random);
  fill_unlike_rows(x, random), fill_uniform(bias, random);
  for (const int64_t rank : {16, 64}) {
    const DeltaPtr delta = pack(context, D, low_rank_options(rank));
    expect_bounded(bounded_rows(context, delta, x, dense(D), 1), "no bias");
    expect_bounded(bounded_rows(context, delta, x, dense(D), 1, &bias), "bias");
  }
}

}  // namespace
}  // namespace idelta_test
