#include "src/core/machine/topology.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>
#include <thread>

#include "src/core/machine/environment.h"

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__unix__)
#include <unistd.h>
#endif

namespace idelta::core {

// ---- sysfs ---------------------------------------------------------------------------------------------------------

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string cpu_folder(const std::string& root, int cpu) {
  return root + "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/";
}

std::string core_of(const std::string& root, int cpu) {
  const std::string siblings = first_line(cpu_folder(root, cpu) + "topology/thread_siblings_list");
  return siblings.empty() ? std::to_string(cpu) : siblings;
}

namespace {

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

bool set_level(CacheSizes& sizes, int64_t level, int64_t bytes, int64_t cores) {
  if (bytes <= 0) return false;
  if (level == 1) sizes.l1 = bytes;
  if (level == 2) sizes.l2 = bytes / cores;
  if (level == 3) sizes.l3 = std::min(bytes / cores, kMaxL3PerCore);
  return true;
}

bool from_sysfs(const std::string& root, CacheSizes& sizes) {
  const int64_t cpus_a_core = count_list(core_of(root, 0));
  bool found = false;
  for (int index = 0; index < 8; ++index) {
    const std::string folder = cpu_folder(root, 0) + "cache/index" + std::to_string(index) + "/";
    if (first_line(folder + "type") == "Instruction") continue;
    const int64_t sharers = count_list(first_line(folder + "shared_cpu_list"));
    found |= set_level(sizes, parse_size(first_line(folder + "level")), parse_size(first_line(folder + "size")),
                       std::max<int64_t>(1, sharers / std::max<int64_t>(1, cpus_a_core)));
  }
  return found;
}

// For machines without sysfs. The C library does not know how many cores share the L3, which stays 0.
bool from_libc([[maybe_unused]] CacheSizes& sizes) {
#if defined(_SC_LEVEL1_DCACHE_SIZE)
  const bool l1 = set_level(sizes, 1, sysconf(_SC_LEVEL1_DCACHE_SIZE), 1);
  return set_level(sizes, 2, sysconf(_SC_LEVEL2_CACHE_SIZE), 1) || l1;
#else
  return false;
#endif
}

// "L1,L2,L3".
CacheSizes parse_caches(const char* text) {
  std::string_view rest(text);
  int64_t sizes[3] = {};
  for (int64_t& size : sizes) {
    constexpr int64_t kMost = int64_t{1} << 40;  // blocks are counted in products of such sizes
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), size);
    const bool last = &size == &sizes[2];
    if (error != std::errc() || size < (last ? 0 : 1) || size > kMost) refuse(kCachesVariable, text);
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    if (last ? !rest.empty() : !rest.starts_with(',')) refuse(kCachesVariable, text);
    if (!last) rest.remove_prefix(1);
  }
  return {sizes[0], sizes[1], sizes[2]};
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

CacheReport caches_of_machine(const std::string& root) {
  CacheSizes sizes;
  if (from_sysfs(root, sizes)) return {sizes, "sysfs"};
  if (from_libc(sizes)) return {sizes, "the C library"};
  return {CacheSizes{}, "defaults"};
}

CacheReport detect_caches() {
  if (const char* text = environment(kCachesVariable)) return {parse_caches(text), kCachesVariable.name};
  static const CacheReport report = caches_of_machine("");
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
      if (CPU_ISSET(cpu, &mask)) cores.insert(core_of("", cpu));
    }
    limits.cores = static_cast<int64_t>(cores.size());
  }
  limits.quota = cgroup_quota("");
#endif
  return limits;
}

}  // namespace idelta::core
