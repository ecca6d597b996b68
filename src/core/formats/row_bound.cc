// What is proved beyond certificate.cc. Norms are those of rows, and spectral norms of matrices; D~ = U V for LOW_RANK.
//
// Bias. With the sum s^, c = fl(s^ + b), z^ = fl(a x + c) and |d|, |d'| <= u:
//
//   z^ - z = [s^ - x D] + d (s^ + b) + d' (a x + c),   |c| <= (1 + u) |s^ + b|
//
// The certificate has s^ - x D and, without a bias, d' of s^; so b adds u (1 + u) ||s^|| + gamma(2) ||b||. ||s^|| is at
// most ||x~|| ||D~||_F plus the error of the sums, ||x~|| <= (1 + 3 / 257) ||x||.
//
// LOW_RANK. With E = D - U V, t = x U exactly and t^ as computed, ||t^ - t|| <= tau ||x|| (the sums of x U):
//
//   z^ - z = - x E + (t^ - t) V + [s^ - t^ V, and the last rounding's share of s^] + [its share of a x] + [bias]
//
// with norms of at most ||x E||, tau ||x|| ||V||, sums of V times ||t^||, u |a| ||x||. From x E = (x - t U^T) E + t U^T
// E follows
//
//   ||x - t U^T||^2 = ||x||^2 - 2 ||t||^2 + t (U^T U) t^T <= ||x||^2 - (1 - departure) ||t||^2,   for x U t^T = ||t||^2
//   ||x E|| <= ||E|| sqrt(||x||^2 - (1 - departure) ||t||^2) + ||t|| overlap
//
// whose first part falls with ||t|| >= ||t^|| - tau ||x|| if departure < 1, and whose second grows with ||t|| <= ||t^||
// + tau ||x||. It helps where most of x is in the span of U. ||E|| ||x|| is used where it is smaller.
//
// Denormals. x is the row that is read, in which denormals are zero; x E, t and all norms are of that row. Compared to
// the given row, z changes by at most 2^-126 sqrt(n) (|a| + ||D||), ||D|| <= ||D~||_F + ||E||. D~'s, a's and b's
// that are read as zero, and results that become zero, err by 2^-126 each time, relative to the other factor or
// absolutely; later roundings at most double it. Of an element of a product with B (k x cols), a chain has k such
// results, bf16 in tiles 4 k + 128 at most, and all formats four more for bias, a and b:
//
//   flush (k + 4 + sum_i |x_i| + sum_i |B_ij|),   flush = 2^-125; bf16: 2^-123
//
// and over all j, by Cauchy and Schwarz, flush (sqrt(cols) (k + 4) + sqrt(cols k) ||x|| + sqrt(k) ||B||_F).
//
// Integers, x~ = s q. Let R~ be the matrix of integers, D~ of INT8 or the tail of LOW_RANK. (x~ - x) R~ is at most
// ||x - x~|| ||R~||, whose first factor is measured; roundings as in certificate.cc. Of an element, what fl(s t) loses
// if it underflows is 2^-126 times a sum of k products of at most 127 * 63, so 2^-113 k, and later results few times
// 2^-126. A row of the smallest numbers, ||x||_inf < 127 * 2^-126, goes through fp32, where x~ = x: its sum errs by
// gamma(k + 2) |x| |R~|, which begins as the head's and rounds that as often, gamma(k) |x| |U| |V|; and k results may
// underflow.
//
// Range. Every partial sum and product of a column is at most ||x~|| times the column's norm, doubled for roundings.
#include "src/core/formats/row_bound.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "src/core/formats/spectral.h"

namespace idelta::core {
namespace {

constexpr double kFlush = 0x1p-125, kFlushOfTiles = 0x1p-123, kFlushOfIntegers = 0x1p-112;
constexpr double kLargestInFp32 = 0x1p-119;  // entry of a row that goes through fp32 in place of integers
constexpr double kTooLarge = 0x1p126;        // a quarter of fp32's range
constexpr double kRowsRounded = 1 + 3 * kBf16Rounding;

// RowBound::slack for sums of n squares in fp64 and some forty operations of the bound.
double slack_of(int64_t n) { return 1 + 0x1p-40 + static_cast<double>(n) * 0x1p-51; }

// Rounds up; `value` is in the normal range of fp32.
float rounded_up(double value) {
  const auto nearest = static_cast<float>(value);
  if (static_cast<double>(nearest) >= value) return nearest;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(nearest) + 1);
}

// A factor <= 1 / slack: (2 - slack) slack <= 1. A division would take longer.
double down(const RowBound& bound) { return 2 - bound.slack; }

// What x~ adds. Frobenius norms: of the integers' matrix, and of what their sums are added to.
void add_integers(RowBound& bound, int64_t n, const ErrorTerms& terms, double size, double of_head = 0) {
  const double steps = static_cast<double>(n), root = std::sqrt(steps);
  bound.of_change += terms.of_change;
  bound.bias_of_change += gamma(1) * terms.of_change;
  bound.reach_of_change += 2 * size;
  bound.constant += root * (kFlushOfIntegers * (steps + 8) + gamma(steps + 2) * kLargestInFp32 * (size + of_head));
}

double dropped_part(const RowBound& bound, double x, double t_least, double t_most) {
  const double whole = bound.dropped * x;
  if (!(bound.departure < 1)) return whole;
  const double first = bound.first_of_x * x + bound.first_constant;
  const double inside = std::max(0.0, t_least - first * bound.slack) * down(bound);
  const double outside = x * x * bound.slack - (1 - bound.departure) * inside * inside * down(bound);
  return std::min(whole, bound.dropped * std::sqrt(std::max(0.0, outside)) + bound.overlap * (t_most + first));
}

}  // namespace

RowBound RowBound::with_bias(double norm) const {
  RowBound bound = *this;
  bound.of_x += bias_of_x;
  bound.of_t += bias_of_t;
  bound.of_change += bias_of_change;
  bound.constant += gamma(2) * norm * slack;
  bound.reach += 2 * norm;
  return bound;
}

// The constant keeps every bound far above 2^-126.
float RowBound::operator()(double squares_of_x, double squares_of_t, double squares_of_change) const {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const double x = std::sqrt(squares_of_x) * slack, t = std::sqrt(squares_of_t), t_most = t * slack;
  const double change = std::sqrt(squares_of_change) * slack;
  const double dropped_of_x = dropped_part(*this, x, t * down(*this), t_most);
  const double bound = (dropped_of_x + of_x * x + of_t * t_most + of_change * change + constant) * slack;
  const double largest = reach_of_x * x + reach_of_t * t_most + reach_of_change * change + reach;
  const bool in_range = largest < kTooLarge && bound < kTooLarge;
  return in_range ? rounded_up(bound) : kInfinity;  // NaN compares false
}

float RowBound::norm(double squares_of_x) const {
  const double x = std::sqrt(squares_of_x) * slack;
  if (x == 0) return 0;
  return x < std::numeric_limits<float>::max() ? rounded_up(std::max(x, 0x1p-126))
                                               : std::numeric_limits<float>::infinity();
}

RowBound row_bound_of_dense(int64_t n, const ErrorTerms& terms, double frobenius, float identity_scale) {
  const double a = std::fabs(static_cast<double>(identity_scale)), root = std::sqrt(static_cast<double>(n));
  const auto steps = static_cast<double>(n);
  const double size = frobenius * slack_of(n * n);
  ErrorTerms of_x = terms;
  of_x.of_largest = 0;  // a row's own change takes its place
  RowBound bound{.of_x = certificate(of_x, identity_scale) + kFlushOfTiles * (steps + 1),
                 .constant = kFlushOfTiles * root * (steps + 4 + a + 2 * size + terms.stored),
                 .bias_of_x = gamma(1) * (kRowsRounded * size + terms.sums),
                 .reach_of_x = 2 * (1 + a + kRowsRounded * size),
                 .slack = slack_of(n)};
  if (terms.of_change > 0) add_integers(bound, n, terms, size);
  return bound;
}

RowBound row_bound_of_factors(int64_t n, int64_t rank, const Norms& norms, const FactorTerms& U, const FactorTerms& V,
                              float identity_scale) {
  const double a = std::fabs(static_cast<double>(identity_scale)), slack = slack_of(n * n);
  const auto steps = static_cast<double>(n), columns = static_cast<double>(rank);
  const double size_of_U = U.frobenius * slack, size_of_V = V.frobenius * slack;
  const double flushed_t = kFlush * std::sqrt(steps * columns);
  RowBound bound{.dropped = norms.stored,
                 .departure = norms.departure,
                 .overlap = norms.overlap,
                 .first_of_x = U.sums + flushed_t,
                 .first_constant = kFlush * (std::sqrt(columns) * (steps + 4) + std::sqrt(steps) * size_of_U),
                 .reach_of_x = 2 * (1 + a + size_of_U),
                 .reach_of_t = 2 * (1 + size_of_V),
                 .slack = slack_of(n)};
  bound.of_x = bound.first_of_x * V.norm + kUnit * a + kFlush;
  bound.of_t = V.sums + flushed_t;
  bound.constant = bound.first_constant * V.norm +
                   kFlush * (std::sqrt(steps) * (columns + 4 + a + size_of_U * size_of_V + norms.stored) +
                             std::sqrt(columns) * size_of_V);
  bound.bias_of_t = gamma(1) * (V.norm + V.sums + flushed_t);
  return bound;
}

// The terms of ||x|| are of_change's, too: of_change = norm + sums.
void add_tail(RowBound& bound, int64_t n, const ErrorTerms& terms, double of_tail, double of_head) {
  const double slack = slack_of(n * n), size = of_tail * slack;
  bound.of_x += terms.sums;
  bound.bias_of_x += gamma(1) * terms.of_change;
  bound.reach_of_x += 2 * size;
  bound.constant += kFlush * std::sqrt(static_cast<double>(n)) * size;
  add_integers(bound, n, terms, size, of_head * slack);
}

void RowErrors::write(const KernelTable& kernels, const RowParts& all) const {
  double of_x[kAtOnce], of_t[kAtOnce] = {};
  for (int64_t row = all.rows.begin; row < all.rows.end; row += kAtOnce) {
    const RowParts few = all.part({row, std::min(row + kAtOnce, all.rows.end)});
    const int64_t count = few.rows.size();
    kernels.f32_row_squares({.rows = count, .cols = few.n, .src = few.x, .ld = few.ldx, .squares = of_x});
    if (few.t) kernels.f32_row_squares({.rows = count, .cols = few.rank, .src = few.t, .ld = few.ldt, .squares = of_t});
    for (int64_t i = 0; i < count; ++i) {
      if (at) at[row + i] = (*bound)(of_x[i], of_t[i], few.changes ? few.changes[i] : 0);
      if (norms) norms[row + i] = bound->norm(of_x[i]);
    }
  }
}

}  // namespace idelta::core
