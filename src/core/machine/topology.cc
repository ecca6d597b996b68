#include "src/core/machine/topology.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "src/core/base/error.h"

#if defined(__linux__)
#include <sched.h>
#endif
#if IDELTA_HAVE_HWLOC
#include <hwloc.h>
#endif

namespace idelta::core {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// ---- Caches --------------------------------------------------------------------------------------------------------

constexpr int64_t kMaxL3PerCore = int64_t{4} << 20;

// "480K" or "2M" or "65536" in bytes; 0 if it is none.
int64_t parse_size(const std::string& text) {
  std::istringstream in(text);
  int64_t value = 0;
  char unit = 0;
  in >> value >> unit;
  return unit == 'K' ? value << 10 : unit == 'M' ? value << 20 : unit == 'G' ? value << 30 : value;
}

// CPUs in a list such as "0-3,8,10-11".
int64_t count_list(const std::string& text) {
  std::istringstream in(text);
  int64_t count = 0, first = 0;
  while (in >> first) {
    int64_t last = first;
    if (in.peek() == '-') in.ignore() >> last;
    count += last - first + 1;
    if (in.peek() == ',') in.ignore();
  }
  return count;
}

void set_level(CacheSizes& sizes, int64_t level, int64_t bytes, int64_t sharers) {
  if (bytes <= 0) return;
  if (level == 1) sizes.l1 = bytes;
  if (level == 2) sizes.l2 = bytes / std::max<int64_t>(1, sharers);
  if (level == 3) sizes.l3 = std::min(bytes / std::max<int64_t>(1, sharers), kMaxL3PerCore);
}

bool from_sysfs(CacheSizes& sizes) {
  bool found = false;
  for (int index = 0; index < 8; ++index) {
    const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
    if (first_line(folder + "type") == "Instruction") continue;
    const int64_t level = parse_size(first_line(folder + "level")), bytes = parse_size(first_line(folder + "size"));
    if (bytes <= 0) continue;
    set_level(sizes, level, bytes, count_list(first_line(folder + "shared_cpu_list")));
    found = true;
  }
  return found;
}

#if IDELTA_HAVE_HWLOC
bool from_hwloc(CacheSizes& sizes) {
  hwloc_topology_t topology;
  if (hwloc_topology_init(&topology) != 0) return false;
  bool found = false;
  if (hwloc_topology_load(topology) == 0) {
    for (hwloc_obj_t object = hwloc_get_obj_by_type(topology, HWLOC_OBJ_PU, 0); object; object = object->parent) {
      if (!hwloc_obj_type_is_dcache(object->type)) continue;
      const int sharers = hwloc_get_nbobjs_inside_cpuset_by_type(topology, object->cpuset, HWLOC_OBJ_CORE);
      set_level(sizes, object->attr->cache.depth, static_cast<int64_t>(object->attr->cache.size), sharers);
      found = true;
    }
  }
  hwloc_topology_destroy(topology);
  return found;
}
#else
bool from_hwloc(CacheSizes&) { return false; }
#endif

CacheReport detect_caches_once() {
  CacheSizes sizes;
  if (from_hwloc(sizes)) return {sizes, "hwloc"};
  if (from_sysfs(sizes)) return {sizes, "sysfs"};
  return {CacheSizes{}, "defaults"};
}

// ---- Threads -------------------------------------------------------------------------------------------------------

// Quota over period from one cgroup folder: v2 cpu.max "max 100000" or "50000 100000", v1 cpu.cfs_*; 0: none.
double quota_of_folder(const std::string& folder) {
  double quota = -1, period = 0;
  std::istringstream max(first_line(folder + "/cpu.max"));
  if (!(max >> quota >> period)) {
    std::istringstream(first_line(folder + "/cpu.cfs_quota_us")) >> quota;
    std::istringstream(first_line(folder + "/cpu.cfs_period_us")) >> period;
  }
  return quota > 0 && period > 0 ? quota / period : 0;
}

double least_quota(const std::string& mount, std::string path) {
  double least = 0;
  while (true) {
    const double quota = quota_of_folder(mount + path);
    if (quota > 0 && (least == 0 || quota < least)) least = quota;
    if (path.empty() || path == "/") return least;
    path.resize(path.find_last_of('/'));
  }
}

}  // namespace

CacheReport detect_caches() {
  if (const char* text = std::getenv("IDELTA_CACHES")) {
    CacheSizes sizes;
    char comma1 = 0, comma2 = 0;
    std::istringstream in(text);
    if (!(in >> sizes.l1 >> comma1 >> sizes.l2 >> comma2 >> sizes.l3) || comma1 != ',' || comma2 != ',' ||
        sizes.l1 <= 0 || sizes.l2 <= 0 || sizes.l3 < 0 || in.peek() != std::istringstream::traits_type::eof()) {
      throw Failure(IDELTA_INVALID_ARGUMENT, "environment variable IDELTA_CACHES = \"" + std::string(text) +
                                                 "\" is not three sizes in bytes, as \"32768,1048576,0\"");
    }
    return {sizes, "IDELTA_CACHES"};
  }
  static const CacheReport report = detect_caches_once();
  return report;
}

double cgroup_quota(const std::string& root) {
  std::ifstream file(root + "/proc/self/cgroup");
  double least = 0;
  for (std::string line; std::getline(file, line);) {  // hierarchy:controllers:path
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    const bool v2 = controllers == ",,", v1 = controllers.find(",cpu,") != std::string::npos;
    if (!v2 && !v1) continue;
    for (const char* mount : {"", "/unified", "/cpu", "/cpu,cpuacct", "/cpuacct,cpu"}) {
      const double quota = least_quota(root + "/sys/fs/cgroup" + mount, path);
      if (quota > 0 && (least == 0 || quota < least)) least = quota;
    }
  }
  return least;
}

int64_t ThreadLimits::usable() const {
  int64_t threads = std::min(affinity, cores);
  if (quota > 0) threads = std::min(threads, static_cast<int64_t>(std::ceil(quota)));
  return std::max<int64_t>(1, threads);
}

ThreadLimits detect_thread_limits() {
  ThreadLimits limits;
  limits.affinity = limits.cores = std::max(1u, std::thread::hardware_concurrency());
#if defined(__linux__)
  // Masks larger than cpu_set_t's 1024 CPUs are an error here, and hardware_concurrency stands.
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) {
    limits.affinity = CPU_COUNT(&mask);
    std::set<std::string> cores;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (!CPU_ISSET(cpu, &mask)) continue;
      const std::string siblings =
          first_line("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
      cores.insert(siblings.empty() ? std::to_string(cpu) : siblings);
    }
    limits.cores = static_cast<int64_t>(cores.size());
  }
  limits.quota = cgroup_quota("");
#endif
  return limits;
}

}  // namespace idelta::core
