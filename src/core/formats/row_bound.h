// Bounds the error of one row of forward by the row's own norms (idelta_forward_args.row_error). The terms are those of
// the certificate; row_bound.cc proves the rest.
#ifndef IDELTA_CORE_FORMATS_ROW_BOUND_H
#define IDELTA_CORE_FORMATS_ROW_BOUND_H

#include <cstdint>
#include <limits>

#include "kernels/kernels.h"
#include "src/core/formats/certificate.h"
#include "src/core/plan/blocking.h"

namespace idelta::core {

// Coefficients of ||x||, of ||t^||, t^ the computed t = x U of LOW_RANK, and of ||x - x~||, x~ the row as integers.
// Formats without t or x~ have norms of 0 there.
struct RowBound {
  double of_x = 0, of_t = 0, of_change = 0, constant = 0;
  double bias_of_x = 0, bias_of_t = 0, bias_of_change = 0;  // added to them if there is a bias

  // LOW_RANK, with E = D - D~: ||x E|| is at most ||E|| ||x||, and less the more of x lies in the span of U.
  double dropped = 0;                                          // of ||E||
  double departure = std::numeric_limits<double>::infinity();  // of ||U^T U - I||
  double overlap = 0;                                          // of ||U^T E||
  double first_of_x = 0, first_constant = 0;                   // ||t^ - x U|| <= first_of_x ||x|| + first_constant

  // No intermediate number exceeds reach_of_x ||x|| + reach_of_t ||t^|| + reach_of_change ||x - x~|| + reach.
  double reach_of_x = 0, reach_of_t = 0, reach_of_change = 0, reach = 0;

  double slack = 1;  // for the roundings of the bound itself and of the squares

  // For calls with a bias of this norm.
  RowBound with_bias(double norm) const;

  // || z^ - z ||_2 of a row whose ||x||^2, ||t^||^2 and ||x - x~||^2 these are, rounded up; infinity where anything is
  // not finite.
  float operator()(double squares_of_x, double squares_of_t, double squares_of_change = 0) const;
  // ||x||_2 of a row, rounded up; infinity where it is not finite.
  float norm(double squares_of_x) const;
};

// For a format that multiplies a dense D~ (n x n) of this Frobenius norm.
RowBound row_bound_of_dense(int64_t n, const ErrorTerms& terms, double frobenius, float identity_scale);

// U (n x rank) or V (rank x n) of LOW_RANK.
struct FactorTerms {
  double norm, frobenius;
  double sums;  // ErrorTerms::sums of a product with it
};
RowBound row_bound_of_factors(int64_t n, int64_t rank, const Norms& norms, const FactorTerms& U, const FactorTerms& V,
                              float identity_scale);
// Adds a product with integers, the tail of LOW_RANK (n x n). Frobenius norms: of the tail, and the product of those of
// U and V.
void add_tail(RowBound& bound, int64_t n, const ErrorTerms& terms, double of_tail, double of_head);

// What a row's bound is made of, of some rows: x, where it has them t, and || x - x~ ||^2.
struct RowParts {
  Range rows;      // of the call's
  const float* x;  // n columns
  int64_t ldx, n;
  const float* t = nullptr;
  int64_t ldt = 0, rank = 0;
  const double* changes = nullptr;

  RowParts part(Range of) const {
    const int64_t row = of.begin - rows.begin;
    return {of, x + row * ldx, ldx, n, t ? t + row * ldt : nullptr, ldt, rank, changes ? changes + row : nullptr};
  }
};

// Where the errors of a call's rows go, and the norms of the rows; null: nowhere.
struct RowErrors {
  float* at = nullptr;
  float* norms = nullptr;
  const RowBound* bound = nullptr;

  bool wanted() const { return at || norms; }
  // Rows that are measured at once.
  static constexpr int64_t kAtOnce = 32;
  void write(const KernelTable& kernels, const RowParts& all) const;
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_ROW_BOUND_H
