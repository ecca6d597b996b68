// What AVX-512 VNNI adds to AVX-512: products of int8. The tile is that of fp32: a word of x and a word of D each hold
// four steps.
#include "kernels/avx512/vector.h"

namespace {

// sum += the four products of unsigned bytes of a with signed bytes of b, modulo 2^32.
inline void accumulate_quads(Vector& sum, Vector a, Vector b) {
  __asm__("vpdpbusd %2, %1, %0" : "+v"(sum.v) : "v"(a.v), "v"(b.v));
}

}  // namespace

#include "kernels/int8_tile.h"

namespace idelta::avx512_vnni {
namespace {

constexpr ptrdiff_t kRows = 14, kColumns = 32;

constexpr auto row_tile = tile_of_any_rows<QuadRows, Vector, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14>;

}  // namespace

extern constinit const KernelTable kTable = {
    .int8_dot = {.mr = kRows, .nr = kColumns, .kr = 4, .run = int8_dot<kRows, kColumns, row_tile>},
};

}  // namespace idelta::avx512_vnni
