// Rows that stand for those of calls to come, by whose errors a pack may be judged.
#ifndef IDELTA_CORE_FORMATS_SAMPLE_H
#define IDELTA_CORE_FORMATS_SAMPLE_H

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "src/core/formats/matrix.h"

namespace idelta::core {

struct Sample {
  int64_t rows, n;
  std::vector<float> x;       // row-major without gaps
  std::vector<double> norms;  // of each row, rounded down
  double largest_peak = 0;    // ||x||_inf / ||x||_2 of the rows that are not zero

  Sample(const MatrixView& given, int64_t m, int64_t width) : rows(m), n(width), x(dense(given, m, width)) {
    for (int64_t i = 0; i < rows; ++i) {
      double squares = 0, largest = 0;
      for (int64_t j = 0; j < n; ++j) {
        const double value = std::fabs(exact(x[static_cast<size_t>(i * n + j)]));
        squares += value * value;
        largest = std::max(largest, value);
      }
      norms.push_back(std::sqrt(squares) * (1 - static_cast<double>(n + 4) * 0x1p-52));
      if (norms.back() > 0) largest_peak = std::max(largest_peak, largest / norms.back());
    }
  }
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_SAMPLE_H
