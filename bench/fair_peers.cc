// ensure_fair_peers of compare.h: the kernels OpenBLAS chose, how long OpenMP's idle threads spin, and starting again
// with better ones.
#include <cblas.h>
#include <idelta/idelta.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "bench/compare.h"
#include "src/core/machine/environment.h"

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
  const char* isa = environment(kIsaVariable);
  const bool held_down = isa != nullptr && std::strcmp(isa, idelta_isa_name(IDELTA_ISA_AVX2)) == 0;
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (avx512 && !held_down) return Level::kAvx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Level::kAvx2;
#endif
  return Level::kBelowAvx2;
}

// The best SGEMM kernels of each level. Measured on Zen 5 (EPYC, 0.3.21, one thread, forward at n = 794, m = 512,
// GFLOP/s): SkylakeX 185, Cooperlake 185, SapphireRapids 187 (without AMX it is Cooperlake under another name), Haswell
// 108, Zen 100. Over 60 points of three passes Cooperlake reaches 0.99 of SkylakeX, never above 1.1, never below 0.9.
const char* best_core(Level level) { return level == Level::kAvx512 ? "SkylakeX" : "Haswell"; }

// Below AVX2, or on another architecture, there is nothing we know better than OpenBLAS.
bool core_is_fair() {
  const Level wanted = wanted_level();
  return wanted == Level::kBelowAvx2 || level_of_core(openblas_get_corename()) == wanted;
}

// True if the variable was not set and now is.
bool set_unless_given(const char* name, const std::string& value) {
  if (environment(name) != nullptr) return false;
  setenv(name, value.c_str(), 1);
  return true;
}

// One turn of libgomp's waiting loop is a load and a pause, and a pause takes 40 cycles on one CPU and 140 on another.
double pause_seconds() {
#if defined(__x86_64__)
  constexpr int kPauses = 1 << 13;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kPauses; ++i) _mm_pause();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / kPauses;
#else
  return 10e-9;
#endif
}

// Threads that wait for their next call spin for a millisecond and then sleep. Calls that follow each other within
// microseconds, as all of ours do, find them awake; the next participant, who waits for them (round_robin.cc), need not
// wait for libgomp's usual 300 thousand turns (5 to 15 ms), libomp's 200 ms or the 2^26 cycles of OpenBLAS' own
// threads.
bool bound_spinning() {
  constexpr double kSpinSeconds = 1e-3;
  if (environment("OMP_WAIT_POLICY") != nullptr) return false;  // the user has decided
  bool changed = set_unless_given("GOMP_SPINCOUNT", std::to_string(int64_t(kSpinSeconds / pause_seconds())));
  changed |= set_unless_given("KMP_BLOCKTIME", "1");
  changed |= set_unless_given("OPENBLAS_THREAD_TIMEOUT", "21");  // 2^21 cycles
  return changed;
}

}  // namespace

void ensure_fair_peers(char** argv) {
  bool changed = bound_spinning();
  if (!core_is_fair() && environment("OPENBLAS_CORETYPE") == nullptr) {
    const char* better = best_core(wanted_level());
    std::fprintf(stderr, "OpenBLAS chose its %s kernels; starting again with OPENBLAS_CORETYPE=%s, fair on this CPU.\n",
                 openblas_get_corename(), better);
    setenv("OPENBLAS_CORETYPE", better, 1);
    changed = true;
  }
  if (changed) {  // all of these are read when the libraries are loaded
    std::fflush(nullptr);
    execv("/proc/self/exe", argv);
    std::fprintf(stderr, "Starting again failed (%s).\n", std::strerror(errno));
  }
  std::fputs(unfairness().c_str(), stderr);
}

std::string unfairness() {
  if (core_is_fair()) return "";
  const char* given = environment("OPENBLAS_CORETYPE");
  return std::string("UNFAIR: OpenBLAS runs its ") + openblas_get_corename() +
         " kernels (OPENBLAS_CORETYPE=" + (given == nullptr ? "" : given) + ") where " + best_core(wanted_level()) +
         " would be right: its ratios say nothing. Unset OPENBLAS_CORETYPE.\n";
}

std::string openblas_description() {
  // The configuration line begins "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ...".
  const std::string config = openblas_get_config();
  const size_t begin = config.find(' ') + 1;
  return config.substr(begin, config.find(' ', begin) - begin) + " " + openblas_get_corename();
}

}  // namespace idelta::bench
