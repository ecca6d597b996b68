// Seeded numbers that are the same on every compiler, and ways to fill a matrix with them.
#pragma once

#include <cmath>
#include <cstdint>

#include "support/guard_buffer.h"

namespace idelta_test {

// splitmix64 (Steele, Lea, Flood 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // 0 <= value < count
  int64_t below(int64_t count) { return static_cast<int64_t>(next() % static_cast<uint64_t>(count)); }
  float uniform(float low, float high) {
    return low + (high - low) * static_cast<float>(static_cast<double>(next() >> 11) * 0x1p-53);
  }

 private:
  uint64_t state_;
};

template <class Generate>
void fill(const Matrix& a, Generate&& generate) {
  for (int64_t i = 0; i < a.rows(); ++i) {
    for (int64_t j = 0; j < a.cols(); ++j) a(i, j) = generate();
  }
}

inline void fill_uniform(const Matrix& a, Random& random, float magnitude = 1.0f) {
  fill(a, [&] { return random.uniform(-magnitude, magnitude); });
}

// Integers of at most `largest` in magnitude: products and sums below 2^24 are then exact in any order.
inline void fill_integers(const Matrix& a, Random& random, int64_t largest) {
  fill(a, [&] { return static_cast<float>(random.below(2 * largest + 1) - largest); });
}

// A delta of spectral norm about 0.6, whatever n is.
inline void fill_delta(const Matrix& D, Random& random) {
  fill_uniform(D, random, 0.5f / std::sqrt(static_cast<float>(D.cols())));
}

}  // namespace idelta_test
