// Which n and m are measured.
#pragma once

#include <cstdint>
#include <vector>

namespace idelta::bench {

struct Shape {
  int64_t n, m;
};

struct Range {
  int64_t least, most;
};

// Every n with every m.
std::vector<Shape> grid_of(const std::vector<int64_t>& n, const std::vector<int64_t>& m);

// Shapes that nobody listed: log-uniform in both ranges, the same on every machine for the same seed.
std::vector<Shape> random_shapes(int64_t count, int64_t seed, Range n, Range m);

}  // namespace idelta::bench
