// What the checks of stages (passes.cc) are made from: the judge of single elements, and the products that a result is
// judged by, with their error bounds.
//
// A sum of k products in any order is off by at most (k+3) u sum |a b|, u = 2^-24 (Higham, Accuracy and Stability,
// 3.1). At k = 4096 that lets an error of 0.5 % pass, so the bound here is the one of Higham and Mary (A new approach
// to probabilistic rounding error analysis, 2019): (4 sqrt(k) + 3) u sum |a b|. If rounding errors are independent and
// uniform, the worst sum, all products of one sign, has a standard deviation of sqrt(k) / 3 units, a twelfth of that;
// one of both signs is smaller by another sqrt(k). The identity adds 2 u |x| when it is apart, and is one of the
// products when it is inside W. hard_tanh is 1-Lipschitz, so what bounds z bounds y.
#pragma once

#include <memory>
#include <string>

#include "bench/problem.h"
#include "bench/reference.h"

namespace idelta::bench {

struct Verdict {
  double relative_error = 0.0;  // 2-norm over the sampled rows of the pass' main result: y, dx, dD or the new weights
  std::string failure;          // empty if every element is within its bound; else the first that is not
};

// An implementation that flushes denormals, or a product that underflows, errs by less than this.
inline constexpr double kTiny = 0x1p-126;

// Collects elements: keeps the first failure, and the norms of error and reference of the last result, over the rows
// that are known in fp64.
class Judge {
 public:
  void begin_result(const char* name);
  void begin_row(int64_t row, bool exact) { row_ = row, exact_ = exact; }
  void element(int64_t column, double got, double wanted, double bound);
  Verdict verdict() const;

 private:
  std::string failure_;
  const char* result_ = "";
  int64_t row_ = 0;
  bool exact_ = true;
  double error_squares_ = 0.0, wanted_squares_ = 0.0;
};

// A result and what it was made from.
struct Check {
  const Problem& problem;
  const Inputs& inputs;
  const Buffer& delta;  // the D and b that the result was made with
  const Buffer& bias;
  const Factors* factors;  // of D, if it is of low rank; else null
  const LayerMemory& memory;
  bool identity_apart, identity_in_weights;    // see ImplementationEntry and Implementation
  double operand_rounding, gradient_rounding;  // see Implementation
  Judge& judge;

  // a D, a: m x n; or a D^T.
  std::unique_ptr<const Product> times_delta(const Buffer& a, bool transposed) const;
  // Of x + x D (+ b), from sum |x D| (+ |b|).
  double residual_bound(double magnitude, double x) const;
  // x^T dz, and the column sums of dz.
  std::unique_ptr<const Product> gradient() const;
  RowProduct bias_gradient() const;
};

}  // namespace idelta::bench
