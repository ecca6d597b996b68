// See settle.h. Processor time of the whole process that passes while this thread sleeps belongs to the others.
#include "bench/settle.h"

#include <chrono>
#include <ctime>
#include <thread>

namespace idelta::bench {

namespace {

double process_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

}  // namespace

bool settle() {
  constexpr auto kNap = std::chrono::microseconds(200);
  // Falling asleep and waking up take some 20 us of this thread's own; a thread that spins takes the whole nap.
  constexpr double kBusySeconds = 100e-6;
  constexpr int kMostNaps = 250;
  for (int nap = 0; nap < kMostNaps; ++nap) {
    const double before = process_seconds();
    std::this_thread::sleep_for(kNap);
    if (process_seconds() - before < kBusySeconds) return true;
  }
  return false;
}

}  // namespace idelta::bench
