// Which ISA a context runs, and the kernels that follow from it.
#ifndef IDELTA_CORE_MACHINE_DISPATCH_H
#define IDELTA_CORE_MACHINE_DISPATCH_H

#include <string>

#include "idelta/idelta.h"
#include "kernels/kernels.h"
#include "src/core/machine/cpu_features.h"

namespace idelta::core {

// The tables of all rows up to an ISA whose needs these features meet, overlaid. A pure function.
KernelTable overlaid(FeatureSet features, idelta_isa up_to);

bool supported(FeatureSet features, idelta_isa isa);

struct IsaChoice {
  idelta_isa isa;
  std::string reason;
};

// The ISA for a wish (AUTO or forced) and the value of IDELTA_ISA (null: unset) on a CPU. Throws Failure.
IsaChoice choose_isa(idelta_isa wish, const char* environment, const CpuFeatures& cpu);

const char* isa_name(idelta_isa isa);  // null for an unknown one

}  // namespace idelta::core

#endif  // IDELTA_CORE_MACHINE_DISPATCH_H
