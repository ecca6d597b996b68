// Draws whose bits the standard fixes: std::mt19937_64 with this, for std::uniform_int_distribution is not fixed.
#ifndef IDELTA_NN_DRAW_H
#define IDELTA_NN_DRAW_H

#include <cstdint>
#include <random>

namespace idelta::nn {

// Uniform in [0, bound): draws that would favour small results are drawn again.
inline uint64_t uniform(std::mt19937_64& random, uint64_t bound) {
  const uint64_t uneven = (0 - bound) % bound;  // 2^64 mod bound
  uint64_t draw;
  do draw = random();
  while (draw < uneven);
  return draw % bound;
}

}  // namespace idelta::nn

#endif  // IDELTA_NN_DRAW_H
