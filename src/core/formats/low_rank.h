// LOW_RANK: D ~ U V, U (n x r) with orthonormal columns and V (r x n) in fp32; or D ~ U V + R~ with a tail in integers.
#ifndef IDELTA_CORE_FORMATS_LOW_RANK_H
#define IDELTA_CORE_FORMATS_LOW_RANK_H

#include <optional>
#include <vector>

#include "src/core/formats/factorise.h"
#include "src/core/formats/format.h"
#include "src/core/formats/int8.h"

namespace idelta::core {

extern const Format kLowRank;

inline constexpr const char* kNeedsFinite = "format low_rank needs finite entries";

// Packs finite factors U (n x r) and V (r x n), measured against their product. U need not be orthonormal.
Packed pack_factors(const idelta_context& context, const Factors& given, idelta_passes passes);

// A tail as callers keep it: n x n integers, row stride ld, and the scales of its columns.
struct TailIntegers {
  const int8_t* q;
  int64_t ld;
  const float* scales;

  // s q, rounded; dividing by s gives q again.
  std::vector<float> values(int64_t n) const;
};

// Measures factors, and a tail if there is one, against D (n x n, row-major without gaps); packs them with such a
// proof, unchecked.
idelta_low_rank_proof measured_against(const idelta_context& context, const Factors& factors,
                                       const std::optional<TailIntegers>& tail, const std::vector<float>& D);
Packed pack_measured(const idelta_context& context, const Factors& factors, const std::optional<TailIntegers>& tail,
                     const idelta_low_rank_proof& proof, idelta_passes passes);

// U and V of a pack; none for other formats.
std::optional<Factors> factors_in(const idelta_context& context, const Packed& packed);
// The integers that forward multiplies: INT8's, or a tail's; null: there are none.
const Int8Operator* integers_in(const Packed& packed);

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_LOW_RANK_H
