// What a result is judged by: rows of x D in fp64, and the magnitude that their bound scales with (verify.cc).
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "bench/factors.h"
#include "bench/problem.h"

namespace idelta::bench {

inline constexpr double kUnit = 0x1p-24;

// Errors of a sum of k products in units of u sum |a b|: worst case or probable, whichever is less (verify.cc).
double units(int64_t k);

// A dense row-major matrix of `stride` columns, or its transpose.
struct View {
  const float* data;
  int64_t stride;
  bool transposed;
  double at(int64_t i, int64_t j) const { return double(transposed ? data[j * stride + i] : data[i * stride + j]); }
};

// One row of A B, and what times u units(k) bounds the error of each element: |A| |B|, or what is no less.
struct RowProduct {
  std::vector<double> value, magnitude;
};

// In fp64.
RowProduct row_product(int64_t i, int64_t k, int64_t n, View a, View b);

// All rows of a product: some in fp64, evenly spread with the first and the last among them; the others by SGEMM, whose
// own error their magnitude allows for.
class Product {
 public:
  Product(int64_t rows, int64_t products_a_row) : rows_(rows), products_a_row_(products_a_row) {}
  virtual ~Product() = default;
  bool is_sampled(int64_t i) const;
  virtual RowProduct row(int64_t i) const = 0;

 private:
  const int64_t rows_, products_a_row_;
};

// a b, a: rows x k, b: k x n.
std::unique_ptr<const Product> dense_product(int64_t rows, int64_t k, int64_t n, View a, View b);

// The same for products of integers: rows of a are rounded to 127ths of the largest entry of all, columns of b and, if
// it is inside b, the identity to 63rds.
std::unique_ptr<const Product> integer_product(int64_t rows, int64_t k, int64_t n, View a, View b, bool identity);

// a D or a D^T (transposed), D = U V of the factors in fp64.
std::unique_ptr<const Product> low_rank_product(int64_t rows, View a, const Factors& factors, bool transposed);

}  // namespace idelta::bench
