// AMX where there is none: the library's contexts for AMX, with its kernels on emulated tile registers in place of the
// machine's. The linker puts this idelta_context_create in the place of the library's (--wrap).
#include "kernels/amx/multiply.h"
#include "kernels/scalar/vector.h"
#include "src/core/context.h"
#include "support/tile_engine.h"

extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier): the linker's names
idelta_status __real_idelta_context_create(const idelta_context_options* options, idelta_context** context);

idelta_status __wrap_idelta_context_create(const idelta_context_options* options, idelta_context** context) {
  using idelta::amx::multiply;
  if (options == nullptr || options->isa != IDELTA_ISA_AMX) return __real_idelta_context_create(options, context);
  idelta_context_options below = *options;
  below.isa = IDELTA_ISA_AVX512;  // whose kernels AMX's stand upon
  below.bf16_product = IDELTA_BF16_PRODUCT_AUTO;
  const idelta_status status = __real_idelta_context_create(&below, context);
  if (status != IDELTA_OK) return status;
  (*context)->isa = IDELTA_ISA_AMX;
  (*context)->bf16_dot = options->bf16_product != IDELTA_BF16_PRODUCT_WIDENED;
  (*context)->kernels.bf16_mr = 2 * idelta::amx::kTileRows;
  (*context)->kernels.bf16_dot = multiply<false, idelta_test::EmulatedTiles, Vector>;
  (*context)->kernels.bf16x3_dot = multiply<true, idelta_test::EmulatedTiles, Vector>;
  return IDELTA_OK;
}
// NOLINTEND(bugprone-reserved-identifier)
}
