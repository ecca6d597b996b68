// See shapes.h.
#include "bench/shapes.h"

#include <algorithm>
#include <cmath>

#include "bench/random.h"

namespace idelta::bench {

std::vector<Shape> grid_of(const std::vector<int64_t>& n, const std::vector<int64_t>& m) {
  std::vector<Shape> shapes;
  for (const int64_t width : n) {
    for (const int64_t rows : m) shapes.push_back({width, rows});
  }
  return shapes;
}

std::vector<Shape> random_shapes(int64_t count, int64_t seed, Range n, Range m) {
  Random random{uint64_t(seed)};
  const auto draw = [&random](Range range) {
    const double low = std::log(double(range.least)), high = std::log(double(range.most) + 1.0);
    const double place = 0.5 * (double(random.uniform(1.0f)) + 1.0);  // in [0, 1)
    return std::clamp(int64_t(std::exp(low + place * (high - low))), range.least, range.most);
  };
  std::vector<Shape> shapes;
  for (int64_t s = 0; s < count; ++s) {
    const int64_t width = draw(n);
    shapes.push_back({width, draw(m)});
  }
  return shapes;
}

}  // namespace idelta::bench
