// A packed matrix: panels in the order and number format of the kernels (kernels.h).
#ifndef IDELTA_CORE_PANELS_H
#define IDELTA_CORE_PANELS_H

#include <algorithm>
#include <cstdint>
#include <vector>

#include "idelta/idelta.h"
#include "src/core/blocking.h"
#include "src/core/context.h"
#include "src/core/formats.h"
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
//
//   F32     n rows of nr floats
//   BF16    n / 2 rows of nr words, a word two steps of k, padded to kPairLine steps
//   BF16X3  the same twice, hi before lo
class Panels {
 public:
  Panels() = default;
  Panels(int64_t n, const PanelShape& shape, idelta_format format);

  bool empty() const { return count_ == 0; }
  idelta_format format() const { return format_; }
  int64_t n() const { return n_; }
  int64_t count() const { return count_; }
  int64_t nr() const { return nr_; }
  int64_t chunks() const { return chunks_; }
  int64_t steps_a_word() const { return kr_; }
  int64_t stride() const { return planes() * plane_; }  // words (4 bytes, as a float has) from panel to panel
  size_t bytes() const { return static_cast<size_t>(data_.size()) * sizeof(float); }

  // A panel's words from reduction step k on; F32: its floats. k is even in other formats.
  const float* words(int64_t panel, int64_t k) const {
    return data_.get() + panel * stride() + k / steps_a_word() * nr_;
  }
  const float* low_words(int64_t panel, int64_t k) const { return words(panel, k) + plane_; }  // BF16X3
  int64_t low_plane() const { return planes() == 2 ? plane_ : 0; }                             // words from hi to lo
  float at(int64_t k, int64_t j) const;

  float* chunk(int64_t panel, int64_t chunk) const {
    return data_.get() + panel * stride() + chunk * kLine / steps_a_word() * nr_;
  }
  int64_t chunk_rows(int64_t chunk) const { return chunk + 1 < chunks_ ? kLine : n_ - chunk * kLine; }

  // Packs one chunk: kLine rows of one panel; different chunks may be packed by different threads.
  void pack_chunk(const KernelTable& kernels, const MatrixView& b, int64_t panel, int64_t chunk);
  // The same after its entries have been changed in place. Lines of flags belong to several threads, and few change.
  void set_nonzero(int64_t panel, int64_t chunk, bool nonzero) {
    auto& flag = nonzero_[static_cast<size_t>(panel * chunks_ + chunk)];
    if (flag != nonzero) flag = nonzero;
  }
  // Whether no chunk is all zero. True again after find_used().
  bool full() const { return full_; }
  // How it has been changed in place since it was packed, and so will be again.
  Stepped stepped() const { return stepped_; }
  void set_stepped(Stepped stepped) { stepped_ = stepped; }
  // Reduction steps of a panel outside of which B is exactly zero; begins at a chunk. True again after find_used().
  Range used(int64_t panel) const { return used_[static_cast<size_t>(panel)]; }
  // The first of these panels, at most so many, whose used steps are the same: what is skipped then depends on B alone,
  // not on how the work was cut.
  Range first_alike(Range panels, int64_t most) const {
    const int64_t last = std::min(panels.begin + most, panels.end);
    int64_t end = std::min(panels.begin + 1, last);
    while (end < last && used(end) == used(panels.begin)) ++end;
    return {panels.begin, end};
  }
  void find_used();

 private:
  int64_t planes() const { return planes_of(format_); }

  idelta_format format_ = IDELTA_FORMAT_F32;
  int64_t n_ = 0, nr_ = 0, kr_ = 1, count_ = 0, chunks_ = 0;
  int64_t plane_ = 0;  // words of a panel, or of its hi or lo half
  FloatBuffer data_;
  std::vector<uint8_t> nonzero_;  // [panel][chunk]
  std::vector<Range> used_;
  bool full_ = true;
  Stepped stepped_ = Stepped::kNot;
};

// An n x n matrix from rows of ld floats to panels of fp32, as f32_forward has them, in memory of panel_floats(), and
// back.
int64_t panel_floats(int64_t n, int64_t nr);
void rows_to_panels(const idelta_context& context, int64_t n, const float* rows, int64_t ld, float* panels);
void panels_to_rows(const idelta_context& context, int64_t n, const float* panels, float* rows, int64_t ld);

// Packs all panels of b on the context's threads.
void pack_panels(const idelta_context& context, Panels& panels, const MatrixView& b);

}  // namespace idelta::core

#endif  // IDELTA_CORE_PANELS_H
