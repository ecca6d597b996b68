// LAPACKE says by its result that it found no memory for what it needs beside its arguments.
#ifndef IDELTA_NN_LAPACK_MEMORY_H
#define IDELTA_NN_LAPACK_MEMORY_H

#include <lapacke.h>

#include <new>

namespace idelta::nn {

// The result of a call; throws std::bad_alloc if it is one of those.
inline lapack_int with_memory(lapack_int result) {
  if (result == LAPACK_WORK_MEMORY_ERROR || result == LAPACK_TRANSPOSE_MEMORY_ERROR) throw std::bad_alloc();
  return result;
}

}  // namespace idelta::nn

#endif  // IDELTA_NN_LAPACK_MEMORY_H
