#include "src/core/bf16_product.h"

#include <string_view>

#include "src/core/error.h"

namespace idelta::core {
namespace {

// CPUs that have tiles run vdpbf16ps at half the speed of fp32's multiply-adds (Sapphire Rapids); those that have no
// tiles gain 1.8 to 2 times by it (Zen 4 and 5, 2026-11).
Bf16ProductChoice fastest(idelta_isa isa, FeatureSet features) {
  if (isa == IDELTA_ISA_AMX) return {true, "AMX's tiles multiply bf16 with bf16"};
  if (isa < IDELTA_ISA_AVX512 || !has(features, kAvx512Bf16)) return {false, "no vdpbf16ps here"};
  if (has(features, kTilesOffered)) return {false, "vdpbf16ps is slower than widening on CPUs with tiles"};
  return {true, "vdpbf16ps is faster than widening on CPUs without tiles"};
}

}  // namespace

Bf16ProductChoice choose_bf16_product(idelta_bf16_product wish, const char* environment, idelta_isa isa,
                                      FeatureSet features) {
  if (wish < IDELTA_BF16_PRODUCT_AUTO || wish > IDELTA_BF16_PRODUCT_ROUNDED) {
    throw Failure(IDELTA_INVALID_ARGUMENT,
                  "bf16_product = " + std::to_string(wish) + " is none of idelta_bf16_product's values");
  }
  if (wish != IDELTA_BF16_PRODUCT_AUTO) return {wish == IDELTA_BF16_PRODUCT_ROUNDED, "asked for by the program"};
  const std::string_view name = environment ? environment : "";
  if (name == "widened" || name == "rounded") return {name == "rounded", "asked for by IDELTA_BF16"};
  if (!name.empty() && name != "auto") {
    throw Failure(IDELTA_INVALID_ARGUMENT,
                  "environment variable IDELTA_BF16 = \"" + std::string(name) + "\" is none of auto, widened, rounded");
  }
  return fastest(isa, features);
}

}  // namespace idelta::core
