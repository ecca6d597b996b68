// What the kernel templates demand of the compiler.
#ifndef IDELTA_KERNELS_COMPILER_H
#define IDELTA_KERNELS_COMPILER_H

// idelta.h promises NaN and one order of each sum. Our own build turns these flags off; this stops other builds.
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || \
    defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__)
#error "idelta promises NaN, infinities and the order of sums: put -fno-fast-math behind your flags"
#endif

// Arrays of sums stay in registers only if every index is a constant after unrolling.
#if defined(IDELTA_ROLLED)  // sanitizers: unrolled, a table takes Clang ten minutes
#define IDELTA_UNROLL
#define IDELTA_UNROLL_4
#elif defined(__clang__)
#define IDELTA_UNROLL _Pragma("clang loop unroll(full)")
#define IDELTA_UNROLL_4 _Pragma("clang loop unroll_count(4)")
#else
#define IDELTA_UNROLL _Pragma("GCC unroll 32")
#define IDELTA_UNROLL_4 _Pragma("GCC unroll 4")
#endif
#define IDELTA_INLINE inline __attribute__((always_inline))
// A whole tile: inlined, its address computations would move in front of each row of its caller's loop.
#define IDELTA_TILE __attribute__((noinline))

namespace idelta {

// Fetches a line that will be read and written. prefetchw takes it from other cores as well, which gains two threads'
// updates up to a quarter (Zen 5, 2026-11).
IDELTA_INLINE void fetch_next(const void* p) { __builtin_prefetch(p, 1, 3); }

// Hides the value of p from the compiler, which else computes the addresses of all rows first and runs out of
// registers.
template <class T>
IDELTA_INLINE void forget(T*& p) {
  __asm__("" : "+r"(p));
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_COMPILER_H
