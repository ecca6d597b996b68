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
constinit const KernelTable kTable = {
    .mr = 6,
    .nr = 16,
    .wide_panels = 4,
    .wide_rows = 6,
    .step_mr = 6,
    .few_rows = 128,
    .f32_forward = tile_of_any_rows<ForwardRows, Vector, 2, 1, 2, 3, 4, 5, 6>,
    .f32_weights = weights<Vector, 2, 5, 1, 2, 3, 4, 5, 6>,
    .f32_copy_rows = copy_rows<Vector>,
    .f32_pack_panel = pack_panel<Vector>,
    .f32_pack_panel_transposed = pack_panel_transposed<Vector>,
    .f32_column_sums = column_sums<Vector>,
    .f32_optimizer_step = optimizer_step<Vector, 16, 6, 2>,
    .bf16_round_panel = bf16_round_panel<Vector>,
    .bf16_round_rows = bf16_round_rows<Vector>,
    .bf16_forward = tile_of_any_rows<WidenedForwardRows, Vector, 2, 1, 2, 3, 4, 5, 6>,
    .f32_scale_add = scale_add<Vector>,
};

}  // namespace idelta::avx2
