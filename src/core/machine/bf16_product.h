// Whether formats of bf16 round x as well, so that the CPU's bf16 dot product can be used.
#ifndef IDELTA_CORE_MACHINE_BF16_PRODUCT_H
#define IDELTA_CORE_MACHINE_BF16_PRODUCT_H

#include <string>

#include "idelta/idelta.h"
#include "src/core/machine/kernel_rows.h"

namespace idelta::core {

const char* bf16_product_name(idelta_bf16_product product);  // null for none of ours

struct Bf16ProductChoice {
  bool dot;
  std::string reason;
};

// For a wish (AUTO or forced), the value of IDELTA_BF16 (null: unset), and what runs on which CPU: never by a clock,
// for the choice changes bits. Throws Failure.
Bf16ProductChoice choose_bf16_product(idelta_bf16_product wish, const char* environment, idelta_isa isa,
                                      FeatureSet features);

}  // namespace idelta::core

#endif  // IDELTA_CORE_MACHINE_BF16_PRODUCT_H
