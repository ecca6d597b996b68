// The floating-point mode of every call, on every thread that works for it: denormals are read as zero and results
// below 2^-126 become zero (x86: DAZ and FTZ), round to nearest, no traps.
//
// Why flush: results change by less than 2^-126 a term, while an Intel core takes about 150 cycles for each denormal
// that it reads or makes, and training can make many: the momentum of pixels that are rarely on decays that far.
// AMX and vdpbf16ps flush whatever the mode is, so formats would otherwise differ in more than their rounding.
// Why the rest: bits must not depend on the thread that does the work, whose mode may not be the caller's.
//
// On an EPYC Turin (Zen 5, 2026-11) it is free and gains nothing: n = 794, m = 128, one thread, forward 0.81 ms and an
// update with momentum 1.7 ms, with and without it, whether all of x or of the momentum is random, mostly zero or
// denormal; six thousand images of training, which meet no denormal in an epoch, 3.8 s. It is for Intel's cores, not
// measured here.
//
// Elsewhere than on x86-64 the mode stays as it is.
#ifndef IDELTA_CORE_MACHINE_FLOAT_MODE_H
#define IDELTA_CORE_MACHINE_FLOAT_MODE_H

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace idelta::core {

#if defined(__x86_64__)

// Sets the mode and puts back what was there, exception flags included: who reads those would else find what depends
// on the number of threads. About 9 ns a call (Zen 5).
class FloatMode {
 public:
  FloatMode() : before_(_mm_getcsr()), changed_((before_ & ~kFlags) != kMode) {
    if (changed_) _mm_setcsr(kMode);
  }
  ~FloatMode() {
    if (changed_ || _mm_getcsr() != before_) _mm_setcsr(before_);
  }
  FloatMode(const FloatMode&) = delete;
  FloatMode& operator=(const FloatMode&) = delete;

 private:
  static constexpr uint32_t kFlags = 0x3f;   // sticky exceptions
  static constexpr uint32_t kMode = 0x9fc0;  // FTZ, all exceptions masked, DAZ
  uint32_t before_;
  bool changed_;
};

#else

struct FloatMode {
  FloatMode() {}  // not trivial, so that it may stand unused
};

#endif

}  // namespace idelta::core

#endif  // IDELTA_CORE_MACHINE_FLOAT_MODE_H
