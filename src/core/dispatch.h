// What this CPU and kernel can run, and the kernels that follow from it.
#ifndef IDELTA_CORE_DISPATCH_H
#define IDELTA_CORE_DISPATCH_H

#include <string>

#include "idelta/idelta.h"
#include "kernels/kernels.h"

namespace idelta::core {

struct CpuFeatures {
  std::string brand;
  bool avx2 = false, avx512 = false, avx512_bf16 = false, amx = false;  // by CPUID and XCR0
  std::string avx512_state, amx_state;  // a clause each: what is there, or what is missing
};

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

bool supported(idelta_isa isa);

// The tables up to `isa` laid over each other, lowest first.
const KernelTable& kernels_for(idelta_isa isa);

struct IsaChoice {
  idelta_isa isa;
  std::string reason;
};

// The ISA for a wish (AUTO or forced) and the value of IDELTA_ISA (null: unset). Throws Failure.
IsaChoice choose_isa(idelta_isa wish, const char* environment);

const char* isa_name(idelta_isa isa);  // null for none of ours

}  // namespace idelta::core

#endif  // IDELTA_CORE_DISPATCH_H
