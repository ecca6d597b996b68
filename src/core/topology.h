// How many threads and how much cache this process may count on.
#ifndef IDELTA_CORE_TOPOLOGY_H
#define IDELTA_CORE_TOPOLOGY_H

#include <cstdint>
#include <string>

#include "src/core/blocking.h"

namespace idelta::core {

struct CacheReport {
  CacheSizes sizes;
  std::string source;  // "hwloc", "sysfs", "IDELTA_CACHES" or "defaults"
};

// Per core. An L3 is divided by the cores that share it and never believed beyond 4 MiB a core: virtual machines report
// hundreds of MiB for two cores. IDELTA_CACHES="l1,l2,l3" (bytes) replaces all, for tests; throws Failure if malformed.
CacheReport detect_caches();

struct ThreadLimits {
  int64_t affinity = 1;    // CPUs this process may run on
  int64_t cores = 1;       // physical cores among them
  double quota = 0;        // CPUs that the cgroup grants; 0: no limit
  int64_t usable() const;  // the least of them, at least 1
};

ThreadLimits detect_thread_limits();

// CPU quota of the cgroup that `root`/proc/self/cgroup names, v1 or v2, the least over its ancestors; 0: no limit.
double cgroup_quota(const std::string& root);

}  // namespace idelta::core

#endif  // IDELTA_CORE_TOPOLOGY_H
