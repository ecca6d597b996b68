// Whole numbers cut into parts.
#ifndef IDELTA_CORE_BASE_RANGE_H
#define IDELTA_CORE_BASE_RANGE_H

#include <cstdint>

namespace idelta::core {

constexpr int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }
constexpr int64_t ceil_div(int64_t value, int64_t divisor) { return (value + divisor - 1) / divisor; }

struct Range {
  int64_t begin, end;
  int64_t size() const { return end - begin; }
  friend bool operator==(const Range&, const Range&) = default;
};

// Part `index` of [0, total), cut into `parts` whose sizes differ by at most one.
inline Range part_of(int64_t total, int64_t parts, int64_t index) {
  const int64_t size = total / parts, larger = total % parts;
  const int64_t begin = index * size + (index < larger ? index : larger);
  return {begin, begin + size + (index < larger ? 1 : 0)};
}

}  // namespace idelta::core

#endif  // IDELTA_CORE_BASE_RANGE_H
