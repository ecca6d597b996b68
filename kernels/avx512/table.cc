// The kernels of AVX-512.
//
// 14 x 32: 28 sums, 2 vectors of D and 1 of x are 31 of 32 registers; 16 loads feed 28 multiply-adds.
#include "kernels/avx512/vector.h"

#include "kernels/bf16.h"
#include "kernels/elementwise.h"
#include "kernels/forward_tile.h"
#include "kernels/int8.h"
#include "kernels/optimizer.h"
#include "kernels/pack.h"
#include "kernels/weights_batch.h"

namespace idelta::avx512 {
namespace {

constexpr ptrdiff_t kRows = 14, kColumns = 32;

}  // namespace

extern constinit const KernelTable kTable = {
    .f32_forward = {.mr = kRows,
                    .nr = kColumns,
                    .run = tile_of_any_rows<ForwardRows, Vector, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14>},
    .f32_weights = {.mr = kRows,
                    .nr = kColumns,
                    .few_rows = 6,
                    .run = weights<Vector, 2, 7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14>},
    .f32_copy_rows = {.run = copy_rows<Vector>},
    .f32_pack_panel = {.run = pack_panel<Vector>},
    .f32_pack_panel_transposed = {.run = pack_panel_transposed<Vector>},
    .f32_column_sums = {.run = column_sums<Vector>},
    .f32_optimizer_step = {.mr = 16, .nr = kColumns, .few_rows = 256, .run = optimizer_step<Vector, kColumns, 16, 1>},
    .bf16_round_panel = {.run = bf16_round_panel<Vector>},
    .bf16_round_rows = {.run = bf16_round_rows<Vector>},
    .bf16_round_rows_transposed = {.run = bf16_round_rows_transposed<Vector>},
    .bf16_forward =
        {.mr = kRows,
         .nr = kColumns,
         .kr = 2,
         .run = tile_of_any_rows<WidenedForwardRows, Vector, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14>},
    .f32_scale_add = {.run = scale_add<Vector>},
    .f32_row_squares = {.run = row_squares<Squares, 4>},
    .int8_quantize_rows = {.run = int8_quantize_rows<Vector, Squares>},
};

}  // namespace idelta::avx512
