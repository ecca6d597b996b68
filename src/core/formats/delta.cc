#include "src/core/formats/delta.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "src/core/base/error.h"
#include "src/core/formats/automatic.h"
#include "src/core/formats/f32.h"
#include "src/core/formats/list.h"
#include "src/core/formats/low_rank.h"
#include "src/core/machine/dispatch.h"

namespace idelta::core {
namespace {

using Header = idelta_delta::Header;

constexpr uint64_t kMagic = 0x4144544c45444949;  // "IIDELTDA"
constexpr uint32_t kVersion = 4;

// FNV-1a over the fields, not the bytes: padding has no value.
uint64_t checksum_of(const Header& h) {
  uint64_t sum = 0xcbf29ce484222325;
  for (const uint64_t field :
       {h.magic, uint64_t{h.version} << 32 | uint64_t{h.isa}, uint64_t{reinterpret_cast<uintptr_t>(h.format)},
        uint64_t{h.asked} << 32 | uint64_t{h.passes}, static_cast<uint64_t>(h.n), static_cast<uint64_t>(h.nr),
        static_cast<uint64_t>(h.rank), static_cast<uint64_t>(h.tail),
        uint64_t{std::bit_cast<uint32_t>(h.identity_scale)} << 32 | uint64_t{h.transposed},
        std::bit_cast<uint64_t>(h.tolerance)}) {
    sum = (sum ^ field) * 0x100000001b3;
  }
  return sum;
}

// The norms that the entries of D give at once.
void find_norms(const std::vector<float>& D, int64_t n, idelta_delta_info_t& info) {
  std::vector<double> column(static_cast<size_t>(n));
  double squares = 0;
  for (int64_t k = 0; k < n; ++k) {
    double row = 0;
    for (int64_t j = 0; j < n; ++j) {
      const double size = std::fabs(static_cast<double>(D[static_cast<size_t>(k * n + j)]));
      row += size;
      column[static_cast<size_t>(j)] += size;
      squares += size * size;
      info.norm_max = size > info.norm_max || std::isnan(size) ? size : info.norm_max;
    }
    info.norm_inf = std::isnan(row) ? row : std::max(info.norm_inf, row);
  }
  info.norm_frobenius = std::sqrt(squares);
  for (const double sum : column) info.norm_one = std::isnan(sum) ? sum : std::max(info.norm_one, sum);
}

// `what` is the certificate, or the sample's error.
[[noreturn]] void fail_tolerance(const Header& h, const char* what, double limit, double best, const Format& format) {
  char text[240];
  std::snprintf(text, sizeof text,
                "tolerance = %g%s is below the best %s that was found, %g of format %s; ask for no less", limit,
                h.tolerance == IDELTA_TOLERANCE_SGEMM ? " (the worst case of SGEMM)" : "", what, best, format.name);
  throw Failure(IDELTA_TOLERANCE_NOT_MET, text);
}
constexpr const char *kCertificate = "certificate", *kSampleError = "error of the sample rows";

// The tolerance as a number. D() returns D dense, in x out.
template <class Dense>
double limit_of(const Header& h, const Dense& D) {
  return h.tolerance == IDELTA_TOLERANCE_SGEMM ? sgemm_error(h.n, D(), h.identity_scale) : h.tolerance;
}

// D in x out, whichever direction is packed.
std::vector<float> unpacked(const idelta_context& context, const Packed& packed, int64_t n) {
  std::vector<float> D = packed.any().values(context);
  return packed.forward ? D : transposed(D, n, n);
}

struct Choice {
  Form form;
  Packed packed;
};

PackOptions pack_options(const Header& h, double limit, const Sample* sample) {
  return {h.passes, h.identity_scale, h.rank, limit, sample, h.tail};
}

// In this format, which must be within the tolerance.
Choice pack_as(const idelta_context& context, const Header& h, const Format& format, const MatrixView& D,
               const Sample* sample) {
  const double limit = limit_of(h, [&] { return dense(D, h.n, h.n); });
  const PackOptions options = pack_options(h, limit, sample);
  Packed packed = format.pack(context, h.n, D, options);
  const Form form{&format, h.tail};
  if (h.tolerance == 0) return {form, std::move(packed)};
  const double error = packed_error(context, packed, options);
  if (error <= limit) return {form, std::move(packed)};
  fail_tolerance(h, sample ? kSampleError : kCertificate, limit, error, format);
}

// In the fastest form that is within the tolerance.
Choice pack_fastest(const idelta_context& context, const Header& h, const MatrixView& D, const Sample* sample,
                    int64_t expected_rows) {
  const double limit = limit_of(h, [&] { return dense(D, h.n, h.n); });
  FormSearch search(context, h.n, D, pack_options(h, limit, sample), expected_rows);
  search.run(FormSearch::kUntilFound);
  if (FormSearch::Found* const found = search.found()) return {found->form, std::move(found->packed)};
  const Considered& best = search.least_error();
  fail_tolerance(h, sample ? kSampleError : kCertificate, limit, best.error, *best.form.format);
}

Header header_of(const idelta_context& context, int64_t n, const idelta_delta_options& options) {
  return {.magic = kMagic,
          .version = kVersion,
          .isa = context.isa,
          .format = nullptr,
          .asked = options.format,
          .passes = options.passes == 0 ? IDELTA_PASS_BOTH : options.passes,
          .n = n,
          .nr = context.kernels.f32_forward.nr,
          .rank = options.rank,
          .tail = options.tail,
          .identity_scale = options.identity_scale,
          .transposed = options.transposed != 0,
          .tolerance = options.tolerance};
}

// For given factors, whose rank is not chosen.
void check_tolerance(const idelta_context& context, const Header& h, const Packed& packed) {
  if (h.tolerance == 0) return;
  const double limit = limit_of(h, [&] { return unpacked(context, packed, h.n); });
  const double certificate = largest_certificate(context, packed, h.identity_scale);
  if (certificate > limit) fail_tolerance(h, kCertificate, limit, certificate, kLowRank);
}

void check_finite_factors(const Factors& factors) {
  check_finite("U", {factors.U.data(), factors.rank}, factors.n, factors.rank, kNeedsFinite);
  check_finite("V", {factors.V.data(), factors.n}, factors.rank, factors.n, kNeedsFinite);
}

idelta_delta* new_delta(Header header, Choice choice, std::unique_ptr<const Sample> sample = nullptr) {
  header.format = choice.form.format;
  header.tail = choice.form.tail;
  return new idelta_delta{header, checksum_of(header), std::move(choice.packed), std::move(sample), {}};
}

std::unique_ptr<const Sample> sample_of(int64_t n, const idelta_delta_options& options) {
  if (options.sample_rows == 0) return nullptr;
  const MatrixView rows{options.sample, options.ld_sample};
  check_finite("sample", rows, options.sample_rows, n, "its rows' errors are bounded only then");
  return std::make_unique<const Sample>(rows, options.sample_rows, n);
}

// AUTO packs before it is known how many rows calls will have.
constexpr int64_t kExpectedRows = 128;
int64_t expected_rows(const idelta_delta_options& options) {
  return options.expected_rows == 0 ? kExpectedRows : options.expected_rows;
}

}  // namespace

idelta_delta* pack_delta(const idelta_context& context, int64_t n, const float* D, int64_t ldd,
                         const idelta_delta_options& options) {
  const Header h = header_of(context, n, options);
  const MatrixView view{D, ldd, h.transposed};
  std::unique_ptr<const Sample> sample = sample_of(n, options);
  const bool chooses = options.format == IDELTA_FORMAT_AUTO && options.tolerance != 0;
  const Format& named = options.format == IDELTA_FORMAT_AUTO ? kF32 : *format_for(context, options.format);
  Choice choice = chooses ? pack_fastest(context, h, view, sample.get(), expected_rows(options))
                          : pack_as(context, h, named, view, sample.get());
  return new_delta(h, std::move(choice), std::move(sample));
}

Candidates delta_candidates(const idelta_context& context, int64_t n, const float* D, int64_t ldd,
                            const idelta_delta_options& options) {
  const Header h = header_of(context, n, options);
  const MatrixView view{D, ldd, h.transposed};
  const std::unique_ptr<const Sample> sample = sample_of(n, options);
  const double limit = limit_of(h, [&] { return dense(view, n, n); });
  FormSearch search(context, n, view, pack_options(h, limit, sample.get()), expected_rows(options));
  search.run(FormSearch::kAll);
  return {limit, search.fastest_first()};
}

double predicted_seconds(const idelta_context& context, int64_t n, const idelta_delta_options& options) {
  const Format& format = *format_for(context, options.format);
  return kCostModel.step_seconds * format.steps(context, {expected_rows(options), n, n}, options.rank, options.tail);
}

// The header keeps the rank: a repack factorises another D to the same rank.
idelta_delta* pack_delta_factors(const idelta_context& context, int64_t n, int64_t r, const MatrixView& U,
                                 const MatrixView& V, const idelta_delta_options& options) {
  Header h = header_of(context, n, options);
  h.rank = r;
  Factors factors{n, r, dense(U, n, r), dense(V, r, n)};
  check_finite_factors(factors);
  if (h.transposed) factors = transposed(factors);
  Packed packed = pack_factors(context, factors, h.passes);
  check_tolerance(context, h, packed);
  return new_delta(h, {{&kLowRank, h.tail}, std::move(packed)});
}

idelta_low_rank_proof measure_factors(const idelta_context& context, const MatrixView& D, const Factors& factors,
                                      const std::optional<TailIntegers>& tail) {
  check_finite_factors(factors);
  check_finite("D", D, factors.n, factors.n, kNeedsFinite);
  return measured_against(context, factors, tail, dense(D, factors.n, factors.n));
}

idelta_delta* pack_delta_measured(const idelta_context& context, const Factors& factors,
                                  const std::optional<TailIntegers>& tail, const idelta_low_rank_proof& proof,
                                  const idelta_delta_options& options) {
  Header h = header_of(context, factors.n, options);
  h.rank = factors.rank;
  h.tail = tail ? IDELTA_TAIL_INT8 : IDELTA_TAIL_NONE;
  check_finite_factors(factors);
  Packed packed = pack_measured(context, factors, tail, proof, h.passes);
  check_tolerance(context, h, packed);
  return new_delta(h, {{&kLowRank, h.tail}, std::move(packed)});
}

void repack_delta(const idelta_context& context, idelta_delta& delta, const float* D, int64_t ldd) {
  const Header& h = delta.header;
  const MatrixView view{D, ldd, h.transposed};
  Packed& packed = delta.packed;
  delta.row_bound.forget();
  // What is stored inexactly has to be measured, for which there may be no memory: the old pack stays until the new one
  // is there, with its certificate.
  const bool in_place = h.format->exact && h.tolerance == 0 &&
                        (!packed.forward || packed.forward->repack(context, view)) &&
                        (!packed.backward || packed.backward->repack(context, view.transpose()));
  if (in_place) return;
  packed = pack_as(context, h, *h.format, view, delta.sample.get()).packed;
}

void unpack_delta(const idelta_context& context, const idelta_delta& delta, float* D, int64_t ldd) {
  const int64_t n = delta.header.n;
  const std::vector<float> all = unpacked(context, delta.packed, n);
  for (int64_t i = 0; i < n; ++i) std::copy_n(all.data() + i * n, n, D + i * ldd);
}

Factors unpack_delta_factors(const idelta_context& context, const idelta_delta& delta) {
  std::optional<Factors> factors = factors_in(context, delta.packed);
  if (factors) return *std::move(factors);
  throw Failure(IDELTA_INVALID_ARGUMENT,
                std::string("delta of format ") + delta.header.format->name + " has no factors; pack it as low_rank");
}

void unpack_delta_integers(const idelta_delta& delta, int8_t* q, int64_t ldq, float* scales) {
  const Int8Operator* const integers = integers_in(delta.packed);
  if (!integers) {
    throw Failure(IDELTA_INVALID_ARGUMENT,
                  std::string("delta of format ") + delta.header.format->name + " has no integers" +
                      (delta.packed.forward ? "; pack it as int8, or as low_rank with a tail" : " for pass forward"));
  }
  const Panels& panels = integers->panels();
  for (int64_t j = 0; j < panels.cols(); ++j) {
    scales[j] = panels.scales(0)[j];
    for (int64_t i = 0; i < panels.k(); ++i) q[i * ldq + j] = panels.integer_at(i, j);
  }
}

idelta_delta_info_t delta_info(const idelta_context& context, const idelta_delta& delta) {
  const Header& h = delta.header;
  const Packed& packed = delta.packed;
  // Unlike the certificate, its part of ||x||_inf is 0 for a pass that is not packed.
  const auto certify = [&](const Operator* op, double& whole, double& of_largest) {
    whole = std::numeric_limits<double>::infinity();
    if (!op) return;
    const ErrorTerms terms = op->error(context, norms_of(context, packed, *op));
    whole = certificate(terms, h.identity_scale);
    of_largest = terms.of_largest;
  };

  idelta_delta_info_t info = IDELTA_DELTA_INFO_INIT;
  info.n = h.n;
  info.format = h.format->id;
  info.asked = h.asked;
  info.isa = h.isa;
  info.passes = h.passes;
  info.identity_scale = h.identity_scale;
  info.packed_bytes = (packed.forward ? packed.forward->bytes() : 0) + (packed.backward ? packed.backward->bytes() : 0);
  certify(packed.forward.get(), info.certificate, info.certificate_inf);
  certify(packed.backward.get(), info.certificate_backward_data, info.certificate_inf_backward_data);
  find_norms(unpacked(context, packed, h.n), h.n, info);
  info.zero_fraction = packed.any().zero_share();
  info.rank = packed.any().rank();
  info.tail = h.tail;
  return info;
}

RowBound row_bound_of(const idelta_context& context, const idelta_delta& delta) {
  return delta.row_bound.get([&] {
    const Packed& packed = delta.packed;
    const Norms norms = norms_of(context, packed, *packed.forward);
    return packed.forward->row_bound(context, norms, delta.header.identity_scale);
  });
}

void forget_measurements(idelta_delta& delta) {
  delta.packed.norms.reset();
  delta.packed.norms_of_backward.reset();
  delta.row_bound.forget();
}

void check_delta(const idelta_context& context, const idelta_delta* delta, idelta_passes pass) {
  if (!delta) throw Failure(IDELTA_INVALID_ARGUMENT, "delta is null; make one with idelta_delta_pack");
  const Header& h = delta->header;
  if (h.magic != kMagic || h.version != kVersion || delta->checksum != checksum_of(h)) {
    throw Failure(IDELTA_INVALID_ARGUMENT, "delta is not a packed delta of this library, or was destroyed");
  }
  if (h.isa != context.isa || h.nr != context.kernels.f32_forward.nr) {
    throw Failure(IDELTA_INVALID_ARGUMENT, std::string("delta was packed for ISA ") + isa_name(h.isa) +
                                               ", but the context runs " + isa_name(context.isa) +
                                               "; pack it with this context");
  }
  if (!h.format->runs(context)) {
    throw Failure(IDELTA_INVALID_ARGUMENT, std::string("delta of format ") + h.format->name +
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
