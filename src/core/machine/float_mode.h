// The floating-point mode of every call, on every thread that works for it: denormals are read as zero and results
// below 2^-126 become zero (x86: DAZ and FTZ), round to nearest, no traps.
//
// Flushing changes results by less than 2^-126 a term. It saves Intel cores about 150 cycles for each denormal, which
// decaying momentum can produce; on Zen 5 it is free and gains nothing. AMX and vdpbf16ps always flush. The rest of the
// mode is set because results must not depend on the mode of the thread that computes them.
//
// Other architectures than x86-64 keep their mode.
#ifndef IDELTA_CORE_MACHINE_FLOAT_MODE_H
#define IDELTA_CORE_MACHINE_FLOAT_MODE_H

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace idelta::core {

#if defined(__x86_64__)

// Sets the mode and restores the old one with its exception flags, which would else depend on the number of threads.
// About 9 ns a call (Zen 5).
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
  FloatMode() {}  // not trivial, which silences a warning about unused variables
};

#endif

}  // namespace idelta::core

#endif  // IDELTA_CORE_MACHINE_FLOAT_MODE_H
