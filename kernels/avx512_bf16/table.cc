// What AVX-512 BF16 adds to AVX-512: one kernel; src/core/machine/bf16_product.cc says where it is used. The tile is
// that of fp32: a word of x and a word of D each hold a pair.
#include "kernels/avx512/vector.h"

namespace {

// sum += a_odd b_odd, then a_even b_even, each fused and rounded to nearest, subnormals flushed whatever MXCSR says.
inline void accumulate_dot(Vector& sum, Vector a, Vector b) {
  __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum.v) : "v"(a.v), "v"(b.v));
}

}  // namespace

#include "kernels/forward_tile.h"
#include "kernels/tile_block.h"

namespace idelta::avx512_bf16 {
namespace {

constexpr ptrdiff_t kRows = 14, kColumns = 32;

constexpr auto row_tile = tile_of_any_rows<DotForwardRows, Vector, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14>;

void dot(const Bf16Block& b) {
  const WordOperands words{reinterpret_cast<const Word*>(b.x_hi), b.ldx / 2, b.panels_hi, b.k / 2};
  each_row_tile<DotProduct, kRows, kColumns>(b, words, [](ptrdiff_t, ptrdiff_t, const auto& tile) { row_tile(tile); });
}

}  // namespace

extern constinit const KernelTable kTable = {
    .bf16_dot = {.mr = kRows, .nr = kColumns, .kr = 2, .run = dot},
};

}  // namespace idelta::avx512_bf16
