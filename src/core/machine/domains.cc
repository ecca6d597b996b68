#include "src/core/machine/domains.h"

#include <atomic>
#include <filesystem>
#include <limits>
#include <memory>
#include <string_view>

#include "src/core/base/error.h"
#include "src/core/machine/environment.h"

#if IDELTA_HAVE_HWLOC
#include <hwloc.h>
#endif

namespace idelta::core {
namespace {

bool binding_wanted() {
  const char* const text = environment(kBindVariable);
  if (!text || std::string_view(text) == "0") return false;
  if (std::string_view(text) != "1") refuse(kBindVariable, text);
  return true;
}

#if IDELTA_HAVE_HWLOC

struct Destroy {
  void operator()(hwloc_topology* topology) const { hwloc_topology_destroy(topology); }
  void operator()(hwloc_bitmap_s* set) const { hwloc_bitmap_free(set); }
};
using Machine = std::unique_ptr<hwloc_topology, Destroy>;

// The CPUs that this process may run on. Null without /sys, about which hwloc would print a line.
Machine load_machine() {
  std::error_code none;
  if (!std::filesystem::exists("/sys/devices/system/cpu", none)) return nullptr;
  hwloc_topology_t loaded = nullptr;
  if (hwloc_topology_init(&loaded) != 0) return nullptr;
  Machine machine(loaded);
  if (hwloc_topology_load(loaded) != 0) return nullptr;
  const std::unique_ptr<hwloc_bitmap_s, Destroy> allowed(hwloc_bitmap_alloc());
  if (allowed && hwloc_get_cpubind(loaded, allowed.get(), HWLOC_CPUBIND_PROCESS) == 0) {
    hwloc_topology_restrict(loaded, allowed.get(), 0);
  }
  return machine;
}

// A domain is an L3, or a NUMA node if that is smaller.
hwloc_obj_type_t domain_type(hwloc_topology_t machine) {
  const int caches = hwloc_get_nbobjs_by_type(machine, HWLOC_OBJ_L3CACHE);
  return caches >= hwloc_get_nbobjs_by_type(machine, HWLOC_OBJ_NUMANODE) ? HWLOC_OBJ_L3CACHE : HWLOC_OBJ_NUMANODE;
}

int64_t cores_of(hwloc_topology_t machine, hwloc_obj_t domain) {
  return hwloc_get_nbobjs_inside_cpuset_by_type(machine, domain->cpuset, HWLOC_OBJ_CORE);
}

int64_t node_of(hwloc_topology_t machine, hwloc_obj_t domain) {
  hwloc_obj_t node = nullptr;
  while ((node = hwloc_get_next_obj_by_type(machine, HWLOC_OBJ_NUMANODE, node))) {
    if (hwloc_bitmap_intersects(node->cpuset, domain->cpuset)) return node->logical_index;
  }
  return 0;
}

// Calls visit(domain) for each domain that has cores.
template <class Visit>
void for_each_domain(hwloc_topology_t machine, Visit&& visit) {
  hwloc_obj_t domain = nullptr;
  while ((domain = hwloc_get_next_obj_by_type(machine, domain_type(machine), domain))) {
    if (cores_of(machine, domain) > 0) visit(domain);
  }
}

// The topology that threads are bound by, from the first context that binds. Never freed, because threads may outlive
// static destruction.
std::atomic<hwloc_topology_t> binding{nullptr};

#endif

}  // namespace

Topology detect_domains() {
  Topology one{{.node = 0, .cores = std::numeric_limits<int32_t>::max()}};
  if (!binding_wanted()) return one;
#if IDELTA_HAVE_HWLOC
  Topology domains;
  Machine machine = load_machine();
  if (!machine) return one;
  for_each_domain(machine.get(), [&](hwloc_obj_t domain) {
    domains.push_back({node_of(machine.get(), domain), cores_of(machine.get(), domain)});
  });
  if (domains.empty()) return one;
  hwloc_topology_t none = nullptr;
  if (binding.compare_exchange_strong(none, machine.get())) static_cast<void>(machine.release());
  return domains;
#else
  throw Failure(IDELTA_UNSUPPORTED, "environment variable IDELTA_BIND = 1 needs a build with hwloc");
#endif
}

void bind_this_thread([[maybe_unused]] int64_t lane) {
#if IDELTA_HAVE_HWLOC
  const hwloc_topology_t machine = binding;
  if (!machine) return;
  int64_t cores = 0;
  for_each_domain(machine, [&](hwloc_obj_t domain) { cores += cores_of(machine, domain); });
  int64_t core = lane % cores;
  for_each_domain(machine, [&](hwloc_obj_t domain) {
    const int64_t here = cores_of(machine, domain);
    // Failing costs speed only.
    if (core >= 0 && core < here) hwloc_set_cpubind(machine, domain->cpuset, HWLOC_CPUBIND_THREAD);
    core -= here;
  });
#endif
}

}  // namespace idelta::core
