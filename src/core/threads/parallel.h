// Runs numbered tasks on the process' threads (thread_pool.h), or on the caller's.
#ifndef IDELTA_CORE_THREADS_PARALLEL_H
#define IDELTA_CORE_THREADS_PARALLEL_H

#include <cstdint>
#include <type_traits>

#include "idelta/idelta.h"
#include "src/core/machine/float_mode.h"

namespace idelta::core {

class Parallel {
 public:
  // spin: how long idle threads wait for the next call before they sleep, ns.
  Parallel(int64_t threads, int64_t spin, idelta_parallel_for callers, void* user)
      : threads_(threads), spin_(spin), callers_(callers), user_(user) {}

  int64_t threads() const { return threads_; }

  // Calls body(0) ... body(tasks - 1), each once and in the library's floating-point mode; returns when all are done.
  // body must not throw. multiply_adds: the whole work, which decides whether sleeping threads are woken.
  template <class Body>
  void run(int64_t tasks, double multiply_adds, Body&& body) const {
    if (tasks == 1) return body(int64_t{0});
    const auto task = [](void* arg, int64_t index) {
      const FloatMode mode;
      (*static_cast<std::remove_reference_t<Body>*>(arg))(index);
    };
    run_tasks(tasks, multiply_adds, task, &body);
  }

 private:
  void run_tasks(int64_t tasks, double multiply_adds, void (*task)(void*, int64_t), void* arg) const;

  int64_t threads_, spin_;
  idelta_parallel_for callers_;
  void* user_;
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_THREADS_PARALLEL_H
