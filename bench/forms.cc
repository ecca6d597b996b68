// See forms.h.
#include "bench/forms.h"

#include <utility>

#include "bench/factors.h"

namespace idelta::bench {

namespace {

PackedForm named(Delta delta) {
  const DeltaInfo info = delta.info();
  return {form_name(info.format, info.rank, info.tail), std::make_shared<const Delta>(std::move(delta))};
}

}  // namespace

std::string form_name(idelta_format format, int64_t rank, idelta_tail tail) {
  if (format != IDELTA_FORMAT_LOW_RANK) return idelta_format_name(format);
  return low_rank_name(rank, tail == IDELTA_TAIL_INT8);
}

PackedForm packed_form(const Context& context, int64_t n, const float* D, const FormChoice& choice) {
  DeltaOptions options = kDeltaOptions;
  options.format = choice.format;
  options.rank = choice.rank;
  options.tail = choice.tail;
  options.identity_scale = choice.identity_scale;
  options.passes = IDELTA_PASS_FORWARD;
  return named(Delta(context, n, D, n, options));
}

std::optional<PackedForm> packed_within(const Context& context, int64_t n, const float* D,
                                        const DeltaOptions& options) {
  try {
    return named(Delta(context, n, D, n, options));
  } catch (const Error& error) {
    if (error.status() != IDELTA_TOLERANCE_NOT_MET) throw;
    return std::nullopt;
  }
}

}  // namespace idelta::bench
