// A packed delta: the operators of the directions that were asked for, and the header that every call checks.
#ifndef IDELTA_CORE_FORMATS_DELTA_H
#define IDELTA_CORE_FORMATS_DELTA_H

#include <cstdint>
#include <mutex>
#include <optional>

#include "idelta/idelta.h"
#include "src/core/context.h"
#include "src/core/formats/factorise.h"
#include "src/core/formats/format.h"

namespace idelta::core {

// A delta's row bound, made by the first forward that wants it. Many threads may ask at once; whoever changes the delta
// has it alone.
class KnownRowBound {
 public:
  // make() runs unlocked: on the caller's threads it may meet another forward of the same delta. The first result
  // stays; all are the same bits.
  template <class Make>
  RowBound get(const Make& make) {
    if (const std::optional<RowBound> known = now()) return *known;
    const RowBound made = make();
    const std::lock_guard lock(mutex_);
    if (!known_) known_ = made;
    return *known_;
  }
  void forget() { known_.reset(); }

 private:
  std::optional<RowBound> now() {
    const std::lock_guard lock(mutex_);
    return known_;
  }

  std::mutex mutex_;
  std::optional<RowBound> known_;
};

}  // namespace idelta::core

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
  mutable idelta::core::KnownRowBound row_bound;

  ~idelta_delta();  // spoils the magic, so that use after destroy is an error while the memory lasts
};

namespace idelta::core {

// Throws Failure or std::bad_alloc.
idelta_delta* pack_delta(const idelta_context& context, int64_t n, const float* D, int64_t ldd,
                         const idelta_delta_options& options);
idelta_delta* pack_delta_factors(const idelta_context& context, int64_t n, int64_t r, const MatrixView& U,
                                 const MatrixView& V, const idelta_delta_options& options);
idelta_low_rank_proof measure_factors(const idelta_context& context, const MatrixView& D, const Factors& factors);
idelta_delta* pack_delta_measured(const idelta_context& context, const Factors& factors,
                                  const idelta_low_rank_proof& proof, const idelta_delta_options& options);
void repack_delta(const idelta_context& context, idelta_delta& delta, const float* D, int64_t ldd);
void unpack_delta(const idelta_context& context, const idelta_delta& delta, float* D, int64_t ldd);
Factors unpack_delta_factors(const idelta_context& context, const idelta_delta& delta);
idelta_delta_info_t delta_info(const idelta_context& context, const idelta_delta& delta);
RowBound row_bound_of(const idelta_context& context, const idelta_delta& delta);  // of forward, which must be packed
// Once D has been stepped: what was measured of it no longer holds.
void forget_measurements(idelta_delta& delta);

// Throws Failure unless `delta` is whole, was packed for this context's ISA and way to multiply, and has this pass.
void check_delta(const idelta_context& context, const idelta_delta* delta, idelta_passes pass);

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_DELTA_H
