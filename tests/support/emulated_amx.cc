// AMX where there is none: the library's contexts for AMX, with its kernels on emulated tile registers in place of the
// machine's. The linker puts this idelta_context_create in the place of the library's (--wrap).
#include "kernels/amx/multiply.h"
#include "kernels/scalar/vector.h"
#include "src/core/context.h"
#include "support/fixture.h"
#include "support/tile_engine.h"

bool idelta_test::emulates_amx() { return true; }

extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier): the linker's names
idelta_status __real_idelta_context_create(const idelta_context_options* options, idelta_context** context);

idelta_status __wrap_idelta_context_create(const idelta_context_options* options, idelta_context** context) {
  using idelta::amx::multiply;
  if (options == nullptr || options->isa != IDELTA_ISA_AMX) return __real_idelta_context_create(options, context);
  idelta::core::CpuFeatures cpu = idelta::core::cpu_features();
  cpu.set |= idelta::core::kAmxBf16 | idelta::core::kAmxInt8;
  *context = idelta::core::create_context(*options, cpu);
  for (idelta_context* each : {*context, (*context)->alone.get()}) {
    if (!each) continue;
    each->kernels.bf16_dot.run = multiply<idelta::amx::Bf16Product<false>, idelta_test::EmulatedTiles, Vector>;
    each->kernels.bf16x3_dot.run = multiply<idelta::amx::Bf16Product<true>, idelta_test::EmulatedTiles, Vector>;
    each->kernels.int8_dot.run = multiply<idelta::amx::Int8Product, idelta_test::EmulatedTiles, Vector>;
  }
  return IDELTA_OK;
}
// NOLINTEND(bugprone-reserved-identifier)
}
