// A context: kernels, caches and threads, chosen once.
#ifndef IDELTA_CORE_CONTEXT_H
#define IDELTA_CORE_CONTEXT_H

#include <memory>
#include <string>

#include "idelta/idelta.h"
#include "kernels/kernels.h"
#include "src/core/machine/cpu_features.h"
#include "src/core/plan/blocking.h"
#include "src/core/plan/partition.h"
#include "src/core/threads/parallel.h"

struct idelta_context {
  idelta_isa isa;
  idelta::core::FeatureSet features;  // of the CPU
  idelta::KernelTable kernels;
  idelta::core::CacheSizes caches;
  idelta::core::Parallel parallel;
  idelta::core::Placement placement;
  bool bf16_dot;  // x is rounded to bf16 for formats of bf16
  std::string description;
  std::unique_ptr<idelta_context> alone;  // the same for one thread; null: this has only one
};

namespace idelta::core {

// Tests give other features than this machine's. Throws Failure.
idelta_context* create_context(const idelta_context_options& options, const CpuFeatures& cpu = cpu_features());

}  // namespace idelta::core

#endif  // IDELTA_CORE_CONTEXT_H
