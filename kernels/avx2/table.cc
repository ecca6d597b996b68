// The kernels of AVX2 with FMA.
//
// 6 x 16: 12 sums, 2 vectors of D and 1 of x are 15 of 16 registers; 12 chains cover latency 4 x 2 ports. int8 needs a
// register for products and one for ones: 5 x 16.
#include "kernels/avx2/vector.h"

namespace {

// sum += the four products of unsigned bytes of a with signed bytes of b, |b| <= 63. Two of them add up to at most 2 *
// 255 * 63 = 32130, which saturates nothing.
inline void accumulate_quads(Vector& sum, Vector a, Vector b) {
  __m256i pairs;
  __asm__("vpmaddubsw %3, %2, %1\n\tvpmaddwd %4, %1, %1\n\tvpaddd %1, %0, %0"
          : "+x"(sum.v), "=&x"(pairs)
          : "x"(a.v), "x"(b.v), "x"(_mm256_set1_epi16(1)));
}

}  // namespace

#include "kernels/bf16.h"
#include "kernels/elementwise.h"
#include "kernels/forward_tile.h"
#include "kernels/int8.h"
#include "kernels/int8_tile.h"
#include "kernels/optimizer.h"
#include "kernels/pack.h"
#include "kernels/weights_batch.h"

namespace idelta::avx2 {
namespace {

constexpr ptrdiff_t kRows = 6, kColumns = 16, kInt8Rows = 5;

constexpr auto int8_row_tile = tile_of_any_rows<QuadRows, Vector, 2, 1, 2, 3, 4, 5>;

}  // namespace

extern constinit const KernelTable kTable = {
    .f32_forward = {.mr = kRows, .nr = kColumns, .run = tile_of_any_rows<ForwardRows, Vector, 2, 1, 2, 3, 4, 5, 6>},
    .f32_weights = {.mr = kRows, .nr = kColumns, .few_rows = kRows, .run = weights<Vector, 2, 5, 1, 2, 3, 4, 5, 6>},
    .f32_copy_rows = {.run = copy_rows<Vector>},
    .f32_pack_panel = {.run = pack_panel<Vector>},
    .f32_pack_panel_transposed = {.run = pack_panel_transposed<Vector>},
    .f32_column_sums = {.run = column_sums<Vector>},
    .f32_optimizer_step = {.mr = 6, .nr = kColumns, .few_rows = 128, .run = optimizer_step<Vector, kColumns, 6, 2>},
    .bf16_round_panel = {.run = bf16_round_panel<Vector>},
    .bf16_round_rows = {.run = bf16_round_rows<Vector>},
    .bf16_forward = {.mr = kRows,
                     .nr = kColumns,
                     .kr = 2,
                     .run = tile_of_any_rows<WidenedForwardRows, Vector, 2, 1, 2, 3, 4, 5, 6>},
    .f32_scale_add = {.run = scale_add<Vector>},
    .f32_row_squares = {.run = row_squares<Squares, 2>},
    .int8_quantize_rows = {.run = int8_quantize_rows<Vector, Squares>},
    .int8_dot = {.mr = kInt8Rows, .nr = kColumns, .kr = 4, .run = int8_dot<kInt8Rows, kColumns, int8_row_tile>},
};

}  // namespace idelta::avx2
