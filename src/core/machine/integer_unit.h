// The instructions by which int8 formats multiply four bytes of x with four of D.
#ifndef IDELTA_CORE_MACHINE_INTEGER_UNIT_H
#define IDELTA_CORE_MACHINE_INTEGER_UNIT_H

#include "idelta/idelta.h"
#include "src/core/machine/kernel_rows.h"

namespace idelta::core {

struct IntegerUnit {
  enum Speed { kPairs, kDot, kTiles } speed;
  const char* name;
};

inline IntegerUnit integer_unit(idelta_isa isa, FeatureSet features) {
  if (isa == IDELTA_ISA_SCALAR) return {IntegerUnit::kPairs, "one product at a time"};
  if (isa == IDELTA_ISA_AMX && has(features, kAmxInt8)) return {IntegerUnit::kTiles, "tdpbusd, AMX's tiles"};
  if (isa >= IDELTA_ISA_AVX512 && has(features, kAvx512Vnni)) return {IntegerUnit::kDot, "vpdpbusd of AVX512_VNNI"};
  if (isa == IDELTA_ISA_AVX2 && has(features, kAvxVnni)) return {IntegerUnit::kDot, "vpdpbusd of AVX-VNNI"};
  return {IntegerUnit::kPairs, "vpmaddubsw, vpmaddwd and vpaddd: no VNNI here"};
}

}  // namespace idelta::core

#endif  // IDELTA_CORE_MACHINE_INTEGER_UNIT_H
