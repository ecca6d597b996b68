// Whether bf16 formats round x too, to use the CPU's bf16 dot product.
#ifndef IDELTA_CORE_MACHINE_BF16_PRODUCT_H
#define IDELTA_CORE_MACHINE_BF16_PRODUCT_H

#include <string>

#include "idelta/idelta.h"
#include "src/core/machine/kernel_rows.h"

namespace idelta::core {

const char* bf16_product_name(idelta_bf16_product product);  // null for an unknown one

struct Bf16ProductChoice {
  bool dot;
  std::string reason;
};

// For a wish (AUTO or forced) and the value of IDELTA_BF16 (null: unset). The choice changes bits, so that it depends
// on the CPU and never on measured time. Throws Failure.
Bf16ProductChoice choose_bf16_product(idelta_bf16_product wish, const char* environment, idelta_isa isa,
                                      FeatureSet features);

}  // namespace idelta::core

#endif  // IDELTA_CORE_MACHINE_BF16_PRODUCT_H
