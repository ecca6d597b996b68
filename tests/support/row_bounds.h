// forward with row_error: the bound of each row beside the error that fp64 finds.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "support/fixture.h"
#include "support/reference.h"

namespace idelta_test {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct BoundedRows {
  std::vector<double> errors;  // || z^ - z ||_2
  std::vector<double> bounds;  // row_error
};

// Of z = a x + x D + b with the D that was packed; bias 1 x n, or null.
inline BoundedRows bounded_rows(const ContextPtr& context, const DeltaPtr& delta, const Matrix& x, const Dense& D,
                                float a, const Matrix* bias = nullptr) {
  const int64_t m = x.rows(), n = x.cols();
  const Matrix y(m, n), row_error(1, m);
  idelta_forward_args args = forward_args(x, y);
  args.bias = bias ? bias->data() : nullptr;
  args.row_error = row_error.data();
  EXPECT_OK(idelta_forward(context.get(), delta.get(), &args));
  EXPECT_TRUE(row_error.surroundings_untouched());
  const Dense exact = multiply(dense(x), D);
  BoundedRows rows;
  for (int64_t i = 0; i < m; ++i) {
    double squares = 0;
    for (int64_t j = 0; j < n; ++j) {
      const double z = exact(i, j) + static_cast<double>(a) * static_cast<double>(x(i, j)) +
                       (bias ? static_cast<double>((*bias)(0, j)) : 0);
      squares += std::pow(static_cast<double>(y(i, j)) - z, 2);
    }
    rows.errors.push_back(std::sqrt(squares));
    rows.bounds.push_back(static_cast<double>(row_error(0, i)));
  }
  return rows;
}

inline void expect_bounded(const BoundedRows& rows, const std::string& what) {
  for (size_t i = 0; i < rows.errors.size(); ++i) {
    ASSERT_LE(rows.errors[i], rows.bounds[i]) << what << ": row " << i;
    ASSERT_LT(rows.bounds[i], static_cast<double>(kInfinity)) << what << ": row " << i;
  }
}

// The largest share of its bound that a row's error takes.
inline double largest_share(const BoundedRows& rows) {
  double share = 0;
  for (size_t i = 0; i < rows.errors.size(); ++i) share = std::max(share, rows.errors[i] / rows.bounds[i]);
  return share;
}

// Rows of every size and shape: random ones, spikes, zeros, powers of two just below a tie of bf16, and rows that are
// huge, tiny, or denormal in part or altogether.
inline void fill_unlike_rows(const Matrix& x, Random& random) {
  const float sizes[] = {1.0f, 1e-30f, 1e30f, 1e-3f, 1e4f, 1e-36f, 1e-42f, 0.0f, 1.0f};
  for (int64_t i = 0; i < x.rows(); ++i) {
    const float size = sizes[i % 9];
    const int64_t spike = random.below(x.cols());
    for (int64_t j = 0; j < x.cols(); ++j) {
      const float value = random.uniform(-1, 1);
      const float shapes[] = {value, std::copysign(1 + 0x1.fep-9f, value), j == spike ? 1.0f : 0.0f,
                              random.below(2) == 0 ? value * 1e-39f : value};
      x(i, j) = size * shapes[i / 9 % 4];
    }
  }
}

}  // namespace idelta_test
