// What a packed delta errs by, row by row: the quantity that certificates bound.
#pragma once

#include <cmath>
#include <vector>

#include "support/fixture.h"
#include "support/reference.h"

namespace idelta_test {

enum class Pass { kForward, kBackwardData };

// |y^ - y|_2 / |x|_2 of each row x, y = a x + x B in fp64: B is the D that was given (or D^T), not what is stored of
// it.
inline std::vector<double> row_errors(const ContextPtr& context, const DeltaPtr& delta, const Matrix& x, const Dense& B,
                                      float a, Pass pass) {
  const Matrix y(x.rows(), x.cols());
  if (pass == Pass::kForward) {
    const idelta_forward_args args = forward_args(x, y);
    EXPECT_OK(idelta_forward(context.get(), delta.get(), &args));
  } else {
    const idelta_backward_data_args args = backward_data_args(x, x, y);
    EXPECT_OK(idelta_backward_data(context.get(), delta.get(), &args));
  }
  const Dense exact = multiply(dense(x), B);
  std::vector<double> errors;
  for (int64_t i = 0; i < x.rows(); ++i) {
    double error = 0, size = 0;
    for (int64_t j = 0; j < x.cols(); ++j) {
      const double own = static_cast<double>(x(i, j));
      error += std::pow(static_cast<double>(y(i, j)) - (exact(i, j) + static_cast<double>(a) * own), 2);
      size += own * own;
    }
    errors.push_back(std::sqrt(error / size));
  }
  return errors;
}

}  // namespace idelta_test
