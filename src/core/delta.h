// A packed delta: the operators of the directions that were asked for, and the header that every call checks.
#ifndef IDELTA_CORE_DELTA_H
#define IDELTA_CORE_DELTA_H

#include <cstdint>
#include <optional>

#include "idelta/idelta.h"
#include "src/core/context.h"
#include "src/core/formats/factorise.h"
#include "src/core/formats/format.h"

struct idelta_delta {
  // Checked on entry of every call: tells a live delta of this library from anything else, and this ISA's from
  // another's.
  struct Header {
    uint64_t magic;
    uint32_t version;
    idelta_isa isa;
    const idelta::core::Format* format;
    idelta_format asked;
    idelta_passes passes;
    int64_t n;
    int64_t nr;    // panel width of F32
    int64_t rank;  // asked for; 0: not said
    float identity_scale;
    bool transposed;   // as given: out x in
    double tolerance;  // of every pack; 0: none, or IDELTA_TOLERANCE_SGEMM
  };
  Header header;
  uint64_t checksum;  // of the header
  idelta::core::Packed packed;

  ~idelta_delta();  // spoils the magic, so that use after destroy is an error while the memory lasts
};

namespace idelta::core {

// Throws Failure or std::bad_alloc.
idelta_delta* pack_delta(const idelta_context& context, int64_t n, const float* D, int64_t ldd,
                         const idelta_delta_options& options);
idelta_delta* pack_delta_factors(const idelta_context& context, int64_t n, int64_t r, const MatrixView& U,
                                 const MatrixView& V, const idelta_delta_options& options);
void repack_delta(const idelta_context& context, idelta_delta& delta, const float* D, int64_t ldd);
void unpack_delta(const idelta_context& context, const idelta_delta& delta, float* D, int64_t ldd);
Factors unpack_delta_factors(const idelta_context& context, const idelta_delta& delta);
idelta_delta_info_t delta_info(const idelta_context& context, const idelta_delta& delta);

// Throws Failure unless `delta` is whole, was packed for this context's ISA and way to multiply, and has this pass.
void check_delta(const idelta_context& context, const idelta_delta* delta, idelta_passes pass);

}  // namespace idelta::core

#endif  // IDELTA_CORE_DELTA_H
