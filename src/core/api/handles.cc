// The C ABI: version, errors, contexts, deltas.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "idelta/idelta.h"
#include "src/core/api/checks.h"
#include "src/core/api/guard.h"
#include "src/core/api/struct_versions.h"
#include "src/core/formats/delta.h"
#include "src/core/formats/list.h"
#include "src/core/formats/matrix.h"
#include "src/core/formats/spectral.h"

using namespace idelta::core;

#define IDELTA_TEXT_OF(x) #x
#define IDELTA_TEXT(x) IDELTA_TEXT_OF(x)

namespace {

void check_sample(const idelta_delta_options& o, int64_t n) {
  if (o.sample_rows < 0) invalid("sample_rows = " + std::to_string(o.sample_rows) + " is negative");
  if (o.sample_rows == 0) return;
  check_width(n, o.sample_rows);
  check_matrix(o.sample, "sample", o.sample_rows, o.ld_sample, "ld_sample", n);
  if (o.tolerance == 0) invalid("sample is given without a tolerance that it would be judged by; give one");
  if (o.passes != 0 && !(o.passes & IDELTA_PASS_FORWARD)) {
    invalid("sample is given, but passes leave out forward, whose rows these are; add it, or leave out the sample");
  }
}

idelta_delta_options checked(const idelta_delta_options* options, int64_t n) {
  if (!options) return versions_of<idelta_delta_options>.init;
  const Given given(options, "options");
  const idelta_delta_options& o = *given;
  check_format(o.format, "format");
  if (o.passes < 0 || o.passes > IDELTA_PASS_BOTH) {
    invalid("passes = " + std::to_string(o.passes) + " is no combination of idelta_passes' values");
  }
  check_finite(o.identity_scale, "identity_scale");
  const bool number = o.tolerance >= 0 && !std::isinf(o.tolerance);
  if (!number && o.tolerance != IDELTA_TOLERANCE_SGEMM) {
    invalid("tolerance = " + std::to_string(o.tolerance) +
            " is neither a finite number >= 0 (0 makes no demand) nor IDELTA_TOLERANCE_SGEMM");
  }
  if (o.rank < 0 || o.rank > n) {
    invalid("rank = " + std::to_string(o.rank) + " is not in 0 .. n = " + std::to_string(n) + "; 0 leaves it open");
  }
  if (o.rank != 0 && o.format != IDELTA_FORMAT_LOW_RANK) {
    invalid("rank = " + std::to_string(o.rank) + " is for format low_rank, but format is " + format_name(o.format));
  }
  if (o.tail != IDELTA_TAIL_NONE && o.tail != IDELTA_TAIL_INT8) {
    invalid("tail = " + std::to_string(o.tail) + " is none of idelta_tail's values");
  }
  if (o.tail != IDELTA_TAIL_NONE && o.format != IDELTA_FORMAT_LOW_RANK) {
    invalid(std::string("tail is for format low_rank, but format is ") + format_name(o.format));
  }
  if (o.expected_rows < 0) {
    invalid("expected_rows = " + std::to_string(o.expected_rows) + " is negative; 0 leaves it to the library");
  }
  if (o.expected_rows > (INT64_MAX >> 8) / n) {
    invalid("expected_rows = " + std::to_string(o.expected_rows) + " rows of n = " + std::to_string(n) +
            " are too many");
  }
  check_sample(o, n);
  return o;
}

// The options of a delta that is packed from D.
idelta_delta_options checked_for_packing(const idelta_delta_options* options, int64_t n) {
  const idelta_delta_options o = checked(options, n);
  if (o.format == IDELTA_FORMAT_LOW_RANK && o.rank == 0 && o.tolerance == 0 && o.tail == IDELTA_TAIL_NONE) {
    invalid("format = low_rank with neither rank nor tolerance nor tail; give one of them, or more");
  }
  return o;
}

// The options of a delta that is packed from factors.
idelta_delta_options checked_for_factors(const idelta_delta_options* options, int64_t n) {
  const idelta_delta_options o = checked(options, n);
  if (o.format != IDELTA_FORMAT_AUTO && o.format != IDELTA_FORMAT_LOW_RANK) {
    invalid(std::string("format = ") + format_name(o.format) + " does not hold factors; give low_rank or auto");
  }
  if (o.rank != 0) invalid("rank = " + std::to_string(o.rank) + ", but r says it of given factors; leave it 0");
  if (o.tail != IDELTA_TAIL_NONE) invalid("tail is for packing a D, but factors are given; leave it NONE");
  if (o.sample_rows != 0) invalid("sample is for deltas that are packed from D; leave it out for factors");
  return o;
}

void check_factors(int64_t n, int64_t r, const float* U, int64_t ldu, const float* V, int64_t ldv) {
  if (r < 0 || r > n) invalid("r = " + std::to_string(r) + " is not in 0 .. n = " + std::to_string(n));
  if (r > 0) check_matrix(U, "U", n, ldu, "ldu", r, "r");
  check_matrix(V, "V", r, ldv, "ldv", n);
}

// Checks what a tail that callers kept has to be: integers of 7 bits, and scales that are 0 or normal numbers.
std::optional<TailIntegers> checked_tail(int64_t n, const idelta_int8_tail* tail) {
  if (!tail) return std::nullopt;
  check_integers(n);
  check_matrix(tail->q, "tail->q", n, tail->ldq, "tail->ldq", n);
  check_pointer(tail->scales, "tail->scales");
  for (int64_t j = 0; j < n; ++j) {
    const float scale = tail->scales[j];
    if (scale == 0 || (scale > 0 && std::isnormal(scale))) continue;
    invalid("tail->scales[" + std::to_string(j) + "] = " + std::to_string(scale) + " is neither 0 nor a normal number");
  }
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const int q = tail->q[i * tail->ldq + j];
      if (std::abs(q) <= idelta::kMostWeight) continue;
      invalid("tail->q[" + std::to_string(i) + ", " + std::to_string(j) + "] = " + std::to_string(q) +
              " is not in -63 .. 63");
    }
  }
  return TailIntegers{tail->q, tail->ldq, tail->scales};
}

void check_proof(const idelta_low_rank_proof& proof) {
  const auto check = [](double bound, const char* name) {
    if (bound >= 0 && std::isfinite(bound)) return;
    invalid(std::string("proof.") + name + " = " + std::to_string(bound) +
            " is no bound of a norm; give what idelta_low_rank_measure found");
  };
  check(proof.dropped, "dropped");
  check(proof.departure, "departure");
  check(proof.overlap, "overlap");
  check(proof.reverse_overlap, "reverse_overlap");
  check(proof.tail, "tail");
}

void check_candidates(idelta_candidate* candidates, int64_t capacity) {
  if (capacity < 0) invalid("capacity = " + std::to_string(capacity) + " is negative");
  if (capacity > 0) check_pointer(candidates, "candidates");
  for (int64_t i = 0; i < capacity; ++i) {
    const std::string name = "candidates[" + std::to_string(i) + "]";
    const Given known(element_at(candidates, static_cast<size_t>(i)), name.c_str());  // checks its size
  }
}

}  // namespace

extern "C" {

const char* idelta_version(void) {
  return IDELTA_TEXT(IDELTA_VERSION_MAJOR) "." IDELTA_TEXT(IDELTA_VERSION_MINOR) "." IDELTA_TEXT(IDELTA_VERSION_PATCH);
}

const char* idelta_last_error(void) { return last_error(); }

idelta_status idelta_context_create(const idelta_context_options* options, idelta_context** context) {
  return guarded(__func__, [&] {
    check_pointer(context, "context");
    const idelta_context_options defaults = IDELTA_CONTEXT_OPTIONS_INIT;
    *context = create_context(*Given(options ? options : &defaults, "options"));
  });
}

void idelta_context_destroy(idelta_context* context) { delete context; }

idelta_isa idelta_context_isa(const idelta_context* context) { return context ? context->isa : IDELTA_ISA_AUTO; }

int32_t idelta_context_threads(const idelta_context* context) {
  return context ? static_cast<int32_t>(context->parallel.threads()) : 0;
}

idelta_bf16_product idelta_context_bf16_product(const idelta_context* context) {
  if (!context) return IDELTA_BF16_PRODUCT_AUTO;
  return context->bf16_dot ? IDELTA_BF16_PRODUCT_ROUNDED : IDELTA_BF16_PRODUCT_WIDENED;
}

const char* idelta_context_describe(const idelta_context* context) {
  return context ? context->description.c_str() : "";
}

idelta_status idelta_delta_pack(const idelta_context* context, int64_t n, const float* D, int64_t ldd,
                                const idelta_delta_options* options, idelta_delta** delta) {
  return guarded(__func__, [&] {
    check_context(context);
    check_pointer(delta, "delta");
    check_width(n);
    check_matrix(D, "D", n, ldd, "ldd", n);
    *delta = pack_delta(*context, n, D, ldd, checked_for_packing(options, n));
  });
}

idelta_status idelta_delta_candidates(const idelta_context* context, int64_t n, const float* D, int64_t ldd,
                                      const idelta_delta_options* options, idelta_candidate* candidates,
                                      int64_t capacity, int64_t* count) {
  return guarded(__func__, [&] {
    check_context(context);
    check_pointer(count, "count");
    check_width(n);
    check_matrix(D, "D", n, ldd, "ldd", n);
    const idelta_delta_options o = checked_for_packing(options, n);
    if (o.format != IDELTA_FORMAT_AUTO || o.tolerance == 0) {
      invalid(std::string("format = ") + format_name(o.format) + ", tolerance = " + std::to_string(o.tolerance) +
              ": there is nothing to choose; give auto and a tolerance");
    }
    check_candidates(candidates, capacity);
    const Candidates all = delta_candidates(*context, n, D, ldd, o);
    for (int64_t i = 0; i < std::min(capacity, static_cast<int64_t>(all.forms.size())); ++i) {
      const Considered& form = all.forms[static_cast<size_t>(i)];
      give({0, form.form.format->id, form.verdict, form.rank, form.certificate, form.certificate_backward_data,
            form.error, all.limit, form.steps * kCostModel.step_seconds, form.form.tail},
           element_at(candidates, static_cast<size_t>(i)));
    }
    *count = static_cast<int64_t>(all.forms.size());
  });
}

idelta_status idelta_predicted_seconds(const idelta_context* context, int64_t n, const idelta_delta_options* options,
                                       int32_t threads, double* seconds) {
  return guarded(__func__, [&] {
    check_context(context);
    check_pointer(seconds, "seconds");
    check_width(n);
    const idelta_delta_options o = checked(options, n);
    if (o.format == IDELTA_FORMAT_AUTO) invalid("format = auto is not chosen without a D; give the one that is meant");
    if (threads != 0 && threads != 1) invalid("threads = " + std::to_string(threads) + "; give 0 for all, or 1");
    *seconds = predicted_seconds(threads == 1 && context->alone ? *context->alone : *context, n, o);
  });
}

idelta_status idelta_delta_pack_factors(const idelta_context* context, int64_t n, int64_t r, const float* U,
                                        int64_t ldu, const float* V, int64_t ldv, const idelta_delta_options* options,
                                        idelta_delta** delta) {
  return guarded(__func__, [&] {
    check_context(context);
    check_pointer(delta, "delta");
    check_width(n);
    check_factors(n, r, U, ldu, V, ldv);
    *delta = pack_delta_factors(*context, n, r, {U, ldu}, {V, ldv}, checked_for_factors(options, n));
  });
}

idelta_status idelta_low_rank_measure(const idelta_context* context, int64_t n, const float* D, int64_t ldd, int64_t r,
                                      const float* U, int64_t ldu, const float* V, int64_t ldv,
                                      const idelta_int8_tail* tail, idelta_low_rank_proof* proof) {
  return guarded(__func__, [&] {
    check_context(context);
    check_width(n);
    check_matrix(D, "D", n, ldd, "ldd", n);
    check_factors(n, r, U, ldu, V, ldv);
    const Given known(proof, "proof");
    const Factors factors{n, r, dense({U, ldu}, n, r), dense({V, ldv}, r, n)};
    give(measure_factors(*context, {D, ldd}, factors, checked_tail(n, tail)), proof);
  });
}

idelta_status idelta_delta_pack_measured(const idelta_context* context, int64_t n, int64_t r, const float* U,
                                         int64_t ldu, const float* V, int64_t ldv, const idelta_int8_tail* tail,
                                         const idelta_low_rank_proof* proof, const idelta_delta_options* options,
                                         idelta_delta** delta) {
  return guarded(__func__, [&] {
    check_context(context);
    check_pointer(delta, "delta");
    check_width(n);
    check_factors(n, r, U, ldu, V, ldv);
    const Given given(proof, "proof");
    check_proof(*given);
    const idelta_delta_options o = checked_for_factors(options, n);
    if (o.transposed) invalid("transposed is not 0, but measured factors are in x out; swap and measure them that way");
    *delta = pack_delta_measured(*context, {n, r, dense({U, ldu}, n, r), dense({V, ldv}, r, n)}, checked_tail(n, tail),
                                 *given, o);
  });
}

idelta_status idelta_delta_repack(const idelta_context* context, idelta_delta* delta, const float* D, int64_t ldd) {
  return guarded(__func__, [&] {
    check_context(context);
    check_delta(*context, delta, {});
    check_matrix(D, "D", delta->header.n, ldd, "ldd", delta->header.n);
    repack_delta(*context, *delta, D, ldd);
  });
}

idelta_status idelta_delta_unpack(const idelta_context* context, const idelta_delta* delta, float* D, int64_t ldd) {
  return guarded(__func__, [&] {
    check_context(context);
    check_delta(*context, delta, {});
    check_matrix(D, "D", delta->header.n, ldd, "ldd", delta->header.n);
    unpack_delta(*context, *delta, D, ldd);
  });
}

idelta_status idelta_delta_unpack_factors(const idelta_context* context, const idelta_delta* delta, float* U,
                                          int64_t ldu, float* V, int64_t ldv) {
  return guarded(__func__, [&] {
    check_context(context);
    check_delta(*context, delta, {});
    const Factors factors = unpack_delta_factors(*context, *delta);
    const int64_t n = factors.n, r = factors.rank;
    if (r > 0) check_matrix(U, "U", n, ldu, "ldu", r, "r");
    check_matrix(V, "V", r, ldv, "ldv", n);
    for (int64_t i = 0; i < n && r > 0; ++i) std::copy_n(factors.U.data() + i * r, r, U + i * ldu);
    for (int64_t i = 0; i < r; ++i) std::copy_n(factors.V.data() + i * n, n, V + i * ldv);
  });
}

idelta_status idelta_delta_unpack_integers(const idelta_context* context, const idelta_delta* delta, int8_t* q,
                                           int64_t ldq, float* scales) {
  return guarded(__func__, [&] {
    check_context(context);
    check_delta(*context, delta, {});
    check_matrix(q, "q", delta->header.n, ldq, "ldq", delta->header.n);
    check_pointer(scales, "scales");
    unpack_delta_integers(*delta, q, ldq, scales);
  });
}

idelta_status idelta_delta_info(const idelta_context* context, const idelta_delta* delta, idelta_delta_info_t* info) {
  return guarded(__func__, [&] {
    check_context(context);
    check_delta(*context, delta, {});
    const Given known(info, "info");  // checks its size
    give(delta_info(*context, *delta), info);
  });
}

idelta_status idelta_spectral_norm_bound(const idelta_context* context, int64_t n, const float* D, int64_t ldd,
                                         float identity_scale, double* bound) {
  return guarded(__func__, [&] {
    check_context(context);
    check_pointer(bound, "bound");
    check_width(n);
    check_matrix(D, "D", n, ldd, "ldd", n);
    check_finite(identity_scale, "identity_scale");
    check_finite("D", {D, ldd}, n, n, "no bound holds for that");
    *bound = spectral_bound(*context, n, n, dense({D, ldd}, n, n), identity_scale);
  });
}

idelta_status idelta_panels_floats(const idelta_context* context, int64_t n, int64_t* floats) {
  return guarded(__func__, [&] {
    check_context(context);
    check_width(n);
    check_pointer(floats, "floats");
    *floats = panel_floats(n, context->kernels.f32_forward.nr);
  });
}

idelta_status idelta_panels_pack(const idelta_context* context, int64_t n, const float* rows, int64_t ld,
                                 float* panels) {
  return guarded(__func__, [&] {
    check_context(context);
    check_width(n);
    check_matrix(rows, "rows", n, ld, "ld", n);
    check_pointer(panels, "panels");
    rows_to_panels(*context, n, rows, ld, panels);
  });
}

idelta_status idelta_panels_unpack(const idelta_context* context, int64_t n, const float* panels, float* rows,
                                   int64_t ld) {
  return guarded(__func__, [&] {
    check_context(context);
    check_width(n);
    check_pointer(panels, "panels");
    check_matrix(rows, "rows", n, ld, "ld", n);
    panels_to_rows(*context, n, panels, rows, ld);
  });
}

void idelta_delta_destroy(idelta_delta* delta) { delete delta; }

}  // extern "C"
