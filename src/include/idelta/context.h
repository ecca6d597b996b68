/* Versions, errors and contexts. Part of idelta.h, which has the conventions. */
#ifndef IDELTA_CONTEXT_H
#define IDELTA_CONTEXT_H

#include "idelta/kinds.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct idelta_context idelta_context;

/* ---- Version and errors ------------------------------------------------------------------------------------ */

/* "major.minor.patch" of the library that is running. */
IDELTA_API const char* idelta_version(void);

/* The sentence about this thread's last failed call; "" before any. Valid until this thread's next call. */
IDELTA_API const char* idelta_last_error(void);

/* ---- Context ----------------------------------------------------------------------------------------------- */

/* Runs task(arg, 0) ... task(arg, ntasks - 1), each once, in any order, on any threads, and returns when all are
 * done. user is idelta_context_options.parallel_for_user. It is called while denormals are zero on this thread; on the
 * others each task sets that mode, and puts back what was there. */
typedef void (*idelta_parallel_for)(void* user, int64_t ntasks, void (*task)(void* arg, int64_t index), void* arg);

typedef struct idelta_context_options {
  size_t struct_size;
  /* AUTO: the best this machine runs. The environment variable IDELTA_ISA (scalar, avx2, avx512, amx) lowers AUTO,
   * never raises it; IDELTA_AMX=refused makes AMX unsupported, as if Linux had refused it. An ISA this machine cannot
   * run is IDELTA_UNSUPPORTED; an unknown name INVALID_ARGUMENT. */
  idelta_isa isa;
  /* 0: the least of affinity mask, cgroup v1/v2 quota (rounded up) and physical cores; IDELTA_THREADS lowers it. The
   * environment variable IDELTA_BIND=1 binds the library's threads to caches and NUMA nodes and cuts work along them:
   * for a machine of several that this process has to itself. */
  int32_t threads;
  /* Not null: run on the caller's threads instead of the library's; `threads` then says into how many tasks to cut. */
  idelta_parallel_for parallel_for;
  void* parallel_for_user;
  /* How long, in microseconds, the library's threads spin for the next call before they sleep; they take the CPU's
   * time meanwhile. 0: not at all once they have no work left; every call then pays for waking them (5 to 70 us), or
   * runs on one thread if it is not worth that. -1: the environment variable IDELTA_SPIN_US, else the default: 100, or
   * 0 if threads are asked for beyond the cores of this process. */
  int32_t spin_us;
  /* AUTO heeds the environment variable IDELTA_BF16 (widened, rounded). Either gives the same bits in every run. */
  idelta_bf16_product bf16_product;
} idelta_context_options;
#define IDELTA_CONTEXT_OPTIONS_INIT \
  { sizeof(idelta_context_options), IDELTA_ISA_AUTO, 0, NULL, NULL, -1, IDELTA_BF16_PRODUCT_AUTO }

/* options may be null: all defaults. An environment variable that is set but empty is unset; one with a value that is
 * not allowed is INVALID_ARGUMENT. Free with idelta_context_destroy, after the deltas made with it. */
IDELTA_API idelta_status idelta_context_create(const idelta_context_options* options, idelta_context** context);
IDELTA_API void idelta_context_destroy(idelta_context* context);

IDELTA_API idelta_isa idelta_context_isa(const idelta_context* context);
IDELTA_API int32_t idelta_context_threads(const idelta_context* context);
/* How this context multiplies in format BF16: WIDENED or ROUNDED, never AUTO. */
IDELTA_API idelta_bf16_product idelta_context_bf16_product(const idelta_context* context);

/* What was chosen and why, a line each: CPU, ISA, caches, threads. Owned by the context. */
IDELTA_API const char* idelta_context_describe(const idelta_context* context);

#ifdef __cplusplus
}
#endif

#endif /* IDELTA_CONTEXT_H */
