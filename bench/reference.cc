// See reference.h.
#include "bench/reference.h"

#include <cblas.h>

#include <algorithm>

namespace idelta::bench {

namespace {

CBLAS_TRANSPOSE blas_of(View v) { return v.transposed ? CblasTrans : CblasNoTrans; }

// out (rows x n) = a b
void multiply(int64_t rows, int64_t k, int64_t n, View a, View b, Buffer& out) {
  cblas_sgemm(CblasRowMajor, blas_of(a), blas_of(b), int(rows), int(n), int(k), 1.0f, a.data, int(a.stride), b.data,
              int(b.stride), 0.0f, out.data(), int(n));
}

double row_norm(int64_t i, int64_t k, View a) {
  double squares = 0.0;
  for (int64_t p = 0; p < k; ++p) squares += a.at(i, p) * a.at(i, p);
  return std::sqrt(squares);
}

std::vector<double> column_norms_of(int64_t k, int64_t n, View b) {
  std::vector<double> norms(static_cast<size_t>(n));
  for (int64_t p = 0; p < k; ++p) {
    for (int64_t j = 0; j < n; ++j) norms[size_t(j)] += b.at(p, j) * b.at(p, j);
  }
  for (double& norm : norms) norm = std::sqrt(norm);
  return norms;
}

// Where SGEMM gives the reference, its magnitude is the coarser |a| |b| >= sum |a b|, twice.
class DenseProduct final : public Product {
 public:
  DenseProduct(int64_t rows, int64_t k, int64_t n, View a, View b)
      : Product(rows, k * n), k_(k), n_(n), a_(a), b_(b), single_(rows * n), column_norms_(column_norms_of(k, n, b)) {
    multiply(rows, k, n, a, b, single_);
  }

  RowProduct row(int64_t i) const override {
    if (is_sampled(i)) return row_product(i, k_, n_, a_, b_);
    const double norm = row_norm(i, k_, a_);
    RowProduct product{std::vector<double>(size_t(n_)), std::vector<double>(size_t(n_))};
    for (int64_t j = 0; j < n_; ++j) {
      product.value[size_t(j)] = double(single_[i * n_ + j]);
      product.magnitude[size_t(j)] = 2 * norm * column_norms_[size_t(j)];
    }
    return product;
  }

 private:
  const int64_t k_, n_;
  const View a_, b_;
  Buffer single_;
  const std::vector<double> column_norms_;
};

// a~ b~ - a b = (a~ - a) b~ + a (b~ - b), whose sums are at most |a|_max / 254 sum |b~| and |b|_max / 126 sum |a|;
// sum |b~| <= sum |b| + k |b|_max / 126.
class IntegerProduct final : public Product {
 public:
  IntegerProduct(int64_t rows, int64_t k, int64_t n, View a, View b, bool identity)
      : Product(rows, k * n), k_(k), n_(n), a_(a), exact_(rows, k, n, a, b), sums_(size_t(n)), largest_(size_t(n)) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t p = 0; p < k; ++p) largest_of_a_ = std::max(largest_of_a_, std::fabs(a.at(i, p)));
    }
    for (int64_t p = 0; p < k; ++p) {
      for (int64_t j = 0; j < n; ++j) {
        const double size = std::fabs(b.at(p, j) + (identity && p == j ? 1.0 : 0.0));
        sums_[size_t(j)] += size;
        largest_[size_t(j)] = std::max(largest_[size_t(j)], size);
      }
    }
  }

  RowProduct row(int64_t i) const override {
    double sum = 0.0;
    for (int64_t p = 0; p < k_; ++p) sum += std::fabs(a_.at(i, p));
    RowProduct product = exact_.row(i);
    for (int64_t j = 0; j < n_; ++j) {
      const double step = largest_[size_t(j)] / 126;
      const double rounding = largest_of_a_ / 254 * (sums_[size_t(j)] + double(k_) * step) + step * sum;
      product.magnitude[size_t(j)] += rounding / (kUnit * units(k_));
    }
    return product;
  }

 private:
  const int64_t k_, n_;
  const View a_;
  const DenseProduct exact_;
  double largest_of_a_ = 0.0;
  std::vector<double> sums_, largest_;
};

// Two chains, t = a F and t S, for D = F S. The first errs by u units(n) |a| |F|, which S hands on; the second by
// u units(r) |t| |S|. Whoever multiplies may first rotate F and S against each other, as our packs do, and round the
// new ones. That changes |F| and |S| element by element, but neither ||F||_F nor the norms of the columns of S where U
// has orthonormal columns. So both chains are bounded by norms: u (units(n) + units(r) + 2) |a|_2 ||F||_F |S_j|_2.
class LowRankProduct final : public Product {
 public:
  LowRankProduct(int64_t rows, int64_t n, int64_t rank, View a, View first, View second)
      : Product(rows, 2 * n * rank),
        n_(n),
        rank_(rank),
        a_(a),
        first_(first),
        second_(second),
        single_(rows * n),
        column_norms_(column_norms_of(rank, n, second)) {
    Buffer t(rows * rank);
    multiply(rows, n, rank, a, first, t);
    multiply(rows, rank, n, {t.data(), rank, false}, second, single_);
    double squares = 0.0;
    for (const double norm : column_norms_of(n, rank, first)) squares += norm * norm;
    chains_ = std::sqrt(squares) * (1.0 + (units(rank) + 2.0) / units(n));
  }

  RowProduct row(int64_t i) const override {
    const bool exact = is_sampled(i);
    RowProduct product{exact ? exact_row(i) : std::vector<double>(size_t(n_)), std::vector<double>(size_t(n_))};
    const double norm = (exact ? 1.0 : 2.0) * row_norm(i, n_, a_);
    for (int64_t j = 0; j < n_; ++j) {
      if (!exact) product.value[size_t(j)] = double(single_[i * n_ + j]);
      product.magnitude[size_t(j)] = norm * chains_ * column_norms_[size_t(j)];
    }
    return product;
  }

 private:
  std::vector<double> exact_row(int64_t i) const {
    const std::vector<double> t = row_product(i, n_, rank_, a_, first_).value;
    std::vector<double> row(static_cast<size_t>(n_));
    for (int64_t p = 0; p < rank_; ++p) {
      for (int64_t j = 0; j < n_; ++j) row[size_t(j)] += t[size_t(p)] * second_.at(p, j);
    }
    return row;
  }

  const int64_t n_, rank_;
  const View a_, first_, second_;
  Buffer single_;
  const std::vector<double> column_norms_;
  double chains_ = 0.0;
};

}  // namespace

double units(int64_t k) { return std::min(double(k), 4 * std::sqrt(double(k))) + 3; }

RowProduct row_product(int64_t i, int64_t k, int64_t n, View a, View b) {
  RowProduct sum{std::vector<double>(size_t(n)), std::vector<double>(size_t(n))};
  const auto add = [&](int64_t p, int64_t j) {
    const double product = a.at(i, p) * b.at(p, j);
    sum.value[size_t(j)] += product;
    sum.magnitude[size_t(j)] += std::fabs(product);
  };
  if (!b.transposed) {  // walk B in the order of its memory
    for (int64_t p = 0; p < k; ++p) {
      for (int64_t j = 0; j < n; ++j) add(p, j);
    }
  } else {
    for (int64_t j = 0; j < n; ++j) {
      for (int64_t p = 0; p < k; ++p) add(p, j);
    }
  }
  return sum;
}

// A few million products in fp64 take some ten milliseconds.
bool Product::is_sampled(int64_t i) const {
  constexpr double kProducts = 8e6;
  const int64_t sampled =
      std::clamp<int64_t>(int64_t(kProducts / double(products_a_row_)), std::min<int64_t>(rows_, 4), rows_);
  return i == rows_ - 1 || i * sampled / rows_ != (i - 1) * sampled / rows_ || i == 0;
}

std::unique_ptr<const Product> dense_product(int64_t rows, int64_t k, int64_t n, View a, View b) {
  return std::make_unique<DenseProduct>(rows, k, n, a, b);
}

std::unique_ptr<const Product> integer_product(int64_t rows, int64_t k, int64_t n, View a, View b, bool identity) {
  return std::make_unique<IntegerProduct>(rows, k, n, a, b, identity);
}

std::unique_ptr<const Product> low_rank_product(int64_t rows, View a, const Factors& factors, bool transposed) {
  const int64_t n = factors.n, r = factors.rank;
  const View first = transposed ? View{factors.V.data(), n, true} : View{factors.U.data(), r, false};
  const View second = transposed ? View{factors.U.data(), r, true} : View{factors.V.data(), n, false};
  return std::make_unique<LowRankProduct>(rows, n, r, a, first, second);
}

}  // namespace idelta::bench
