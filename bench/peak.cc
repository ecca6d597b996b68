// Register-only FMA loops, one an ISA: see peak.h.
#include "bench/peak.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <stdexcept>

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
    case IDELTA_ISA_AMX:  // the fp32 peak of a machine with tiles
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

}  // namespace

void FmaLoop::run() const {
  const Loop loop = loop_for(isa_);
  float sum = 0.0f;
#pragma omp parallel num_threads(threads_) reduction(+ : sum)
  sum += loop.run();
  volatile float keep = sum;
  (void)keep;
}

double FmaLoop::flops() const { return 2.0 * loop_for(isa_).lanes * kChains * double(kIterations) * threads_; }

}  // namespace idelta::bench
