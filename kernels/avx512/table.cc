// The kernels of AVX-512.
//
// 14 x 32: 28 sums, 2 vectors of D and 1 of x are 31 of 32 registers; 16 loads feed 28 multiply-adds.
#include "kernels/avx512/vector.h"

#include "kernels/elementwise.h"
#include "kernels/pack.h"
#include "kernels/tile.h"

namespace idelta::avx512 {
namespace {
using F32 = Tiles<Vector, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14>;
}

constinit const KernelTable kTable = {
    .mr = 14,
    .nr = 32,
    .wide_panels = 4,
    .f32_forward = F32::forward,
    .f32_weights = F32::weights,
    .f32_copy_rows = copy_rows<Vector>,
    .f32_pack_panel = pack_panel<Vector>,
    .f32_pack_panel_transposed = pack_panel_transposed<Vector>,
    .f32_column_sums = column_sums<Vector>,
    .f32_optimizer_step = optimizer_step<Vector>,
    .f32_scale_add = scale_add<Vector>,
};

}  // namespace idelta::avx512
