// Runs numbered tasks on OpenMP's threads, on the caller's, or on none.
#ifndef IDELTA_CORE_PARALLEL_H
#define IDELTA_CORE_PARALLEL_H

#include <cstdint>
#include <type_traits>

#include "idelta/idelta.h"

namespace idelta::core {

class Parallel {
 public:
  Parallel(int64_t threads, idelta_parallel_for callers, void* user)
      : threads_(threads), callers_(callers), user_(user) {}

  int64_t threads() const { return threads_; }

  // body(0) ... body(tasks - 1), each once; back when all are done. body must not throw.
  template <class Body>
  void run(int64_t tasks, Body&& body) const {
    if (tasks == 1) return body(int64_t{0});
    run_tasks(
        tasks, [](void* arg, int64_t index) { (*static_cast<std::remove_reference_t<Body>*>(arg))(index); }, &body);
  }

 private:
  void run_tasks(int64_t tasks, void (*task)(void*, int64_t), void* arg) const;

  int64_t threads_;
  idelta_parallel_for callers_;
  void* user_;
};

}  // namespace idelta::core

#endif  // IDELTA_CORE_PARALLEL_H
