#include "src/core/panels.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace idelta::core {
namespace {

int64_t plane_words(int64_t n, const PanelShape& shape, idelta_format format) {
  return (format == IDELTA_FORMAT_F32 ? n : round_up(n, kPairLine)) / shape.kr * shape.nr;
}

// body(p) for every panel of n columns, nr each, on the context's threads.
template <class Body>
void each_panel(const idelta_context& context, int64_t n, int64_t nr, const Body& body) {
  const int64_t panels = ceil_div(n, nr);
  const double work = packing_work(panels * n * nr);
  const int64_t tasks = std::min(panels, useful_threads(context.parallel.threads(), work));
  context.parallel.run(tasks, work, [&](int64_t task) {
    const Range mine = part_of(panels, tasks, task);
    for (int64_t p = mine.begin; p < mine.end; ++p) body(p);
  });
}

}  // namespace

Panels::Panels(int64_t n, const PanelShape& shape, idelta_format format)
    : format_(format),
      n_(n),
      nr_(shape.nr),
      kr_(shape.kr),
      count_(ceil_div(n, nr_)),
      chunks_(ceil_div(n, kLine)),
      plane_(plane_words(n, shape, format)),
      data_(count_ * planes() * plane_),
      nonzero_(static_cast<size_t>(count_ * chunks_)),
      used_(static_cast<size_t>(count_)) {
  assert(nr_ <= kWidest && kr_ == (format == IDELTA_FORMAT_F32 ? 1 : 2));
  if (format != IDELTA_FORMAT_F32) std::fill_n(data_.get(), data_.size(), 0.0f);  // the padding stays so
}

float Panels::at(int64_t k, int64_t j) const {
  const int64_t offset = j / nr_ * stride() + k / steps_a_word() * nr_ + j % nr_;
  if (format_ == IDELTA_FORMAT_F32) return data_.get()[offset];
  const auto half = [&](const float* word) {
    const auto both = std::bit_cast<uint32_t>(*word);
    return std::bit_cast<float>(k % 2 == 0 ? both << 16 : both & 0xffff0000u);
  };
  const float hi = half(data_.get() + offset);
  return format_ == IDELTA_FORMAT_BF16X3 ? hi + half(data_.get() + offset + plane_) : hi;
}

void Panels::pack_chunk(const KernelTable& kernels, const MatrixView& b, int64_t panel, int64_t chunk) {
  alignas(kAlignment) float rows[kLine * kWidest];
  const int64_t k = chunk * kLine, j = panel * nr_;
  float* const packed = this->chunk(panel, chunk);
  const PackPanel pack{.rows = chunk_rows(chunk),
                       .cols = std::min(nr_, n_ - j),
                       .src = b.data + (b.transposed ? j * b.ld + k : k * b.ld + j),
                       .ld = b.ld,
                       .width = nr_,
                       .dst = format_ == IDELTA_FORMAT_F32 ? packed : rows};
  set_nonzero(panel, chunk, b.transposed ? kernels.f32_pack_panel_transposed(pack) : kernels.f32_pack_panel(pack));
  if (format_ == IDELTA_FORMAT_F32) return;
  kernels.bf16_round_panel({.rows = pack.rows,
                            .cols = nr_,
                            .src = rows,
                            .ld = nr_,
                            .width = nr_,
                            .hi = reinterpret_cast<uint32_t*>(packed),
                            .lo = planes() == 2 ? reinterpret_cast<uint32_t*>(packed + plane_) : nullptr});
}

void Panels::find_used() {
  full_ = std::find(nonzero_.begin(), nonzero_.end(), 0) == nonzero_.end();
  for (int64_t p = 0; p < count_; ++p) {
    const auto first = nonzero_.begin() + p * chunks_, last = first + chunks_;
    const int64_t begin = std::find(first, last, 1) - first;
    const int64_t end =
        std::find(std::make_reverse_iterator(last), std::make_reverse_iterator(first), 1).base() - first;
    used_[static_cast<size_t>(p)] = begin < end ? Range{begin * kLine, std::min(end * kLine, n_)} : Range{0, 0};
  }
}

int64_t panel_floats(int64_t n, int64_t nr) { return ceil_div(n, nr) * n * nr; }

void rows_to_panels(const idelta_context& context, int64_t n, const float* rows, int64_t ld, float* panels) {
  const int64_t nr = context.kernels.f32_forward.nr;
  each_panel(context, n, nr, [&](int64_t p) {
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
  each_panel(context, n, nr, [&](int64_t p) {
    CopyRows copy{};
    copy.rows = n;
    copy.cols = std::min(nr, n - p * nr);
    copy.src = panels + p * n * nr;
    copy.ld = nr;
    copy.dst = rows + p * nr;
    copy.ldd = ld;
    context.kernels.f32_copy_rows(copy);
  });
}

void pack_panels(const idelta_context& context, Panels& panels, const MatrixView& b) {
  each_panel(context, panels.n(), panels.nr(), [&](int64_t p) {
    for (int64_t chunk = 0; chunk < panels.chunks(); ++chunk) panels.pack_chunk(context.kernels, b, p, chunk);
  });
  panels.find_used();
  panels.set_stepped(Stepped::kNot);
}

}  // namespace idelta::core
