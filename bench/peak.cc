// Register-only FMA loops, one an ISA, and a read loop: see peak.h.
#include "bench/peak.h"

#include <omp.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <chrono>
#include <map>
#include <stdexcept>
#include <tuple>
#include <vector>

#include "bench/problem.h"

#if defined(__x86_64__)
#define IDELTA_BENCH_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define IDELTA_BENCH_CLONES
#endif

namespace idelta::bench {

namespace {

// Chains in flight: latency 4 cycles x 2 ports = 8 keep every known core busy; 12 leave slack and fit 16 registers.
constexpr int kChains = 12;
constexpr int64_t kIterations = 1 << 16;

// The loops return a number that depends on all chains, so that none can be dropped. x -> x * 0.5 + 0.5 tends to 1: no
// denormals, no overflow.
#if defined(__x86_64__)
__attribute__((target("avx512f"))) float fma_avx512() {
  __m512 sum[kChains];
  const __m512 half = _mm512_set1_ps(0.5f);
  for (int c = 0; c < kChains; ++c) sum[c] = _mm512_set1_ps(float(c));
  for (int64_t i = 0; i < kIterations; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) sum[c] = _mm512_fmadd_ps(sum[c], half, half);
  }
  for (int c = 1; c < kChains; ++c) sum[0] = _mm512_add_ps(sum[0], sum[c]);
  return _mm512_cvtss_f32(sum[0]);
}

__attribute__((target("avx2,fma"))) float fma_avx2() {
  __m256 sum[kChains];
  const __m256 half = _mm256_set1_ps(0.5f);
  for (int c = 0; c < kChains; ++c) sum[c] = _mm256_set1_ps(float(c));
  for (int64_t i = 0; i < kIterations; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) sum[c] = _mm256_fmadd_ps(sum[c], half, half);
  }
  for (int c = 1; c < kChains; ++c) sum[0] = _mm256_add_ps(sum[0], sum[c]);
  return _mm256_cvtss_f32(sum[0]);
}
#endif

// Multiply and add in the four lanes that every 64-bit machine has: what the scalar table could reach at best.
float fma_baseline() {
  typedef float Vector __attribute__((vector_size(16)));
  Vector sum[kChains];
  const Vector half = {0.5f, 0.5f, 0.5f, 0.5f};
  for (int c = 0; c < kChains; ++c) sum[c] = half * float(c);
  for (int64_t i = 0; i < kIterations; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) sum[c] = sum[c] * half + half;
  }
  for (int c = 1; c < kChains; ++c) sum[0] += sum[c];
  return sum[0][0];
}

struct Loop {
  float (*run)();
  int lanes;
};

Loop loop_for(idelta_isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case IDELTA_ISA_AVX512:
      return {fma_avx512, 16};
    case IDELTA_ISA_AVX2:
      return {fma_avx2, 8};
#endif
    case IDELTA_ISA_SCALAR:
      return {fma_baseline, 4};
    default:
      throw std::logic_error("no FMA loop is written for this ISA: add it to bench/peak.cc");
  }
}

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

// 64 sums in flight: enough vectors for any ISA, and no order of addition that the compiler would have to keep.
IDELTA_BENCH_CLONES float read_range(const float* __restrict p, int64_t count) {
  float sum[64] = {};
  for (int64_t i = 0; i + 64 <= count; i += 64) {
    for (int64_t lane = 0; lane < 64; ++lane) sum[lane] += p[i + lane];
  }
  float total = 0.0f;
  for (const float s : sum) total += s;
  return total;
}

void FmaLoop::run() const {
  const Loop loop = loop_for(isa_);
  float sum = 0.0f;
#pragma omp parallel num_threads(threads_) reduction(+ : sum)
  sum += loop.run();
  volatile float keep = sum;
  (void)keep;
}

double FmaLoop::flops() const { return 2.0 * loop_for(isa_).lanes * kChains * double(kIterations) * threads_; }

int64_t cold_bytes() {
  constexpr int64_t kMost = int64_t(512) << 20, kUnknown = int64_t(64) << 20;
#if defined(_SC_LEVEL3_CACHE_SIZE)
  const int64_t cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
#else
  const int64_t cache = 0;
#endif
  return std::min(cache > 0 ? 2 * cache : kUnknown, kMost);
}

double read_bandwidth(int64_t bytes, int threads, bool cold) {
  static std::map<std::tuple<int64_t, int, bool>, double> known;
  double& result = known[{bytes, threads, cold}];
  if (result != 0.0) return result;
  // Warm and small buffers are read many times a sample; 64 floats at least a thread.
  const int64_t count = std::max<int64_t>((cold ? std::max(bytes, cold_bytes()) : bytes) / 4, 64 * threads);
  const int64_t repeats = std::max<int64_t>(1, (int64_t(4) << 20) / count);
  Buffer buffer(count);
  buffer.fill(1.0f);
  std::vector<double> rates;
  for (int sample = 0; sample < 6; ++sample) {
    float sum = 0.0f;
    const double begin = seconds_now();
#pragma omp parallel num_threads(threads) reduction(+ : sum)
    {
      const int64_t share = count / omp_get_num_threads() / 64 * 64;
      const float* mine = buffer.data() + share * omp_get_thread_num();
      for (int64_t r = 0; r < repeats; ++r) {
        sum += read_range(mine, share);
        __asm__ volatile("" ::: "memory");
      }
    }
    const double seconds = seconds_now() - begin;
    volatile float keep = sum;
    (void)keep;
    if (sample > 0) rates.push_back(4.0 * double(count) * double(repeats) / seconds);  // the first warms up
  }
  std::nth_element(rates.begin(), rates.begin() + 2, rates.end());
  return result = rates[2];
}

}  // namespace idelta::bench
