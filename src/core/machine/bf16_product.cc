#include "src/core/machine/bf16_product.h"

#include "src/core/base/named.h"

namespace idelta::core {
namespace {

// vdpbf16ps runs at half the speed of fp32 multiply-adds on CPUs with tiles (Sapphire Rapids), and is 1.8 to 2 times as
// fast as widening on CPUs without (Zen 4 and 5, 2026-11).
Bf16ProductChoice fastest(idelta_isa isa, FeatureSet features) {
  if (isa == IDELTA_ISA_AMX) return {true, "AMX's tiles multiply bf16 with bf16"};
  if (isa < IDELTA_ISA_AVX512 || !has(features, kAvx512Bf16)) return {false, "no vdpbf16ps here"};
  if (has(features, kTilesOffered)) return {false, "vdpbf16ps is slower than widening on CPUs with tiles"};
  return {true, "vdpbf16ps is faster than widening on CPUs without tiles"};
}

}  // namespace

const char* bf16_product_name(idelta_bf16_product product) {
  constexpr const char* kNames[] = {"auto", "widened", "rounded"};
  return name_in(kNames, product);
}

Bf16ProductChoice choose_bf16_product(idelta_bf16_product wish, const char* environment, idelta_isa isa,
                                      FeatureSet features) {
  if (!bf16_product_name(wish)) {
    throw Failure(IDELTA_INVALID_ARGUMENT,
                  "bf16_product = " + std::to_string(wish) + " is none of idelta_bf16_product's values");
  }
  if (wish != IDELTA_BF16_PRODUCT_AUTO) return {wish == IDELTA_BF16_PRODUCT_ROUNDED, "asked for by the program"};
  if (!environment) return fastest(isa, features);
  const idelta_bf16_product named = kind_named("environment variable IDELTA_BF16", bf16_product_name, environment);
  if (named == IDELTA_BF16_PRODUCT_AUTO) return fastest(isa, features);
  return {named == IDELTA_BF16_PRODUCT_ROUNDED, "asked for by IDELTA_BF16"};
}

}  // namespace idelta::core
