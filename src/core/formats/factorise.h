// D ~ U V of low rank: a randomised range finder with a fixed seed (Halko, Martinsson & Tropp 2011, algorithm 4.4).
// Products with D use the kernels of F32, all else is fp64 in a fixed order: the same bits on every ISA with any number
// of threads. The error is not estimated here; the result is measured against D afterwards.
#ifndef IDELTA_CORE_FORMATS_FACTORISE_H
#define IDELTA_CORE_FORMATS_FACTORISE_H

#include <cstdint>
#include <map>
#include <vector>

#include "src/core/context.h"
#include "src/core/formats/thin_matrix.h"

namespace idelta::core {

// An n x n matrix of rank r: U (n x r) with orthonormal columns times V (r x n), both row-major without gaps.
struct Factors {
  int64_t n, rank;
  std::vector<float> U, V;
};

// Those of the transposed matrix; its U need not be orthonormal.
Factors transposed(const Factors& factors);

// Left singular vectors of D as columns of U, and approximate singular values, largest first.
struct Subspace {
  Thin U;
  std::vector<double> sigma;

  // The number of singular values above n u times the largest, which is zero to fp32.
  int64_t numerical_rank() const;
};

// The `count` <= n leading ones of D, which is row-major without gaps and finite; none if D is zero.
Subspace leading_subspace(const idelta_context& context, int64_t n, const std::vector<float>& D, int64_t count);

// Those of one D, each found once.
class Subspaces {
 public:
  const Subspace& leading(const idelta_context& context, int64_t n, const std::vector<float>& D, int64_t count) {
    const auto known = found_.find(count);
    return known != found_.end() ? known->second
                                 : found_.emplace(count, leading_subspace(context, n, D, count)).first->second;
  }

 private:
  std::map<int64_t, Subspace> found_;  // by count
};

// U are the first `rank` columns of the subspace in fp32, V = U^T D.
Factors factors_of(const idelta_context& context, int64_t n, const std::vector<float>& D, const Subspace& subspace,
                   int64_t rank);

// The same matrix with an orthonormal U. The rank shrinks to that of U V.
Factors orthonormal_factors(const Factors& given);

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_FACTORISE_H
