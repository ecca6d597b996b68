// The largest eigenvalue of a symmetric matrix, bounded with proof.
#ifndef IDELTA_CORE_FORMATS_LARGEST_EIGENVALUE_H
#define IDELTA_CORE_FORMATS_LARGEST_EIGENVALUE_H

#include <cstdint>
#include <vector>

#include "src/core/context.h"

namespace idelta::core {

// From above, for S (n x n) symmetric with entries below 2^300. As a rule it is off by `near` (> 0), or what Lanczos'
// iteration is off by if that is more, at most 0.4 % of the distance between the smallest and the largest eigenvalue.
// The same bits at any thread count.
double largest_eigenvalue_bound(const idelta_context& context, int64_t n, const std::vector<double>& S, double near);

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_LARGEST_EIGENVALUE_H
