#include "src/core/delta.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

#include "src/core/dispatch.h"
#include "src/core/error.h"

namespace idelta::core {
namespace {

constexpr uint64_t kMagic = 0x4144544c45444949;  // "IIDELTDA"
constexpr uint32_t kVersion = 1;

// FNV-1a over the fields, not the bytes: padding has no value.
uint64_t checksum_of(const idelta_delta::Header& h) {
  uint64_t sum = 0xcbf29ce484222325;
  for (const uint64_t field :
       {h.magic, uint64_t{h.version}, uint64_t{h.isa}, uint64_t{h.format}, uint64_t{h.passes},
        static_cast<uint64_t>(h.n), static_cast<uint64_t>(h.mr), static_cast<uint64_t>(h.nr), uint64_t{h.transposed}}) {
    sum = (sum ^ field) * 0x100000001b3;
  }
  return sum;
}

// In fp64. `b` is anything with at(i, j).
struct Norms {
  double frobenius = 0, one = 0, inf = 0, max = 0;
};

template <class Matrix>
Norms norms_of(const Matrix& b, int64_t n) {
  Norms norms;
  std::vector<double> column(static_cast<size_t>(n));
  double squares = 0;
  for (int64_t k = 0; k < n; ++k) {
    double row = 0;
    for (int64_t j = 0; j < n; ++j) {
      const double size = std::fabs(static_cast<double>(b.at(k, j)));
      row += size;
      column[static_cast<size_t>(j)] += size;
      squares += size * size;
      norms.max = size > norms.max || std::isnan(size) ? size : norms.max;
    }
    norms.inf = std::isnan(row) ? row : std::max(norms.inf, row);
  }
  norms.frobenius = std::sqrt(squares);
  for (const double sum : column) norms.one = std::isnan(sum) ? sum : std::max(norms.one, sum);
  return norms;
}

// u ((n + 3) || |D| ||_2 + 2 |a|): idelta.h, certificate. || |D| ||_2 <= min(||D||_F, sqrt(||D||_1 ||D||_inf)).
double f32_certificate(const Norms& norms, int64_t n, float a) {
  constexpr double u = 0x1p-24;
  const double spectral = std::min(norms.frobenius, std::sqrt(norms.one * norms.inf));
  return u * (static_cast<double>(n + 3) * spectral + 2 * std::fabs(static_cast<double>(a)));
}

// Before anything is packed, so that a refusal changes nothing.
void check_tolerance(const idelta_delta::Header& h, const MatrixView& D) {
  if (h.tolerance == 0) return;
  const double certificate = f32_certificate(norms_of(D, h.n), h.n, h.identity_scale);
  if (certificate <= h.tolerance) return;
  char text[160];
  std::snprintf(text, sizeof text, "tolerance = %g is below the best certificate, %g of format F32; ask for no less",
                h.tolerance, certificate);
  throw Failure(IDELTA_TOLERANCE_NOT_MET, text);
}

}  // namespace

Panels::Panels(int64_t n, int64_t nr)
    : n_(n),
      nr_(nr),
      count_(ceil_div(n, nr)),
      chunks_(ceil_div(n, kLine)),
      data_(count_ * n * nr),
      nonzero_(static_cast<size_t>(count_ * chunks_)),
      used_(static_cast<size_t>(count_)) {}

void Panels::pack_chunk(const KernelTable& kernels, const MatrixView& b, int64_t panel, int64_t chunk) {
  const int64_t k = chunk * kLine, j = panel * nr_;
  const PackPanel pack{.rows = chunk_rows(chunk),
                       .cols = std::min(nr_, n_ - j),
                       .src = b.data + (b.transposed ? j * b.ld + k : k * b.ld + j),
                       .ld = b.ld,
                       .width = nr_,
                       .dst = this->chunk(panel, chunk)};
  set_nonzero(panel, chunk, b.transposed ? kernels.f32_pack_panel_transposed(pack) : kernels.f32_pack_panel(pack));
}

void Panels::find_used() {
  for (int64_t p = 0; p < count_; ++p) {
    const auto first = nonzero_.begin() + p * chunks_, last = first + chunks_;
    const int64_t begin = std::find(first, last, 1) - first;
    const int64_t end =
        std::find(std::make_reverse_iterator(last), std::make_reverse_iterator(first), 1).base() - first;
    used_[static_cast<size_t>(p)] = begin < end ? Range{begin * kLine, std::min(end * kLine, n_)} : Range{0, 0};
  }
}

void pack_panels(const idelta_context& context, Panels& panels, const MatrixView& b) {
  const double work = packing_work(panels.count() * panels.stride());
  const int64_t tasks = std::min(panels.count(), useful_threads(context.parallel.threads(), work));
  context.parallel.run(tasks, work, [&](int64_t task) {
    const Range mine = part_of(panels.count(), tasks, task);
    for (int64_t p = mine.begin; p < mine.end; ++p) {
      for (int64_t chunk = 0; chunk < panels.chunks(); ++chunk) panels.pack_chunk(context.kernels, b, p, chunk);
    }
  });
  panels.find_used();
}

idelta_delta* pack_delta(const idelta_context& context, int64_t n, const float* D, int64_t ldd,
                         const idelta_delta_options& options) {
  const idelta_passes passes = options.passes == 0 ? IDELTA_PASS_BOTH : options.passes;
  auto delta = std::make_unique<idelta_delta>();
  delta->header = {.magic = kMagic,
                   .version = kVersion,
                   .isa = context.isa,
                   .format = IDELTA_FORMAT_F32,
                   .passes = passes,
                   .n = n,
                   .mr = context.kernels.mr,
                   .nr = context.kernels.nr,
                   .identity_scale = options.identity_scale,
                   .transposed = options.transposed != 0,
                   .tolerance = options.tolerance};
  delta->checksum = checksum_of(delta->header);
  if (passes & IDELTA_PASS_FORWARD) delta->forward = Panels(n, context.kernels.nr);
  if (passes & IDELTA_PASS_BACKWARD_DATA) delta->backward = Panels(n, context.kernels.nr);
  repack_delta(context, *delta, D, ldd);
  return delta.release();
}

void repack_delta(const idelta_context& context, idelta_delta& delta, const float* D, int64_t ldd) {
  const MatrixView view{D, ldd, delta.header.transposed};
  check_tolerance(delta.header, view);
  if (!delta.forward.empty()) pack_panels(context, delta.forward, view);
  if (!delta.backward.empty()) pack_panels(context, delta.backward, view.transpose());
}

void unpack_delta(const idelta_delta& delta, float* D, int64_t ldd) {
  const int64_t n = delta.header.n;
  const bool transposed = delta.forward.empty();
  const Panels& panels = transposed ? delta.backward : delta.forward;
  for (int64_t p = 0; p < panels.count(); ++p) {
    const float* row = panels.panel(p);
    const int64_t first = p * panels.nr(), last = std::min(first + panels.nr(), n);
    for (int64_t k = 0; k < n; ++k, row += panels.nr()) {
      for (int64_t j = first; j < last; ++j) (transposed ? D[j * ldd + k] : D[k * ldd + j]) = row[j - first];
    }
  }
}

idelta_delta_info_t delta_info(const idelta_delta& delta) {
  const idelta_delta::Header& h = delta.header;
  const Panels& panels = delta.forward.empty() ? delta.backward : delta.forward;
  Norms norms = norms_of(panels, h.n);
  if (delta.forward.empty()) std::swap(norms.one, norms.inf);
  int64_t used = 0;
  for (int64_t p = 0; p < panels.count(); ++p) used += panels.used(p).size();

  idelta_delta_info_t info = IDELTA_DELTA_INFO_INIT;
  info.n = h.n;
  info.format = h.format;
  info.isa = h.isa;
  info.passes = h.passes;
  info.identity_scale = h.identity_scale;
  info.packed_bytes = delta.forward.bytes() + delta.backward.bytes();
  info.certificate = f32_certificate(norms, h.n, h.identity_scale);
  info.norm_frobenius = norms.frobenius;
  info.norm_one = norms.one;
  info.norm_inf = norms.inf;
  info.norm_max = norms.max;
  info.zero_fraction = 1.0 - static_cast<double>(used) / static_cast<double>(panels.count() * h.n);
  return info;
}

void check_delta(const idelta_context& context, const idelta_delta* delta, idelta_passes pass) {
  if (!delta) throw Failure(IDELTA_INVALID_ARGUMENT, "delta is null; make one with idelta_delta_pack");
  const idelta_delta::Header& h = delta->header;
  if (h.magic != kMagic || h.version != kVersion || delta->checksum != checksum_of(h)) {
    throw Failure(IDELTA_INVALID_ARGUMENT, "delta is not a packed delta of this library, or was destroyed");
  }
  if (h.isa != context.isa || h.nr != context.kernels.nr) {
    throw Failure(IDELTA_INVALID_ARGUMENT, std::string("delta was packed for ISA ") + isa_name(h.isa) +
                                               ", but the context runs " + isa_name(context.isa) +
                                               "; pack it with this context");
  }
  if (pass && !(h.passes & pass)) {
    throw Failure(IDELTA_INVALID_ARGUMENT, std::string("delta was not packed for pass ") +
                                               (pass == IDELTA_PASS_FORWARD ? "forward" : "backward_data") +
                                               "; add it to idelta_delta_options.passes");
  }
}

}  // namespace idelta::core

idelta_delta::~idelta_delta() { *const_cast<volatile uint64_t*>(&header.magic) = 0; }
