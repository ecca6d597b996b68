// The caches and threads that this process may use, and the domains that share an L3.
#ifndef IDELTA_CORE_MACHINE_TOPOLOGY_H
#define IDELTA_CORE_MACHINE_TOPOLOGY_H

#include <cstdint>
#include <string>
#include <vector>

namespace idelta::core {

struct CacheSizes {
  int64_t l1 = 32 << 10, l2 = 512 << 10, l3 = 0;  // bytes one core may count on; L3 informs only
};

struct CacheReport {
  CacheSizes sizes;
  std::string source;  // "sysfs", "the C library", "IDELTA_CACHES" or "defaults"
};

// Per core. An L3 is divided by the cores that share it and clamped to 4 MiB a core, because virtual machines report
// hundreds of MiB for two cores. IDELTA_CACHES replaces all three. Throws Failure if it is malformed.
CacheReport detect_caches();

// Without IDELTA_CACHES, and with /sys in the folder `root`.
CacheReport caches_of_machine(const std::string& root);

struct ThreadLimits {
  int64_t affinity = 1;    // CPUs this process may run on
  int64_t cores = 1;       // physical cores among them
  double quota = 0;        // CPUs that the cgroup grants; 0: no limit
  int64_t usable() const;  // the minimum of all, at least 1
};

ThreadLimits detect_thread_limits();

// CPU quota of the cgroup that `root`/proc/self/cgroup names, v1 or v2, the least among its ancestors; 0: no limit.
double cgroup_quota(const std::string& root);

// Cores that share an L3 and a NUMA node.
struct Domain {
  int64_t node;
  int64_t cores;
};
using Topology = std::vector<Domain>;  // ordered by node

// ---- sysfs ---------------------------------------------------------------------------------------------------------

// The first line of a file; empty if it cannot be read.
std::string first_line(const std::string& path);

// The folder of a CPU, with / at its end; `root` holds /sys.
std::string cpu_folder(const std::string& root, int cpu);

// The CPUs on the same core as this one, such as "0,64"; the CPU itself if sysfs does not say.
std::string core_of(const std::string& root, int cpu);

}  // namespace idelta::core

#endif  // IDELTA_CORE_MACHINE_TOPOLOGY_H
