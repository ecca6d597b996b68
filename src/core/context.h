// What a context decides once: kernels, caches, threads.
#ifndef IDELTA_CORE_CONTEXT_H
#define IDELTA_CORE_CONTEXT_H

#include <string>

#include "idelta/idelta.h"
#include "kernels/kernels.h"
#include "src/core/blocking.h"
#include "src/core/parallel.h"
#include "src/core/partition.h"

struct idelta_context {
  idelta_isa isa;
  idelta::KernelTable kernels;
  idelta::core::CacheSizes caches;
  idelta::core::Parallel parallel;
  idelta::core::Placement placement;
  bool bf16_dot;  // x is rounded to bf16 for formats of bf16
  std::string description;

  idelta::core::TileShape tile() const { return {kernels.mr, kernels.nr}; }
};

namespace idelta::core {

// Throws Failure.
idelta_context* create_context(const idelta_context_options& options);

}  // namespace idelta::core

#endif  // IDELTA_CORE_CONTEXT_H
