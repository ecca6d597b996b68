// What main.cc says where no ISA and no format is forced: suites of internals.
#include "support/fixture.h"

namespace idelta_test {

idelta_isa forced_isa() { return IDELTA_ISA_AUTO; }
const ForcedFormat& forced_format() {
  static constexpr ForcedFormat kF32 = {"f32", IDELTA_FORMAT_F32, IDELTA_BF16_PRODUCT_AUTO, false};
  return kF32;
}
bool reduced() { return false; }

}  // namespace idelta_test
