// What AMX adds to AVX-512: products of bf16 in tiles.
#include "kernels/avx512/vector.h"

#include "kernels/amx/engine.h"
#include "kernels/amx/multiply.h"

namespace idelta::amx {

constinit const KernelTable kTable = {
    .bf16_mr = 2 * kTileRows,
    .bf16_dot = multiply<false, HardwareTiles, Vector>,
    .bf16x3_dot = multiply<true, HardwareTiles, Vector>,
};

}  // namespace idelta::amx
