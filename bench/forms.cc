// See forms.h.
#include "bench/forms.h"

#include <utility>

#include "bench/factors.h"

namespace idelta::bench {

namespace {

PackedForm named(Delta delta) {
  const DeltaInfo info = delta.info();
  const std::string name =
      info.format == IDELTA_FORMAT_LOW_RANK ? low_rank_name(info.rank) : idelta_format_name(info.format);
  return {name, std::make_shared<const Delta>(std::move(delta))};
}

}  // namespace

PackedForm packed_form(const Context& context, int64_t n, const float* D, const FormChoice& choice) {
  DeltaOptions options = kDeltaOptions;
  options.format = choice.format;
  options.rank = choice.rank;
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
