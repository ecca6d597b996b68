// What AVX-VNNI, the 256-bit vpdpbusd of CPUs with or without AVX-512, adds to AVX2: products of int8. The tile is that
// of fp32.
#include "kernels/avx2/vector.h"

namespace {

// sum += the four products of unsigned bytes of a with signed bytes of b, modulo 2^32. {vex}: the encoding without
// AVX-512's registers.
inline void accumulate_quads(Vector& sum, Vector a, Vector b) {
  __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum.v) : "x"(a.v), "x"(b.v));
}

}  // namespace

#include "kernels/int8_tile.h"

namespace idelta::avx_vnni {
namespace {

constexpr ptrdiff_t kRows = 6, kColumns = 16;

constexpr auto row_tile = tile_of_any_rows<QuadRows, Vector, 2, 1, 2, 3, 4, 5, 6>;

}  // namespace

extern constinit const KernelTable kTable = {
    .int8_dot = {.mr = kRows, .nr = kColumns, .kr = 4, .run = int8_dot<kRows, kColumns, row_tile>},
};

}  // namespace idelta::avx_vnni
