#include "src/core/formats/panels.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <limits>

namespace idelta::core {
namespace {

int64_t plane_words(int64_t k, const PanelShape& shape) {
  // kPairLine pairs of bf16, or kQuadLine integers, are a line.
  return shape.kr == 1 ? k * shape.nr : round_up(k, kLine * shape.kr) / shape.kr * shape.nr;
}

float half_of(uint32_t both, int64_t k) { return std::bit_cast<float>(k % 2 == 0 ? both << 16 : both & 0xffff0000u); }

// A column's scale s, so that the largest magnitude becomes s 63; 0 if it underflows: all of the column is then
// dropped.
float scale_of_column(const MatrixView& b, int64_t k, int64_t j) {
  float largest = 0;
  for (int64_t i = 0; i < k; ++i) largest = std::max(largest, std::fabs(b.at(i, j)));
  const float scale = largest / kMostWeight;
  return scale >= std::numeric_limits<float>::min() ? scale : 0;
}

// Rounds to an integer, half to even: from 1.5 2^23 on fp32 has no fractions.
int32_t nearest(float a) {
  constexpr float kShift = 0x1.8p23f;
  return std::bit_cast<int32_t>(a + kShift) - std::bit_cast<int32_t>(kShift);
}

// Calls body(p) for every panel of a k x cols matrix, on the context's threads.
template <class Body>
void each_panel(const idelta_context& context, int64_t k, int64_t cols, int64_t nr, const Body& body) {
  const int64_t panels = ceil_div(cols, nr);
  if (panels == 0) return;
  const double work = packing_work(panels * k * nr);
  const int64_t tasks = std::min(panels, useful_threads(context.parallel.threads(), work));
  context.parallel.run(tasks, work, [&](int64_t task) {
    const Range mine = part_of(panels, tasks, task);
    for (int64_t p = mine.begin; p < mine.end; ++p) body(p);
  });
}

}  // namespace

Panels::Panels(int64_t k, int64_t cols, PanelShape shape)
    : shape_(shape),
      shift_(std::countr_zero(static_cast<uint64_t>(shape.kr))),
      k_(k),
      cols_(cols),
      count_(ceil_div(cols, shape.nr)),
      chunks_(ceil_div(k, kLine)),
      plane_(plane_words(k, shape)),
      data_(count_ * shape.planes * plane_),
      scales_(static_cast<size_t>(shape.kr == 4 ? count_ * shape.nr : 0)),
      offsets_(scales_.size()),
      nonzero_(static_cast<size_t>(count_ * chunks_)),
      used_(static_cast<size_t>(count_)) {
  assert(shape.nr <= kWidest);
  if (shape.kr != 1) std::fill_n(data_.get(), data_.size(), Word{0});  // the padding stays zero
}

float Panels::at(int64_t k, int64_t j) const {
  if (shape_.kr == 1) return std::bit_cast<float>(uint32_t{*place(k, j)});
  if (shape_.kr == 4) return scales_[static_cast<size_t>(j)] * static_cast<float>(integer_at(k, j));
  const float hi = half_of(*place(k, j), k);
  return shape_.planes == 2 ? hi + low_at(k, j) : hi;  // exact
}

float Panels::low_at(int64_t k, int64_t j) const { return half_of(place(k, j)[plane_], k); }

int8_t Panels::integer_at(int64_t k, int64_t j) const {
  return static_cast<int8_t>(*place(k, j) >> (8 * (k % 4)) & 0xffu);
}

void Panels::pack(const KernelTable& kernels, const MatrixView& b, int64_t panel, const float* given_scales) {
  if (shape_.kr == 4) {
    for (int64_t j = panel * shape_.nr; j < std::min((panel + 1) * shape_.nr, cols_); ++j) {
      scales_[static_cast<size_t>(j)] = given_scales ? given_scales[j] : scale_of_column(b, k_, j);
      offsets_[static_cast<size_t>(j)] = 0;
    }
  }
  for (int64_t chunk = 0; chunk < chunks_; ++chunk) pack_chunk(kernels, b, panel, chunk);
}

// rows: kLine x nr, zero past the last one.
void Panels::pack_integers(int64_t panel, int64_t chunk, const float* rows) {
  const int64_t nr = shape_.nr;
  Word* const packed = words(panel, chunk * kLine);
  for (int64_t c = 0; c < nr; ++c) {
    const auto j = static_cast<size_t>(panel * nr + c);
    const float scale = scales_[j];
    for (int64_t word = 0; word < kLine / 4; ++word) {
      uint32_t quad = 0;
      for (int64_t step = 0; step < 4; ++step) {
        const int32_t q = scale == 0 ? 0 : nearest(rows[(4 * word + step) * nr + c] / scale);
        offsets_[j] += kActivationZero * q;
        quad |= (static_cast<uint32_t>(q) & 0xffu) << (8 * step);
      }
      packed[word * nr + c] = quad;
    }
  }
}

void Panels::pack_chunk(const KernelTable& kernels, const MatrixView& b, int64_t panel, int64_t chunk) {
  alignas(kAlignment) float rows[kLine * kWidest];
  const int64_t k = chunk * kLine, j = panel * shape_.nr;
  Word* const packed = words(panel, k);
  const PackPanel pack{.rows = chunk_rows(chunk),
                       .cols = std::min(shape_.nr, cols_ - j),
                       .src = b.data + (b.transposed ? j * b.ld + k : k * b.ld + j),
                       .ld = b.ld,
                       .width = shape_.nr,
                       .dst = shape_.kr == 1 ? reinterpret_cast<float*>(packed) : rows};
  set_nonzero(panel, chunk, b.transposed ? kernels.f32_pack_panel_transposed(pack) : kernels.f32_pack_panel(pack));
  if (shape_.kr == 1) return;
  if (shape_.kr == 4) {
    std::fill(rows + pack.rows * shape_.nr, rows + kLine * shape_.nr, 0.0f);
    return pack_integers(panel, chunk, rows);
  }
  kernels.bf16_round_panel({.rows = pack.rows,
                            .cols = shape_.nr,
                            .src = rows,
                            .ld = shape_.nr,
                            .width = shape_.nr,
                            .hi = packed,
                            .lo = shape_.planes == 2 ? packed + plane_ : nullptr});
}

void Panels::find_used() {
  full_ = std::find(nonzero_.begin(), nonzero_.end(), 0) == nonzero_.end();
  for (int64_t p = 0; p < count_; ++p) {
    const auto first = nonzero_.begin() + p * chunks_, last = first + chunks_;
    const int64_t begin = std::find(first, last, 1) - first;
    const int64_t end =
        std::find(std::make_reverse_iterator(last), std::make_reverse_iterator(first), 1).base() - first;
    used_[static_cast<size_t>(p)] = begin < end ? Range{begin * kLine, std::min(end * kLine, k_)} : Range{0, 0};
  }
}

int64_t panel_floats(int64_t n, int64_t nr) { return ceil_div(n, nr) * n * nr; }

void rows_to_panels(const idelta_context& context, int64_t n, const float* rows, int64_t ld, float* panels) {
  const int64_t nr = context.kernels.f32_forward.nr;
  each_panel(context, n, n, nr, [&](int64_t p) {
    context.kernels.f32_pack_panel({.rows = n,
                                    .cols = std::min(nr, n - p * nr),
                                    .src = rows + p * nr,
                                    .ld = ld,
                                    .width = nr,
                                    .dst = panels + p * n * nr});
  });
}

void panels_to_rows(const idelta_context& context, int64_t n, const float* panels, float* rows, int64_t ld) {
  const int64_t nr = context.kernels.f32_forward.nr;
  each_panel(context, n, n, nr, [&](int64_t p) {
    context.kernels.f32_copy_rows({.rows = n,
                                   .cols = std::min(nr, n - p * nr),
                                   .src = panels + p * n * nr,
                                   .ld = nr,
                                   .dst = rows + p * nr,
                                   .ldd = ld});
  });
}

void pack_panels(const idelta_context& context, Panels& panels, const MatrixView& b, const float* given_scales) {
  each_panel(context, panels.k(), panels.cols(), panels.nr(),
             [&](int64_t p) { panels.pack(context.kernels, b, p, given_scales); });
  panels.find_used();
}

}  // namespace idelta::core
