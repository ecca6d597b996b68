// IDELTA_BENCH_CLONES before a function: one body, compiled for each of these and chosen when the program is loaded.
#pragma once

#if defined(__x86_64__)
#define IDELTA_BENCH_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define IDELTA_BENCH_CLONES
#endif
