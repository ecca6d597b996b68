// The machine's domains (topology.h) and binding threads to them, only with IDELTA_BIND=1, which needs hwloc. Without
// it the machine is one domain, and threads are not bound.
#ifndef IDELTA_CORE_MACHINE_DOMAINS_H
#define IDELTA_CORE_MACHINE_DOMAINS_H

#include <cstdint>

#include "src/core/machine/topology.h"

namespace idelta::core {

// The domains that this process may run on. Throws Failure if IDELTA_BIND has another value or hwloc is missing.
Topology detect_domains();

// Binds the thread of this lane to its core's domain, if a context has been made with IDELTA_BIND=1 before.
void bind_this_thread(int64_t lane);

}  // namespace idelta::core

#endif  // IDELTA_CORE_MACHINE_DOMAINS_H
