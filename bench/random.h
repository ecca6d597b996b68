// Pseudo-random inputs that are the same on every machine.
#pragma once

#include <cstdint>

#include "bench/problem.h"

namespace idelta::bench {

// splitmix64 (Steele, Lea, Flood 2014): a few instructions a number, the same on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  float uniform(float half_width) {
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (float(z >> 40) * 0x1p-23f - 1.0f) * half_width;
  }

 private:
  uint64_t state_;
};

inline Buffer random_buffer(Random& random, int64_t count, float half_width) {
  Buffer buffer(count);
  for (int64_t i = 0; i < count; ++i) buffer[i] = random.uniform(half_width);
  return buffer;
}

}  // namespace idelta::bench
