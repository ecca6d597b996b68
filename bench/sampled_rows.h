// Rows of a forward pass in fp64, made once, and how far results are from them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/problem.h"

namespace idelta::bench {

class SampledRows {
 public:
  // At most 64 of the m rows of y = finish(x + x D, column), spread evenly. finish is 1-Lipschitz.
  SampledRows(int64_t m, int64_t n, const Buffer& x, const Buffer& D,
              const std::function<double(double z, int64_t column)>& finish);

  // The largest || y^ - y ||_2 / || x ||_2; NaN if a row's is. Throws if it is beyond `bound`, which is proved of
  // z = x + x D, by more than the roundings of what follows.
  double largest_error(const std::string& name, const Buffer& y, double bound) const;

 private:
  const int64_t n_;
  std::vector<int64_t> rows_;
  std::vector<double> y_, norms_;  // rows x n; || x ||_2 of each
};

}  // namespace idelta::bench
