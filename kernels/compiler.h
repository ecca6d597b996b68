// What the kernel templates demand of the compiler.
#ifndef IDELTA_KERNELS_COMPILER_H
#define IDELTA_KERNELS_COMPILER_H

// NaN is told from numbers by x != x, and each sum has one order: promises of idelta.h. The build turns such flags off
// for itself (CMakeLists.txt); this is for other builds of these files.
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || \
    defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__)
#error \
    "idelta promises NaN, infinities and the order of sums: compile it with -fno-fast-math after -ffast-math or -Ofast"
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
// A whole tile: inlined into its caller's loop it would drag a hundred address computations in front of each row.
#define IDELTA_TILE __attribute__((noinline))

namespace idelta {

// For the next call, to be read and written: prefetchw, which takes the line from a core that has it as well (two
// threads' updates lost up to a quarter for want of it). Into L2 only, an update took a tenth longer, a fifth where
// rows are a page apart (Zen 5, 2026-11).
IDELTA_INLINE void fetch_next(const void* p) { __builtin_prefetch(p, 1, 3); }

// To be read once and soon: to L1, past L2.
IDELTA_INLINE void fetch_once(const void* p) { __builtin_prefetch(p, 0, 0); }

// To the compiler, p could be anything now. Else it computes the addresses of all rows first, and runs out of
// registers.
template <class T>
IDELTA_INLINE void forget(T*& p) {
  __asm__("" : "+r"(p));
}

}  // namespace idelta

#endif  // IDELTA_KERNELS_COMPILER_H
