// Products of integers: the integers of a matrix and of rows as the header defines them, the sums that it promises, and
// rows that rounding hurts most.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "support/low_rank.h"
#include "support/row_errors.h"

namespace idelta_test {

inline idelta_delta_options tail_options(int64_t rank, double tolerance = 0, float identity_scale = 1) {
  idelta_delta_options options = low_rank_options(rank, tolerance);
  options.tail = IDELTA_TAIL_INT8;
  options.identity_scale = identity_scale;
  return options;
}

inline Matrix trained(int64_t n, uint64_t seed = 1, double ratio = 0.9) {
  Random random(seed);
  Matrix D(n, n);
  fill_spectrum(D, falling_spectrum(n, 0.3, ratio), random);
  return D;
}

// B ~ s q of one direction, n x n.
struct Integers {
  std::vector<int8_t> q;
  Matrix scales;

  explicit Integers(int64_t n) : q(static_cast<size_t>(n * n)), scales(1, n) {}
  // As they are made of B: the largest of each column becomes 63.
  explicit Integers(const Dense& B) : Integers(B.cols) {
    for (int64_t j = 0; j < B.cols; ++j) {
      float largest = 0;
      for (int64_t k = 0; k < B.rows; ++k) largest = std::max(largest, static_cast<float>(std::fabs(B(k, j))));
      scales(0, j) = largest / 63 < 0x1p-126f ? 0 : largest / 63;
      for (int64_t k = 0; k < B.rows && scales(0, j) > 0; ++k) {
        q[place(k, j)] = static_cast<int8_t>(std::nearbyint(static_cast<float>(B(k, j)) / scales(0, j)));
      }
    }
  }

  int64_t n() const { return scales.cols(); }
  int8_t at(int64_t k, int64_t j) const { return q[place(k, j)]; }
  idelta_int8_tail tail() const { return {q.data(), n(), scales.data()}; }
  // Without roundings.
  Dense product() const {
    Dense all = zeros(n(), n());
    for (int64_t k = 0; k < n(); ++k) {
      for (int64_t j = 0; j < n(); ++j) all(k, j) = static_cast<double>(scales(0, j)) * at(k, j);
    }
    return all;
  }

 private:
  size_t place(int64_t k, int64_t j) const { return static_cast<size_t>(k * n() + j); }
};

inline Integers unpacked_integers(const ContextPtr& context, const DeltaPtr& delta) {
  Integers all(info_of(context, delta).n);
  EXPECT_OK(idelta_delta_unpack_integers(context.get(), delta.get(), all.q.data(), all.n(), all.scales.data()));
  return all;
}

// head + x s q: the integers' sum in one rounding, or for a row that is not finite or too small a chain. Called while
// denormals are zero.
inline std::vector<float> promised_row(const float* x, const std::vector<float>& head, const Integers& B) {
  float largest = 0;
  bool finite = true;
  for (int64_t k = 0; k < B.n(); ++k) {
    largest = std::max(largest, std::fabs(x[k]));
    finite = finite && std::isfinite(x[k]);
  }
  const float scale = largest / 127;
  const bool rounds = finite && largest >= 127 * 0x1p-126f;
  std::vector<float> row(head);
  for (int64_t j = 0; j < B.n(); ++j) {
    float& sum = row[static_cast<size_t>(j)];
    int64_t integers = 0;
    for (int64_t k = 0; k < B.n(); ++k) {
      if (rounds) integers += static_cast<int64_t>(std::nearbyint(x[k] / scale)) * B.at(k, j);
      if (!rounds) sum = std::fma(x[k], B.scales(0, j) * static_cast<float>(B.at(k, j)), sum);
    }
    if (rounds) sum = std::fma(scale * B.scales(0, j), static_cast<float>(integers), sum);
    sum += 0;  // no bias
  }
  return row;
}

// Row i of the contributions, or of dx without a residual. NaN has no promised bits.
inline void expect_promised(View actual, int64_t i, const std::vector<float>& expected) {
  for (int64_t j = 0; j < actual.cols; ++j) {
    const float sum = expected[static_cast<size_t>(j)];
    ASSERT_TRUE(bits(sum) == bits(actual(i, j)) || (std::isnan(sum) && std::isnan(actual(i, j))))
        << "row " << i << " column " << j << ": " << actual(i, j) << ", not " << sum;
  }
}

// Random rows among which some are zero, not finite, or so small that their scale is not a normal number; of the last,
// which are multiplied in fp32, also 20 in a row: more than a tile has.
inline void fill_special_rows(const Matrix& x, Random& random) {
  constexpr float kLeast = 0x1.fcp-120f;  // the smallest one that is rounded
  fill_uniform(x, random);
  for (int64_t i = 0; i < x.rows(); ++i) {
    const float sizes[] = {1, 1e-37f, 1, 0, 1e30f, 1e-41f, kLeast, 1, 1};
    const bool crowd = i / 20 % 2 == 1;
    for (int64_t j = 0; j < x.cols(); ++j) x(i, j) *= crowd ? 1e-37f : sizes[i % 9];
    const int64_t place = random.below(x.cols());
    if (i % 9 == 2) x(i, place) = random.below(2) == 0 ? std::nanf("") : std::numeric_limits<float>::infinity();
    if (i % 9 == 6 && !crowd) x(i, place) = kLeast;
  }
}

// One large entry, and below it ties of the signs of the leading singular vector of what is multiplied as integers,
// each just on the wrong side; the same with steps; what is dropped; B's own; plain ones, signs, spikes; at several
// sizes.
inline void fill_ties(const Matrix& x, const Dense& B, const Dense& integers, const Dense& dropped, Random& random) {
  std::vector<double> of_integers, of_B, of_dropped;
  spectral_norm(integers, &of_integers), spectral_norm(B, &of_B), spectral_norm(dropped, &of_dropped);
  const double sizes[] = {1, 0x1p30, 0x1p-30, 1e-30};
  for (int64_t i = 0; i < x.rows(); ++i) {
    const int64_t spike = random.below(x.cols());
    for (int64_t j = 0; j < x.cols(); ++j) {
      const auto at = static_cast<size_t>(j);
      const double tie = std::copysign(0.499, of_integers[at]), any = static_cast<double>(random.uniform(-127, 127));
      const double shapes[] = {j == spike ? 127 : tie,
                               j == spike ? 127 : std::round(100 * of_B[at]) + tie,
                               127 * of_dropped[at],
                               127 * of_B[at],
                               any,
                               j == spike ? 127.0 : 0.0,
                               j == spike ? 127 : 20 * of_dropped[at] + tie,
                               std::copysign(127.0, of_integers[at])};
      x(i, j) = static_cast<float>(sizes[i / 8 % 4] * shapes[i % 8]);
    }
  }
}

// The largest shares that errors take of the certificate, of its two parts and, forward, of the row's bound.
struct Shares {
  double whole = 0, parts = 0, row = 0;
  double most() const { return std::max({whole, parts, row}); }
};

// D was packed; integers: what of D~, in this direction, is multiplied as such; stored: D~.
inline Shares attack_by_ties(const ContextPtr& context, const DeltaPtr& delta, const Matrix& D, Pass pass,
                             const Dense& integers, const Dense& stored) {
  constexpr int64_t m = 64;
  const int64_t n = D.cols();
  const bool forward = pass == Pass::kForward;
  const idelta_delta_info_t info = info_of(context, delta);
  const double whole = forward ? info.certificate : info.certificate_backward_data;
  const double of_largest = forward ? info.certificate_inf : info.certificate_inf_backward_data;
  const Dense B = forward ? dense(D) : transpose(dense(D));
  Dense dropped = B;
  for (size_t i = 0; i < dropped.at.size(); ++i) dropped.at[i] -= stored.at[i];
  Random random(5);
  const Matrix x(m, n), y(m, n), bounds(1, m);
  fill_ties(x, B, integers, dropped, random);
  const std::vector<double> errors = row_errors(context, delta, x, B, info.identity_scale, pass);
  if (forward) {
    idelta_forward_args args = forward_args(x, y);
    args.row_error = bounds.data();
    EXPECT_OK(idelta_forward(context.get(), delta.get(), &args));
  }
  Shares shares;
  for (int64_t i = 0; i < m; ++i) {
    double squares = 0, largest = 0;
    for (int64_t j = 0; j < n; ++j) {
      const double size = std::fabs(static_cast<double>(x(i, j)));
      squares += size * size, largest = std::max(largest, size);
    }
    const double size = std::sqrt(squares), error = errors[static_cast<size_t>(i)] * size;
    if (forward) shares.row = std::max(shares.row, error / static_cast<double>(bounds(0, i)));
    if (largest * static_cast<double>(info.norm_max) < 0x1p-110) continue;  // certificates promise nothing there
    shares.whole = std::max(shares.whole, error / (whole * size));
    shares.parts = std::max(shares.parts, error / ((whole - of_largest) * size + of_largest * largest));
  }
  return shares;
}

}  // namespace idelta_test
