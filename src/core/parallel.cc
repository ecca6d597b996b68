#include "src/core/parallel.h"

#include <algorithm>
#include <atomic>

#if defined(_OPENMP)
#include <omp.h>
#endif
#if defined(__unix__)
#include <pthread.h>
#endif

namespace idelta::core {
namespace {

// OpenMP's threads do not survive fork; a child that asked for them would wait forever, so it works alone.
std::atomic<bool> forked{false};

#if defined(__unix__)
const int fork_watch = pthread_atfork(nullptr, nullptr, [] { forked = true; });
#endif

}  // namespace

void Parallel::run_tasks(int64_t tasks, void (*task)(void*, int64_t), void* arg) const {
  if (callers_) return callers_(user_, tasks, task, arg);
#if defined(_OPENMP)
  if (threads_ > 1 && tasks > 1 && !omp_in_parallel() && !forked) {
#pragma omp parallel for schedule(static, 1) num_threads(static_cast <int>(std::min(threads_, tasks)))
    for (int64_t i = 0; i < tasks; ++i) task(arg, i);
    return;
  }
#endif
  for (int64_t i = 0; i < tasks; ++i) task(arg, i);
}

}  // namespace idelta::core
