// What AMX adds to AVX-512: products of bf16 in tiles.
#include "kernels/avx512/vector.h"

#include "kernels/amx/engine.h"
#include "kernels/amx/multiply.h"

namespace idelta::amx {

extern constinit const KernelTable kTable = {
    .bf16_dot = {.mr = 2 * kTileRows,
                 .nr = kColumns,
                 .kr = 2,
                 .rows_past_last = kTileRows,
                 .run = multiply<Bf16Product<false>, HardwareTiles, Vector>},
    .bf16x3_dot = {.mr = 2 * kTileRows,
                   .nr = kColumns,
                   .kr = 2,
                   .rows_past_last = kTileRows,
                   .run = multiply<Bf16Product<true>, HardwareTiles, Vector>},
};

}  // namespace idelta::amx
