#include "src/core/formats/format.h"

#include <algorithm>
#include <vector>

namespace idelta::core {

Norms norms_of(const idelta_context& context, const Packed& packed, const Operator& direction) {
  if (packed.norms_of_backward && &direction == packed.backward.get()) return *packed.norms_of_backward;
  return packed.norms ? *packed.norms : packed.any().norms(context, nullptr);
}

double certificate_of(const idelta_context& context, const Packed& packed, const Operator& direction,
                      float identity_scale) {
  return certificate(direction.error(context, norms_of(context, packed, direction)), identity_scale);
}

double largest_certificate(const idelta_context& context, const Packed& packed, float identity_scale) {
  double largest = 0;
  for (const Operator* op : {packed.forward.get(), packed.backward.get()}) {
    if (op) largest = std::max(largest, certificate_of(context, packed, *op, identity_scale));
  }
  return largest;
}

double sample_error(const idelta_context& context, const Packed& packed, float identity_scale, const Sample& sample) {
  const int64_t m = sample.rows, n = sample.n;
  const Operator& forward = *packed.forward;
  const RowBound bound = forward.row_bound(context, norms_of(context, packed, forward), identity_scale);
  std::vector<float> y(sample.x.size()), errors(static_cast<size_t>(m));
  Multiplication call{
      .m = m,
      .rows = {.src = sample.x.data(), .ld = n},
      .epilogue = {.identity_scale = identity_scale, .activation = kIdentityActivation, .y = y.data(), .ldy = n},
      .errors = {.at = errors.data(), .bound = &bound}};
  forward.multiply(context, call);
  double largest = 0;
  for (size_t row = 0; row < errors.size(); ++row) {
    if (sample.norms[row] == 0) continue;
    largest = std::max(largest, static_cast<double>(errors[row]) / sample.norms[row]);
  }
  return largest;
}

double packed_error(const idelta_context& context, const Packed& packed, const PackOptions& options) {
  const float a = options.identity_scale;
  if (!options.sample || !packed.forward) return largest_certificate(context, packed, a);
  const double of_rows = sample_error(context, packed, a, *options.sample);
  return packed.backward ? std::max(of_rows, certificate_of(context, packed, *packed.backward, a)) : of_rows;
}

}  // namespace idelta::core
