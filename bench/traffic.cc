// See traffic.h.
#include "bench/traffic.h"

#include <omp.h>
#include <unistd.h>

#include <algorithm>

#include "bench/clones.h"
#include "bench/round_robin.h"
#include "bench/text.h"

namespace idelta::bench {

// Floats read as what they are in memory.
using Word __attribute__((may_alias)) = uint32_t;

// OR has a latency of 1, so that four of the widest vectors in flight keep two loads a cycle going. The prefetch 4 KiB
// ahead brings what our kernels' own prefetches bring: measured on Zen 5, GB/s without and with it: half of L2 120 and
// 213, out of L3 96 and 116, out of memory 30 and 37; out of L1 it costs some, 432 and 334.
IDELTA_BENCH_CLONES uint32_t read_range(const Word* __restrict p, int64_t count) {
  uint32_t seen[64] = {};
  for (int64_t i = 0; i + 64 <= count; i += 64) {
    for (int64_t line = 0; line < 64; line += 16) __builtin_prefetch(p + i + line + 1024);
    for (int64_t lane = 0; lane < 64; ++lane) seen[lane] |= p[i + lane];
  }
  uint32_t all = 0;
  for (const uint32_t s : seen) all |= s;
  return all;
}

IDELTA_BENCH_CLONES void write_range(float* __restrict p, int64_t count, float value) {
  for (int64_t i = 0; i < count; ++i) p[i] = value;
}

// Tends to 1: no denormals, no overflow.
IDELTA_BENCH_CLONES void read_write_range(float* __restrict p, int64_t count) {
  for (int64_t i = 0; i < count; ++i) p[i] = p[i] * 0.5f + 0.5f;
}

namespace {

// Short ones are repeated, or joined when cold, until waking the threads (10 us) does not count.
constexpr int64_t kLeastFloats = int64_t(1) << 18;

int64_t cache_bytes(int name, int64_t if_unknown) {
  const int64_t bytes = sysconf(name);
  return bytes > 0 ? bytes : if_unknown;
}

#if defined(_SC_LEVEL1_DCACHE_SIZE)
int64_t l1_bytes() { return cache_bytes(_SC_LEVEL1_DCACHE_SIZE, 32 << 10); }
int64_t l2_bytes() { return cache_bytes(_SC_LEVEL2_CACHE_SIZE, 1 << 20); }
int64_t l3_bytes() { return cache_bytes(_SC_LEVEL3_CACHE_SIZE, 64 << 20); }
#else
int64_t l1_bytes() { return 32 << 10; }
int64_t l2_bytes() { return 1 << 20; }
int64_t l3_bytes() { return 64 << 20; }
#endif

double bytes_a_second(TrafficLoop& loop) {
  const RoundRobinOptions options{.participant_seconds = 20e-3, .settles = true};
  return loop.bytes() /
         quartiles(
             round_robin({{.run = [&] { loop.run(); }, .prepare = nullptr, .first_calls = loop.chunks()}}, options)
                 .seconds[0])
             .median;
}

}  // namespace

int64_t cold_bytes() { return std::min(2 * l3_bytes(), int64_t(512) << 20); }

TrafficLoop::TrafficLoop(Traffic kind, int64_t bytes, int threads, bool cold) : kind_(kind), threads_(threads) {
  const int64_t floats = std::max<int64_t>(bytes / 4, 64 * threads);
  const int64_t run_floats = cold ? std::max(floats, kLeastFloats) : floats;
  part_ = run_floats / threads / 64 * 64;
  repeats_ = cold ? 1 : std::max<int64_t>(1, kLeastFloats / floats);
  chunks_ = cold ? std::max<int64_t>(1, cold_bytes() / 4 / run_floats) : 1;
  buffer_ = Buffer(part_ * threads * chunks_);
  buffer_.fill(1.0f);
}

double TrafficLoop::bytes() const {
  return (kind_ == Traffic::kReadWrite ? 8.0 : 4.0) * double(part_) * threads_ * double(repeats_);
}

void TrafficLoop::run() {
  float* chunk = buffer_.data() + next_ * part_ * threads_;
  next_ = next_ + 1 == chunks_ ? 0 : next_ + 1;
  uint32_t seen = 0;
#pragma omp parallel num_threads(threads_) reduction(| : seen)
  {
    float* mine = chunk + part_ * omp_get_thread_num();
    for (int64_t r = 0; r < repeats_; ++r) {
      if (kind_ == Traffic::kRead) seen |= read_range(reinterpret_cast<const Word*>(mine), part_);
      if (kind_ == Traffic::kWrite) write_range(mine, part_, 1.0f);
      if (kind_ == Traffic::kReadWrite) read_write_range(mine, part_);
      __asm__ volatile("" ::: "memory");  // or the compiler does one repeat for all
    }
  }
  volatile uint32_t keep = seen;
  (void)keep;
}

TrafficLoop traffic_loop_for(const Problem& problem, int64_t rank, bool cold) {
  const int64_t matrix_bytes = (rank > 0 ? 2 * rank : problem.n) * problem.n * int64_t(sizeof(float));
  const int64_t matrices = problem.pass.trains() ? 2 : 1;  // D and v
  return {problem.pass.traffic(), matrices * matrix_bytes, problem.threads, cold};
}

std::string describe_bandwidth(int threads) {
  std::string text = "read bandwidth, " + threads_text(threads) + ":";
  for (const int64_t bytes : {threads * l1_bytes() / 2, threads * l2_bytes() / 2, threads * 8 * l2_bytes()}) {
    TrafficLoop loop(Traffic::kRead, bytes, threads, false);
    append(text, " %d KiB %.0f GB/s,", int(bytes >> 10), 1e-9 * bytes_a_second(loop));
  }
  TrafficLoop memory(Traffic::kRead, 16 << 20, threads, true);
  append(text, " cold (%d MiB) %.0f GB/s", int(cold_bytes() >> 20), 1e-9 * bytes_a_second(memory));
  return text;
}

}  // namespace idelta::bench
