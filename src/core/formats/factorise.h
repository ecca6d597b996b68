// D ~ U V of low rank: a randomised range finder with a fixed seed (Halko, Martinsson & Tropp 2011, algorithm 4.4).
// Products with D are made by the kernels of F32, all else in fp64 in a fixed order: the same bits on every ISA and at
// any thread count. No error is estimated here; what is stored is measured against D afterwards.
#ifndef IDELTA_CORE_FORMATS_FACTORISE_H
#define IDELTA_CORE_FORMATS_FACTORISE_H

#include <cstdint>
#include <vector>

#include "src/core/context.h"
#include "src/core/formats/thin_matrix.h"

namespace idelta::core {

// Of an n x n matrix of rank r: U (n x r) with orthonormal columns, V (r x n), row-major without gaps.
struct Factors {
  int64_t n, rank;
  std::vector<float> U, V;
};

// Left singular vectors of D, n x n, as the columns of U, with approximate singular values in descending order.
struct Subspace {
  Thin U;
  std::vector<double> sigma;

  // Singular values above what fp32 can tell from zero, n u times the largest.
  int64_t numerical_rank() const;
};

// The `count` leading ones (n at most) of D, row-major without gaps and finite; none if D is zero.
Subspace leading_subspace(const idelta_context& context, int64_t n, const std::vector<float>& D, int64_t count);

// U are the first `rank` columns of the subspace in fp32, V = U^T D.
Factors factors_of(const idelta_context& context, int64_t n, const std::vector<float>& D, const Subspace& subspace,
                   int64_t rank);

// The same matrix with orthonormal U: of given factors, U (n x r) and V (r x n). The rank shrinks to what U V has.
Factors orthonormal_factors(const Factors& given);

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_FACTORISE_H
