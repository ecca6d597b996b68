// A packed delta: D in the order of panels (kernels.h) for each direction that was asked for.
#ifndef IDELTA_CORE_DELTA_H
#define IDELTA_CORE_DELTA_H

#include <cstdint>
#include <vector>

#include "idelta/idelta.h"
#include "src/core/blocking.h"
#include "src/core/context.h"
#include "src/core/memory.h"

namespace idelta::core {

// An n x n matrix where it lies: element (i, j) is data[i * ld + j], or data[j * ld + i] if transposed.
struct MatrixView {
  const float* data;
  int64_t ld;
  bool transposed;

  float at(int64_t i, int64_t j) const { return transposed ? data[j * ld + i] : data[i * ld + j]; }
  MatrixView transpose() const { return {data, ld, !transposed}; }
};

// Panels of one n x n matrix B (D, or D^T for backward_data): panel p holds columns [p nr, (p + 1) nr) for every k.
class Panels {
 public:
  Panels() = default;
  Panels(int64_t n, int64_t nr);

  bool empty() const { return count_ == 0; }
  int64_t count() const { return count_; }
  int64_t nr() const { return nr_; }
  int64_t stride() const { return n_ * nr_; }
  int64_t chunks() const { return chunks_; }
  size_t bytes() const { return static_cast<size_t>(data_.size()) * sizeof(float); }
  const float* panel(int64_t p) const { return data_.get() + p * stride(); }
  float at(int64_t k, int64_t j) const { return panel(j / nr_)[k * nr_ + j % nr_]; }

  float* chunk(int64_t panel, int64_t chunk) { return data_.get() + panel * stride() + chunk * kLine * nr_; }
  int64_t chunk_rows(int64_t chunk) const { return chunk + 1 < chunks_ ? kLine : n_ - chunk * kLine; }

  // Packs one chunk: kLine rows of one panel; different chunks may be packed by different threads.
  void pack_chunk(const KernelTable& kernels, const MatrixView& b, int64_t panel, int64_t chunk);
  // The same after its entries have been changed in place.
  void set_nonzero(int64_t panel, int64_t chunk, bool nonzero) {
    nonzero_[static_cast<size_t>(panel * chunks_ + chunk)] = nonzero;
  }
  // Reduction steps of a panel outside of which B is exactly zero; begins at a chunk. True again after find_used().
  Range used(int64_t panel) const { return used_[static_cast<size_t>(panel)]; }
  void find_used();

 private:
  int64_t n_ = 0, nr_ = 0, count_ = 0, chunks_ = 0;
  FloatBuffer data_;
  std::vector<uint8_t> nonzero_;  // [panel][chunk]
  std::vector<Range> used_;
};

}  // namespace idelta::core

struct idelta_delta {
  // Checked on entry of every call: tells a live delta of this library from anything else, and this ISA's from
  // another's.
  struct Header {
    uint64_t magic;
    uint32_t version;
    idelta_isa isa;
    idelta_format format;
    idelta_passes passes;
    int64_t n, mr, nr;
    float identity_scale;
    bool transposed;   // as given: out x in
    double tolerance;  // of every pack; 0: none
  };
  Header header;
  uint64_t checksum;  // of the header
  idelta::core::Panels forward, backward;

  ~idelta_delta();  // spoils the magic, so that use after destroy is an error while the memory lasts
};

namespace idelta::core {

// Packs all panels of b on the context's threads.
void pack_panels(const idelta_context& context, Panels& panels, const MatrixView& b);

// Throws Failure or std::bad_alloc.
idelta_delta* pack_delta(const idelta_context& context, int64_t n, const float* D, int64_t ldd,
                         const idelta_delta_options& options);
void repack_delta(const idelta_context& context, idelta_delta& delta, const float* D, int64_t ldd);
void unpack_delta(const idelta_delta& delta, float* D, int64_t ldd);
idelta_delta_info_t delta_info(const idelta_delta& delta);

// Throws Failure unless `delta` is whole, was packed for this context's ISA and has this pass.
void check_delta(const idelta_context& context, const idelta_delta* delta, idelta_passes pass);

}  // namespace idelta::core

#endif  // IDELTA_CORE_DELTA_H
