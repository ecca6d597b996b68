// Keeps the LAPACK and BLAS calls of this thread on this thread while it lives. Where OpenMP is not found, it does
// nothing.
#ifndef IDELTA_NN_ONE_THREAD_H
#define IDELTA_NN_ONE_THREAD_H

#ifdef _OPENMP
#include <omp.h>
#endif

namespace idelta::nn {

// Half of a bidiagonalisation is matrix-vector products with a barrier after each: n = 794 takes 0.2 s on one thread
// and, where other programs want the cores too, 1 to 18 s on two (Xeon, 2 cores, load 5, OpenBLAS 0.3.21 with OpenMP).
class OneThread {
 public:
#ifdef _OPENMP
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }

 private:
  int before_;
#else
  OneThread() {}
#endif
};

}  // namespace idelta::nn

#endif  // IDELTA_NN_ONE_THREAD_H
