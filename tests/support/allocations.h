// malloc's family seen from below, of all threads and all libraries of the program: how often memory is asked for, what
// is still held, and a request that is refused. allocations.cc puts itself before the C library, so a program that
// links it has it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace idelta_test {

struct Allocations {
  int64_t requests;  // since the program began
  int64_t held;      // blocks that were not freed yet
};
Allocations allocations();

enum class Refuse { kOne, kAllFrom };

// From construction to destruction request number `which`, counted from 1, fails as where memory is short; or it and
// all that follow. Requests for less than `least` bytes are neither counted nor refused.
class ScopedRefusal {
 public:
  ScopedRefusal(int64_t which, Refuse how, size_t least = 0);
  ~ScopedRefusal();
  ScopedRefusal(const ScopedRefusal&) = delete;
  ScopedRefusal& operator=(const ScopedRefusal&) = delete;

  bool happened() const;  // so many requests were made
};

}  // namespace idelta_test
