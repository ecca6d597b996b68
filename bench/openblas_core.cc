// Which kernels OpenBLAS chose, and starting again with better ones: ensure_openblas_core of compare.h.
#include <cblas.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "bench/compare.h"

namespace idelta::bench {

namespace {

enum class Level { kBelowAvx2, kAvx2, kAvx512 };

// OpenBLAS' names of x86-64 kernel sets by what they use (cpuid_x86.c, 0.3.21 and later); all others use less.
Level level_of_core(const std::string& core) {
  static const char* const kAvx512Cores[] = {"SkylakeX", "Cooperlake", "SapphireRapids"};
  static const char* const kAvx2Cores[] = {"Haswell", "Zen", "Excavator"};
  const auto is = [&core](const char* name) { return core == name; };
  if (std::any_of(std::begin(kAvx512Cores), std::end(kAvx512Cores), is)) return Level::kAvx512;
  if (std::any_of(std::begin(kAvx2Cores), std::end(kAvx2Cores), is)) return Level::kAvx2;
  return Level::kBelowAvx2;
}

// What the CPU can do, held down by IDELTA_ISA=avx2 (both sides then show AVX2). IDELTA_ISA=scalar leaves the peer at
// its best: nobody would run OpenBLAS without vectors.
Level wanted_level() {
#if defined(__x86_64__)
  const char* isa = std::getenv("IDELTA_ISA");
  const bool held_down = isa != nullptr && std::strcmp(isa, "avx2") == 0;
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (avx512 && !held_down) return Level::kAvx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Level::kAvx2;
#endif
  return Level::kBelowAvx2;
}

}  // namespace

void ensure_openblas_core(char** argv) {
  const std::string core = openblas_get_corename();
  const Level wanted = wanted_level();
  // Below AVX2, or on another architecture, there is nothing we know better than OpenBLAS.
  if (wanted == Level::kBelowAvx2 || level_of_core(core) == wanted) return;
  const char* better = wanted == Level::kAvx512 ? "SkylakeX" : "Haswell";
  if (const char* given = std::getenv("OPENBLAS_CORETYPE")) {
    std::fprintf(stderr, "OpenBLAS runs its %s kernels (OPENBLAS_CORETYPE=%s); %s would be fair on this CPU.\n",
                 core.c_str(), given, better);
    return;
  }
  std::fprintf(stderr, "OpenBLAS chose its %s kernels; starting again with OPENBLAS_CORETYPE=%s, fair on this CPU.\n",
               core.c_str(), better);
  std::fflush(nullptr);
  setenv("OPENBLAS_CORETYPE", better, 1);
  execv("/proc/self/exe", argv);
  std::fprintf(stderr,
               "Starting again failed (%s): set OPENBLAS_CORETYPE=%s yourself; the comparison flatters idelta.\n",
               std::strerror(errno), better);
}

std::string openblas_description() {
  // The configuration line begins "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ...".
  const std::string config = openblas_get_config();
  const size_t begin = config.find(' ') + 1;
  return config.substr(begin, config.find(' ', begin) - begin) + " " + openblas_get_corename();
}

}  // namespace idelta::bench
