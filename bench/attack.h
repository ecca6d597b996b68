// Rows that are made to break the certificate of a packed delta.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/problem.h"

namespace idelta::bench {

using Vector = std::vector<double>;

double norm(const Vector& v);

// Of unit length, left A = s right for the largest singular value s of A (n x n); zero if A is. By power iteration:
// what it falls short of weakens the attack and nothing else.
struct SingularPair {
  Vector left, right;
};
SingularPair leading_pair(int64_t n, const Vector& A);

// 3 x n, from singular vectors of what a format drops, D - D~, and of what it keeps, D~: rows that meet what is dropped
// head on; that are rounded to bf16 along what is kept; and the sum of both. The second has the signs and the nearest
// powers of two of `kept`, each just below a tie, so that bf16 takes nearly 2^-8 of every entry.
Buffer attack_rows(const Vector& dropped, const Vector& kept);

}  // namespace idelta::bench
