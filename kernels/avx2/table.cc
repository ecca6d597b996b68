// The kernels of AVX2 with FMA.
//
// 6 x 16: 12 sums, 2 vectors of D and 1 of x are 15 of 16 registers; 12 chains cover latency 4 x 2 ports.
#include "kernels/avx2/vector.h"

#include "kernels/bf16.h"
#include "kernels/elementwise.h"
#include "kernels/forward_tile.h"
#include "kernels/optimizer.h"
#include "kernels/pack.h"
#include "kernels/weights_batch.h"

namespace idelta::avx2 {
namespace {

constexpr ptrdiff_t kRows = 6, kColumns = 16;

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
};

}  // namespace idelta::avx2
