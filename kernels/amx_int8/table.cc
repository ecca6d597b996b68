// What AMX's tiles of int8 add: products of int8.
#include "kernels/avx512/vector.h"

#include "kernels/amx/engine.h"
#include "kernels/amx/multiply.h"

namespace idelta::amx_int8 {

extern constinit const KernelTable kTable = {
    .int8_dot = {.mr = 2 * amx::kTileRows,
                 .nr = amx::kColumns,
                 .kr = 4,
                 .rows_past_last = amx::kTileRows,
                 .run = amx::multiply<amx::Int8Product, HardwareTiles, Vector>},
};

}  // namespace idelta::amx_int8
