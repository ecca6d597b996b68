// The largest eigenvalue of a symmetric matrix, bounded with proof.
#ifndef IDELTA_CORE_FORMATS_LARGEST_EIGENVALUE_H
#define IDELTA_CORE_FORMATS_LARGEST_EIGENVALUE_H

#include <cstdint>
#include <vector>

#include "src/core/context.h"

namespace idelta::core {

// An upper bound for symmetric S (n x n) with entries below 2^300. It is usually too large by `near` (> 0), or by the
// error of Lanczos' iteration if that is more, at most 0.4 % of the spectrum's width. The same bits with any number of
// threads.
double largest_eigenvalue_bound(const idelta_context& context, int64_t n, const std::vector<double>& S, double near);

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_LARGEST_EIGENVALUE_H
