#include "src/core/threads/parallel.h"

#include <algorithm>

#include "src/core/threads/thread_pool.h"

namespace idelta::core {

void Parallel::run_tasks(int64_t tasks, double multiply_adds, void (*task)(void*, int64_t), void* arg) const {
  if (callers_) return callers_(user_, tasks, task, arg);
  constexpr double kMultiplyAddsPerNs = 50;  // of a fast core; WakePolicy measures slower ones
  process_pool().run({tasks, task, arg},
                     {.threads = threads_,
                      .spin = spin_,
                      .duration = static_cast<int64_t>(std::min(multiply_adds / kMultiplyAddsPerNs, 1e15))});
}

}  // namespace idelta::core
