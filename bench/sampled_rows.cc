// See sampled_rows.h.
#include "bench/sampled_rows.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>

#include "bench/reference.h"

namespace idelta::bench {

SampledRows::SampledRows(int64_t m, int64_t n, const Buffer& x, const Buffer& D,
                         const std::function<double(double z, int64_t column)>& finish)
    : n_(n) {
  constexpr int64_t kRows = 32;
  for (int64_t i = 0; i < m; i += std::max<int64_t>(1, m / kRows)) {
    const RowProduct xD = row_product(i, n, n, {x.data(), n, false}, {D.data(), n, false});
    double squares = 0.0;
    for (int64_t j = 0; j < n; ++j) {
      const double x_j = x[i * n + j];
      y_.push_back(finish(x_j + xD.value[size_t(j)], j));
      squares += x_j * x_j;
    }
    rows_.push_back(i);
    norms_.push_back(std::sqrt(squares));
  }
}

double SampledRows::largest_error(const std::string& name, const Buffer& y, double bound) const {
  double largest = 0.0;
  for (size_t r = 0; r < rows_.size(); ++r) {
    double squares = 0.0;
    for (int64_t j = 0; j < n_; ++j) {
      const double error = double(y[rows_[r] * n_ + j]) - y_[r * size_t(n_) + size_t(j)];
      squares += error * error;
    }
    const double relative = std::sqrt(squares) / norms_[r];
    if (relative > largest || std::isnan(relative)) largest = relative;  // NaN stays
  }
  if (largest <= bound + 8 * kUnit) return largest;
  char text[80];
  std::snprintf(text, sizeof text, " errs by %.3g, more than what is proved, %.3g", largest, bound);
  throw std::runtime_error(name + text);
}

}  // namespace idelta::bench
