// What this CPU and its operating system offer, by CPUID and XCR0; never by model number.
#ifndef IDELTA_CORE_MACHINE_CPU_FEATURES_H
#define IDELTA_CORE_MACHINE_CPU_FEATURES_H

#include <string>

#include "src/core/machine/kernel_rows.h"

namespace idelta::core {

struct CpuFeatures {
  std::string brand;
  FeatureSet set = 0;
  std::string avx512_state, amx_state;  // a clause each: what is there, or what is missing
};

// Of this machine, found once; with IDELTA_AMX=refused as if Linux had refused permission. Throws Failure for another
// value of that.
const CpuFeatures& cpu_features();

// What CPUID and XCR0 say of AMX: tile registers, their number formats, whether they are saved, and the highest
// palette.
struct AmxOffer {
  bool tiles, bf16, int8, saved;
  unsigned palettes;
};
struct AmxState {
  bool usable;
  std::string text;
};
// `permitted` asks the operating system, and is called only if all else is there.
AmxState amx_state(const AmxOffer& offer, bool (*permitted)());

}  // namespace idelta::core

#endif  // IDELTA_CORE_MACHINE_CPU_FEATURES_H
