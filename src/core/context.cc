#include "src/core/context.h"

#include <cstdio>
#include <optional>

#include "src/core/base/error.h"
#include "src/core/machine/bf16_product.h"
#include "src/core/machine/dispatch.h"
#include "src/core/machine/domains.h"
#include "src/core/machine/environment.h"
#include "src/core/machine/integer_unit.h"
#include "src/core/machine/topology.h"

namespace idelta::core {
namespace {

struct Choice {
  int64_t value;
  std::string reason;
};

Choice choose_threads(const idelta_context_options& options) {
  if (options.threads < 0) {
    throw Failure(IDELTA_INVALID_ARGUMENT,
                  "threads = " + std::to_string(options.threads) + " is negative; 0 chooses for you");
  }
  if (options.threads > 0) return {options.threads, "asked for by the program"};
  const ThreadLimits limits = detect_thread_limits();
  char quota[32] = "none";
  if (limits.quota > 0) std::snprintf(quota, sizeof quota, "%.2f CPUs", limits.quota);
  Choice choice{limits.usable(), "affinity " + std::to_string(limits.affinity) + " CPUs, physical cores " +
                                     std::to_string(limits.cores) + ", cgroup quota " + quota};
  const std::optional<int32_t> wish = environment_number(kThreadsVariable, 1);
  if (wish && *wish < choice.value) choice = {*wish, "lowered by IDELTA_THREADS"};
  return choice;
}

std::string bytes(int64_t size) {
  if (size == 0) return "none";
  if (size % (1 << 20) == 0) return std::to_string(size >> 20) + " MiB";
  if (size % (1 << 10) == 0) return std::to_string(size >> 10) + " KiB";
  return std::to_string(size) + " B";
}

// As long as waking takes on a virtual machine, where it is slowest. Calls 60 us apart are then 1.65 times as fast on
// two threads as on one (50 us: 1.0; n = 794, m = 8, EPYC Turin, 2026-11).
constexpr int64_t kSpinUs = 100;

Choice choose_spin(const idelta_context_options& options, int64_t threads) {
  if (options.spin_us < -1) {
    throw Failure(IDELTA_INVALID_ARGUMENT,
                  "spin_us = " + std::to_string(options.spin_us) + " is negative; -1 chooses for you");
  }
  if (options.spin_us >= 0) return {options.spin_us, "asked for by the program"};
  if (const auto spin = environment_number(kSpinVariable, 0)) return {*spin, "IDELTA_SPIN_US"};
  if (threads > 1 && options.threads > 0 && threads > detect_thread_limits().usable()) {
    return {0, "more threads than this process has cores"};
  }
  return {kSpinUs, "default"};
}

std::string who_runs(const idelta_context_options& options, const Choice& spin_us) {
  if (options.parallel_for) return "the caller's parallel_for";
  return "the process' pool, which spins for " + std::to_string(spin_us.value) + " us after a call (" + spin_us.reason +
         ")";
}

// "2 on node 0 of 8 8 cores, 2 on node 1 of 8 4 cores"
std::string described(const Topology& domains) {
  std::string text;
  for (size_t d = 0; d < domains.size();) {
    const int64_t node = domains[d].node;
    std::string cores;
    int64_t count = 0;
    for (; d < domains.size() && domains[d].node == node; ++d, ++count) cores += std::to_string(domains[d].cores) + " ";
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " on node " + std::to_string(node) + " of " + cores +
            "cores";
  }
  return text;
}

}  // namespace

idelta_context* create_context(const idelta_context_options& options, const CpuFeatures& cpu) {
  const IsaChoice isa = choose_isa(options.isa, environment(kIsaVariable), cpu);
  const CacheReport caches = detect_caches();
  const Choice threads = choose_threads(options);
  const Choice spin_us = choose_spin(options, threads.value);
  const Topology domains = detect_domains();
  const KernelTable kernels = overlaid(cpu.set, isa.isa);
  const Bf16ProductChoice bf16 =
      choose_bf16_product(options.bf16_product, environment(kBf16Variable), isa.isa, cpu.set);

  std::string text;
  text += "CPU      " + cpu.brand + "\n";
  text += "ISA      " + std::string(isa_name(isa.isa)) + ": " + isa.reason + "; register tile " +
          std::to_string(kernels.f32_forward.mr) + " x " + std::to_string(kernels.f32_forward.nr) + "\n";
  text += "AVX-512  " + cpu.avx512_state + "\n";
  text += "AMX      " + cpu.amx_state + "\n";
  text += "BF16     " + std::string(bf16.dot ? "x rounded" : "widened") + ": " + bf16.reason + "\n";
  text += "INT8     " + std::string(integer_unit(isa.isa, cpu.set).name) + "\n";
  text += "Caches   L1d " + bytes(caches.sizes.l1) + ", L2 " + bytes(caches.sizes.l2) + ", L3 " +
          bytes(caches.sizes.l3) + " a core (" + caches.source + ")\n";
  text += "Threads  " + std::to_string(threads.value) + ": " + threads.reason + "; run by " +
          who_runs(options, spin_us) + "\n";
  if (domains.size() > 1) text += "Domains  " + described(domains) + "; threads are bound (IDELTA_BIND)\n";
  const auto made = [&](const Parallel& parallel, std::string description) {
    return std::unique_ptr<idelta_context>(new idelta_context{
        isa.isa, cpu.set, kernels, caches.sizes, parallel, Placement(domains), bf16.dot, std::move(description), {}});
  };
  auto context =
      made({threads.value, spin_us.value * 1000, options.parallel_for, options.parallel_for_user}, std::move(text));
  if (threads.value > 1) context->alone = made({1, 0, nullptr, nullptr}, {});
  return context.release();
}

}  // namespace idelta::core
