// The calling thread's floating-point control and status register, where there is one.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace idelta_test {

constexpr uint32_t kDefaultMxcsr = 0x1f80;   // what a program starts with: denormals kept, round to nearest
constexpr uint32_t kFlushingMxcsr = 0x9fc0;  // denormals are zero

#if defined(__x86_64__)
constexpr bool kHasMxcsr = true;
inline uint32_t mxcsr() { return _mm_getcsr(); }
inline void set_mxcsr(uint32_t value) { _mm_setcsr(value); }
#else
constexpr bool kHasMxcsr = false;
inline uint32_t mxcsr() { return 0; }
inline void set_mxcsr(uint32_t) {}
#endif

// Sets it, puts the old one back.
class ScopedMxcsr {
 public:
  explicit ScopedMxcsr(uint32_t value) : before_(mxcsr()) { set_mxcsr(value); }
  ~ScopedMxcsr() { set_mxcsr(before_); }
  ScopedMxcsr(const ScopedMxcsr&) = delete;
  ScopedMxcsr& operator=(const ScopedMxcsr&) = delete;

 private:
  uint32_t before_;
};

}  // namespace idelta_test
