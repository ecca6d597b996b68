#include "src/core/context.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "src/core/dispatch.h"
#include "src/core/error.h"
#include "src/core/topology.h"

namespace idelta::core {
namespace {

struct ThreadChoice {
  int64_t threads;
  std::string reason;
};

ThreadChoice choose_threads(const idelta_context_options& options) {
  if (options.threads < 0) {
    throw Failure(IDELTA_INVALID_ARGUMENT,
                  "threads = " + std::to_string(options.threads) + " is negative; 0 chooses for you");
  }
  if (options.threads > 0) return {options.threads, "asked for by the program"};
  const ThreadLimits limits = detect_thread_limits();
  char quota[32] = "none";
  if (limits.quota > 0) std::snprintf(quota, sizeof quota, "%.2f CPUs", limits.quota);
  ThreadChoice choice{limits.usable(), "affinity " + std::to_string(limits.affinity) + " CPUs, physical cores " +
                                           std::to_string(limits.cores) + ", cgroup quota " + quota};
  if (const char* text = std::getenv("IDELTA_THREADS")) {
    int64_t wish = 0;
    const auto [end, error] = std::from_chars(text, text + std::strlen(text), wish);
    if (error != std::errc() || *end || wish < 1) {
      throw Failure(IDELTA_INVALID_ARGUMENT,
                    "environment variable IDELTA_THREADS = \"" + std::string(text) + "\" is not a positive number");
    }
    if (wish < choice.threads) choice = {wish, "lowered by IDELTA_THREADS"};
  }
  return choice;
}

std::string bytes(int64_t size) {
  if (size == 0) return "none";
  if (size % (1 << 20) == 0) return std::to_string(size >> 20) + " MiB";
  if (size % (1 << 10) == 0) return std::to_string(size >> 10) + " KiB";
  return std::to_string(size) + " B";
}

std::string who_runs(const idelta_context_options& options) {
  if (options.parallel_for) return "the caller's parallel_for";
#if defined(_OPENMP)
  return "OpenMP";
#else
  return "built without OpenMP: one thread works";
#endif
}

}  // namespace

idelta_context* create_context(const idelta_context_options& options) {
  const CpuFeatures& cpu = cpu_features();
  const IsaChoice isa = choose_isa(options.isa, std::getenv("IDELTA_ISA"));
  const CacheReport caches = detect_caches();
  const ThreadChoice threads = choose_threads(options);
  const KernelTable& kernels = kernels_for(isa.isa);

  std::string text;
  text += "CPU      " + cpu.brand + "\n";
  text += "ISA      " + std::string(isa_name(isa.isa)) + ": " + isa.reason + "; register tile " +
          std::to_string(kernels.mr) + " x " + std::to_string(kernels.nr) + "\n";
  text += "AVX-512  " + cpu.avx512_state + "\n";
  text += "AMX      " + cpu.amx_state + "\n";
  text += "Caches   L1d " + bytes(caches.sizes.l1) + ", L2 " + bytes(caches.sizes.l2) + ", L3 " +
          bytes(caches.sizes.l3) + " a core (" + caches.source + ")\n";
  text +=
      "Threads  " + std::to_string(threads.threads) + ": " + threads.reason + "; run by " + who_runs(options) + "\n";
  return new idelta_context{isa.isa, kernels, caches.sizes,
                            Parallel(threads.threads, options.parallel_for, options.parallel_for_user),
                            std::move(text)};
}

}  // namespace idelta::core
