#include "src/core/delta.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "src/core/dispatch.h"
#include "src/core/error.h"

namespace idelta::core {
namespace {

constexpr uint64_t kMagic = 0x4144544c45444949;  // "IIDELTDA"
constexpr uint32_t kVersion = 2;

uint64_t pair_of(uint32_t low, uint32_t high) { return uint64_t{high} << 32 | low; }

// FNV-1a over all fields, two of 32 bits a step; not over the bytes, for padding has no value. Each step is a bijection
// of what it is given, so that a change of one field cannot be missed.
uint64_t checksum_of(const idelta_delta::Header& h) {
  uint64_t sum = 0xcbf29ce484222325;
  for (const uint64_t field :
       {h.magic, pair_of(h.version, h.isa), pair_of(h.format, h.asked),
        pair_of(static_cast<uint32_t>(h.arithmetic), h.passes), static_cast<uint64_t>(h.n), static_cast<uint64_t>(h.mr),
        static_cast<uint64_t>(h.nr), pair_of(std::bit_cast<uint32_t>(h.identity_scale), h.transposed),
        std::bit_cast<uint64_t>(h.tolerance)}) {
    sum = (sum ^ field) * 0x100000001b3;
  }
  return sum;
}

// In fp64.
struct Norms {
  double frobenius = 0, one = 0, inf = 0, max = 0;
};

Norms norms_of(const std::vector<float>& D, int64_t n) {
  Norms norms;
  std::vector<double> column(static_cast<size_t>(n));
  double squares = 0;
  for (int64_t k = 0; k < n; ++k) {
    double row = 0;
    for (int64_t j = 0; j < n; ++j) {
      const double size = std::fabs(static_cast<double>(D[static_cast<size_t>(k * n + j)]));
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

std::vector<float> dense(const MatrixView& D, int64_t n) {
  std::vector<float> all(static_cast<size_t>(n * n));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) all[static_cast<size_t>(i * n + j)] = D.at(i, j);
  }
  return all;
}

// F32 stores D and rounds no x, so that no norm but that of the sum's roundings counts.
constexpr StoredNorms kExact = {std::numeric_limits<double>::infinity(), 0, 0};

// D in one format on this context, measured.
struct Candidate {
  StoredDelta stored;
  StoredNorms norms;

  Candidate(const idelta_context& context, int64_t n, idelta_format format, const std::vector<float>& D)
      : stored(stored_delta(context, n, format, D)),
        norms(format == IDELTA_FORMAT_F32 ? kExact : stored_norms(context, stored, D)) {}

  // The larger one of the passes.
  double certificate(const idelta_delta::Header& h) const {
    const Certificates c = certificates_of(stored, norms, h.identity_scale);
    return h.passes == IDELTA_PASS_FORWARD         ? c.forward
           : h.passes == IDELTA_PASS_BACKWARD_DATA ? c.backward_data
                                                   : std::max(c.forward, c.backward_data);
  }
};

[[noreturn]] void fail_tolerance(const idelta_delta::Header& h, double limit, double best, idelta_format format) {
  char text[200];
  std::snprintf(text, sizeof text, "tolerance = %g%s is below the best certificate, %g of format %s; ask for no less",
                limit, h.tolerance == IDELTA_TOLERANCE_SGEMM ? " (the worst case of SGEMM)" : "", best,
                format_name(format));
  throw Failure(IDELTA_TOLERANCE_NOT_MET, text);
}

struct Choice {
  idelta_format format;
  std::optional<StoredNorms> norms;
};

// The first of `formats` whose certificate is within the tolerance. Before anything is packed, so that a refusal
// changes nothing.
Choice choose_format(const idelta_context& context, const idelta_delta::Header& h,
                     std::span<const idelta_format> formats, const MatrixView& view) {
  if (h.tolerance == 0 && formats.front() == IDELTA_FORMAT_F32) return {IDELTA_FORMAT_F32, {}};
  const std::vector<float> D = dense(view, h.n);
  const double limit = h.tolerance == IDELTA_TOLERANCE_SGEMM ? sgemm_error(h.n, D, h.identity_scale) : h.tolerance;
  double best = std::numeric_limits<double>::infinity();
  idelta_format best_format = formats.back();
  for (const idelta_format format : formats) {
    const Candidate candidate(context, h.n, format, D);
    const double certificate = h.tolerance == 0 ? 0 : candidate.certificate(h);
    if (certificate <= limit) {
      return {format, format == IDELTA_FORMAT_F32 ? std::nullopt : std::optional(candidate.norms)};
    }
    if (certificate >= best) continue;
    best = certificate;
    best_format = format;
  }
  fail_tolerance(h, limit, best, best_format);
}

void pack_passes(const idelta_context& context, idelta_delta& delta, const MatrixView& D) {
  if (!delta.forward.empty()) pack_panels(context, delta.forward, D);
  if (!delta.backward.empty()) pack_panels(context, delta.backward, D.transpose());
}

}  // namespace

idelta_delta* pack_delta(const idelta_context& context, int64_t n, const float* D, int64_t ldd,
                         const idelta_delta_options& options) {
  const idelta_passes passes = options.passes == 0 ? IDELTA_PASS_BOTH : options.passes;
  auto delta = std::make_unique<idelta_delta>();
  idelta_delta::Header& h = delta->header;
  h = {.magic = kMagic,
       .version = kVersion,
       .isa = context.isa,
       .format = IDELTA_FORMAT_AUTO,
       .asked = options.format,
       .arithmetic = Arithmetic::kChain,
       .passes = passes,
       .n = n,
       .nr = 0,
       .identity_scale = options.identity_scale,
       .transposed = options.transposed != 0,
       .tolerance = options.tolerance};
  const MatrixView view{D, ldd, h.transposed};
  constexpr idelta_format kF32[] = {IDELTA_FORMAT_F32};
  const idelta_format named[] = {runs_as(context, options.format)};
  const Choice choice = choose_format(context, h,
                                      options.format != IDELTA_FORMAT_AUTO ? std::span<const idelta_format>(named)
                                      : options.tolerance == 0             ? std::span<const idelta_format>(kF32)
                                                                           : formats_by_speed(context),
                                      view);
  h.format = choice.format;
  h.arithmetic = arithmetic_of(context, h.format);
  const PanelShape shape = panel_shape(context, h.format);
  h.nr = shape.nr;
  delta->checksum = checksum_of(h);
  delta->norms = choice.norms;
  if (passes & IDELTA_PASS_FORWARD) delta->forward = Panels(n, shape, h.format);
  if (passes & IDELTA_PASS_BACKWARD_DATA) delta->backward = Panels(n, shape, h.format);
  pack_passes(context, *delta, view);
  return delta.release();
}

void repack_delta(const idelta_context& context, idelta_delta& delta, const float* D, int64_t ldd) {
  const MatrixView view{D, ldd, delta.header.transposed};
  const idelta_format same[] = {delta.header.format};
  delta.norms = choose_format(context, delta.header, same, view).norms;
  pack_passes(context, delta, view);
}

void unpack_delta(const idelta_delta& delta, float* D, int64_t ldd) {
  const int64_t n = delta.header.n;
  const bool transposed = delta.forward.empty();
  const Panels& panels = transposed ? delta.backward : delta.forward;
  for (int64_t p = 0; p < panels.count(); ++p) {
    const int64_t first = p * panels.nr(), last = std::min(first + panels.nr(), n);
    for (int64_t k = 0; k < n; ++k) {
      for (int64_t j = first; j < last; ++j) (transposed ? D[j * ldd + k] : D[k * ldd + j]) = panels.at(k, j);
    }
  }
}

idelta_delta_info_t delta_info(const idelta_context& context, const idelta_delta& delta) {
  const idelta_delta::Header& h = delta.header;
  const Panels& panels = delta.forward.empty() ? delta.backward : delta.forward;
  std::vector<float> D(static_cast<size_t>(h.n * h.n));
  unpack_delta(delta, D.data(), h.n);
  const Norms norms = norms_of(D, h.n);
  const StoredDelta stored = stored_delta(context, h.n, h.format, D);
  const Certificates certificates = certificates_of(stored,
                                                    h.format == IDELTA_FORMAT_F32 ? kExact
                                                    : delta.norms                 ? *delta.norms
                                                                                  : stored_norms(context, stored),
                                                    h.identity_scale);
  int64_t used = 0;
  for (int64_t p = 0; p < panels.count(); ++p) used += panels.used(p).size();

  idelta_delta_info_t info = IDELTA_DELTA_INFO_INIT;
  info.n = h.n;
  info.format = h.format;
  info.asked = h.asked;
  info.isa = h.isa;
  info.passes = h.passes;
  info.identity_scale = h.identity_scale;
  info.packed_bytes = delta.forward.bytes() + delta.backward.bytes();
  info.certificate = certificates.forward;
  info.certificate_backward_data = certificates.backward_data;
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
  const bool same_product = h.arithmetic == arithmetic_of(context, h.format);
  if (h.isa != context.isa || (same_product && h.nr != panel_shape(context, h.format).nr)) {
    throw Failure(IDELTA_INVALID_ARGUMENT, std::string("delta was packed for ISA ") + isa_name(h.isa) +
                                               ", but the context runs " + isa_name(context.isa) +
                                               "; pack it with this context");
  }
  if (!same_product) {
    throw Failure(IDELTA_INVALID_ARGUMENT, std::string("delta of format ") + format_name(h.format) +
                                               " was packed for another bf16_product than this context's, and its "
                                               "certificate does not hold here; pack it with this context");
  }
  if (pass && !(h.passes & pass)) {
    throw Failure(IDELTA_INVALID_ARGUMENT, std::string("delta was not packed for pass ") +
                                               (pass == IDELTA_PASS_FORWARD ? "forward" : "backward_data") +
                                               "; add it to idelta_delta_options.passes");
  }
}

}  // namespace idelta::core

idelta_delta::~idelta_delta() { *const_cast<volatile uint64_t*>(&header.magic) = 0; }
