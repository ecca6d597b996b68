// What this CPU and its operating system offer, by CPUID and XCR0, never by model number.
#ifndef IDELTA_CORE_MACHINE_CPU_FEATURES_H
#define IDELTA_CORE_MACHINE_CPU_FEATURES_H

#include <string>

#include "src/core/machine/kernel_rows.h"

namespace idelta::core {

struct CpuFeatures {
  std::string brand;
  FeatureSet set = 0;
  std::string avx512_state, amx_state;  // what is there, or what is missing
};

// Of this machine, detected once. IDELTA_AMX=refused acts as if Linux had refused tiles; other values throw Failure.
const CpuFeatures& cpu_features();

// AMX by CPUID and XCR0: tile registers, number formats, whether tiles are saved, and the highest palette.
struct AmxOffer {
  bool tiles, bf16, int8, saved;
  unsigned palettes;
};
struct AmxState {
  bool usable;
  std::string text;
};
// permitted() asks the operating system; it is called only if everything else is there.
AmxState amx_state(const AmxOffer& offer, bool (*permitted)());

}  // namespace idelta::core

#endif  // IDELTA_CORE_MACHINE_CPU_FEATURES_H
