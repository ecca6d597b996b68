// A packed matrix: panels in the order and number format of the kernels (kernels.h).
#ifndef IDELTA_CORE_FORMATS_PANELS_H
#define IDELTA_CORE_FORMATS_PANELS_H

#include <algorithm>
#include <cstdint>
#include <vector>

#include "idelta/idelta.h"
#include "src/core/context.h"
#include "src/core/formats/matrix.h"
#include "src/core/machine/memory.h"
#include "src/core/plan/blocking.h"

namespace idelta::core {

// The panels that a kernel takes.
struct PanelShape {
  int64_t nr;      // columns of a panel
  int64_t kr;      // reduction steps a word: 1 of fp32, 2 of bf16, 4 of int8
  int64_t planes;  // bf16 numbers for each of fp32: 1, or hi and lo

  template <class Kernel>
  static PanelShape of(const Kernel& kernel, int64_t planes = 1) {
    return {kernel.nr, kernel.kr, planes};
  }
};

// Panels of one k x cols matrix B: panel p holds columns [p nr, (p + 1) nr) for every reduction step.
//
//   kr 1             k rows of nr floats
//   kr 2             k / 2 rows of nr words, a word two steps of k, padded to kPairLine steps
//   kr 2, planes 2   the same twice, hi before lo
//   kr 4             k / 4 rows of nr words, a word four steps of k as integers q, padded to kQuadLine steps; and for
//                    each column a scale s and an offset, 128 times the sum of its q: B ~ s q, |q| <= 63
class Panels {
 public:
  Panels() = default;
  Panels(int64_t k, int64_t cols, PanelShape shape);

  bool empty() const { return count_ == 0; }
  const PanelShape& shape() const { return shape_; }
  int64_t k() const { return k_; }
  int64_t cols() const { return cols_; }
  int64_t count() const { return count_; }
  int64_t nr() const { return shape_.nr; }
  int64_t chunks() const { return chunks_; }
  int64_t words_of(int64_t steps) const { return (steps + shape_.kr - 1) >> shift_; }
  int64_t stride() const { return shape_.planes * plane_; }  // words from panel to panel
  size_t bytes() const { return static_cast<size_t>(data_.size()) * sizeof(float); }

  // A panel's words from reduction step k on, a multiple of kr.
  Word* words(int64_t panel, int64_t k) const { return data_.get() + panel * stride() + (k >> shift_) * shape_.nr; }
  const Word* low_words(int64_t panel, int64_t k) const { return words(panel, k) + plane_; }   // planes 2
  int64_t low_plane() const { return shape_.planes == 2 ? plane_ : 0; }                        // words from hi to lo
  float at(int64_t k, int64_t j) const;                                                        // hi + lo; s q, rounded
  float low_at(int64_t k, int64_t j) const;                                                    // planes 2
  int8_t integer_at(int64_t k, int64_t j) const;                                               // kr 4
  const float* scales(int64_t panel) const { return scales_.data() + panel * shape_.nr; }      // kr 4
  const int32_t* offsets(int64_t panel) const { return offsets_.data() + panel * shape_.nr; }  // kr 4

  int64_t chunk_rows(int64_t chunk) const { return chunk + 1 < chunks_ ? kLine : k_ - chunk * kLine; }

  // Packs one panel; different panels may be packed by different threads. given_scales: of the columns of b, for kr 4;
  // null: the largest magnitude of each column becomes 63.
  void pack(const KernelTable& kernels, const MatrixView& b, int64_t panel, const float* given_scales);
  // Packs one chunk: kLine rows of one panel; different chunks may be packed by different threads unless kr is 4.
  void pack_chunk(const KernelTable& kernels, const MatrixView& b, int64_t panel, int64_t chunk);
  // For entries that were changed in place. Threads share lines of flags, so that a flag is written only if it changes.
  void set_nonzero(int64_t panel, int64_t chunk, bool nonzero) {
    auto& flag = nonzero_[static_cast<size_t>(panel * chunks_ + chunk)];
    if (flag != nonzero) flag = nonzero;
  }
  // Whether no chunk is all zero; updated by find_used().
  bool full() const { return full_; }
  // Outside of these reduction steps the panel is zero; begins at a chunk; updated by find_used().
  Range used(int64_t panel) const { return used_[static_cast<size_t>(panel)]; }
  // The first of `panels`, at most `most`, with the same used steps: what is skipped depends on B alone, not on the
  // cut.
  Range first_alike(Range panels, int64_t most) const {
    const int64_t last = std::min(panels.begin + most, panels.end);
    int64_t end = std::min(panels.begin + 1, last);
    while (end < last && used(end) == used(panels.begin)) ++end;
    return {panels.begin, end};
  }
  void find_used();

 private:
  void pack_integers(int64_t panel, int64_t chunk, const float* rows);
  const Word* place(int64_t k, int64_t j) const { return words(j / shape_.nr, k) + j % shape_.nr; }

  PanelShape shape_{1, 1, 1};
  int shift_ = 0;  // 2^shift_ = kr; a division would take 10 ns of a call's 190
  int64_t k_ = 0, cols_ = 0, count_ = 0, chunks_ = 0;
  int64_t plane_ = 0;  // words of a panel, or of its hi or lo half
  WordBuffer data_;
  std::vector<float> scales_;  // kr 4, as are offsets_
  std::vector<int32_t> offsets_;
  std::vector<uint8_t> nonzero_;  // [panel][chunk]
  std::vector<Range> used_;
  bool full_ = true;
};

// Copies an n x n matrix from rows to fp32 panels of panel_floats() floats, and back.
int64_t panel_floats(int64_t n, int64_t nr);
void rows_to_panels(const idelta_context& context, int64_t n, const float* rows, int64_t ld, float* panels);
void panels_to_rows(const idelta_context& context, int64_t n, const float* panels, float* rows, int64_t ld);

// Packs all panels of b on the context's threads. given_scales: see Panels::pack().
void pack_panels(const idelta_context& context, Panels& panels, const MatrixView& b,
                 const float* given_scales = nullptr);

}  // namespace idelta::core

#endif  // IDELTA_CORE_FORMATS_PANELS_H
