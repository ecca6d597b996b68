// A packed delta: the operators of the requested directions, and the header that every call checks.
#ifndef IDELTA_CORE_FORMATS_DELTA_H
#define IDELTA_CORE_FORMATS_DELTA_H

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "idelta/idelta.h"
#include "src/core/context.h"
#include "src/core/formats/automatic.h"
#include "src/core/formats/factorise.h"
#include "src/core/formats/format.h"
#include "src/core/formats/low_rank.h"

namespace idelta::core {

// A delta's row bound, made by the first forward that needs it. Many threads may call get() at once; a delta that is
// being changed has no other users.
class KnownRowBound {
 public:
  // make() runs unlocked, because on the caller's threads it may run another forward of the same delta. All results
  // have the same bits; the first is kept.
  template <class Make>
  RowBound get(const Make& make) {
    std::unique_lock lock(mutex_);
    if (known_) return *known_;
    lock.unlock();
    const RowBound made = make();
    lock.lock();
    if (!known_) known_ = made;
    return *known_;
  }
  void forget() { known_.reset(); }

 private:
  std::mutex mutex_;
  std::optional<RowBound> known_;
};

}  // namespace idelta::core

struct idelta_delta {
  // Checked on entry of every call: whether this is a live delta of this library, packed for this ISA.
  struct Header {
    uint64_t magic;
    uint32_t version;
    idelta_isa isa;
    const idelta::core::Format* format;
    idelta_format asked;
    idelta_passes passes;
    int64_t n;
    int64_t nr;    // panel width of F32
    int64_t rank;  // asked for; 0: left open
    idelta_tail tail;
    float identity_scale;
    bool transposed;   // D is given out x in
    double tolerance;  // holds for repacks, too; 0: none, or IDELTA_TOLERANCE_SGEMM
  };
  Header header;
  uint64_t checksum;  // of the header
  idelta::core::Packed packed;
  std::unique_ptr<const idelta::core::Sample> sample;  // that the tolerance is for, on repacks too; null: none
  mutable idelta::core::KnownRowBound row_bound;

  ~idelta_delta();  // clears the magic, so that most uses after destroy are found
};

namespace idelta::core {

// Throws Failure or std::bad_alloc.
idelta_delta* pack_delta(const idelta_context& context, int64_t n, const float* D, int64_t ldd,
                         const idelta_delta_options& options);
// What pack_delta() with AUTO and a tolerance chooses from, fastest first; at most one is chosen. `limit` is the
// tolerance as a number.
struct Candidates {
  double limit;
  std::vector<Considered> forms;
};
Candidates delta_candidates(const idelta_context& context, int64_t n, const float* D, int64_t ldd,
                            const idelta_delta_options& options);

// What the cost model predicts of calls with a D that is packed with these options. The format is not AUTO.
double predicted_seconds(const idelta_context& context, int64_t n, const idelta_delta_options& options);
idelta_delta* pack_delta_factors(const idelta_context& context, int64_t n, int64_t r, const MatrixView& U,
                                 const MatrixView& V, const idelta_delta_options& options);
idelta_low_rank_proof measure_factors(const idelta_context& context, const MatrixView& D, const Factors& factors,
                                      const std::optional<TailIntegers>& tail);
idelta_delta* pack_delta_measured(const idelta_context& context, const Factors& factors,
                                  const std::optional<TailIntegers>& tail, const idelta_low_rank_proof& proof,
                                  const idelta_delta_options& options);
void repack_delta(const idelta_context& context, idelta_delta& delta, const float* D, int64_t ldd);
void unpack_delta(const idelta_context& context, const idelta_delta& delta, float* D, int64_t ldd);
Factors unpack_delta_factors(const idelta_context& context, const idelta_delta& delta);
void unpack_delta_integers(const idelta_delta& delta, int8_t* q, int64_t ldq, float* scales);
idelta_delta_info_t delta_info(const idelta_context& context, const idelta_delta& delta);
RowBound row_bound_of(const idelta_context& context, const idelta_delta& delta);  // of forward, which must be packed
// Called once D has been stepped.
void forget_measurements(idelta_delta& delta);

// Throws Failure unless `delta` is intact, was packed for this context's ISA and bf16 product, and has this pass.
void check_delta(const idelta_context& context, const idelta_delta* delta, idelta_passes pass);

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_DELTA_H
