// Deltas of low rank: D = U V in the formats lr8, lr16, ... (the number is the rank r), and lr8+int8, ..., where idelta
// adds a tail in INT8.
#pragma once

#include <cstdint>
#include <string>

#include "bench/problem.h"

namespace idelta::bench {

// Those that are measured. The usual run takes two of them; a filter that says lr chooses among all of them.
inline constexpr int64_t kRanks[] = {8, 16, 32, 64, 128, 256};
inline constexpr bool is_usual_rank(int64_t rank) { return rank == 32 || rank == 64; }

// "lr32" of 32; "lr32+int8" with a tail.
std::string low_rank_name(int64_t rank, bool tail = false);
// 32 of "lr32" and of "lr32+int8"; 0 where D is dense.
int64_t rank_of(const std::string& format);
bool has_tail(const std::string& format);

// Two products by factors are cheaper than one by D.
inline bool pays(int64_t rank, int64_t n) { return 2 * rank < n; }

// U: n x r with orthonormal columns, V: r x n. ||U V||_2 is about 0.3.
struct Factors {
  int64_t n, rank;
  Buffer U, V;
};

// Pseudo-random from n and rank alone, beside a trained model too: the time does not depend on the values.
Factors random_factors(int64_t n, int64_t rank);

// The same for every implementation: made once, kept for the whole run.
const Factors& factors_for(int64_t n, int64_t rank);

}  // namespace idelta::bench
