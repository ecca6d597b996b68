#include "src/core/formats/format.h"

#include <algorithm>

namespace idelta::core {

Norms norms_of(const idelta_context& context, const Packed& packed, const Operator& direction) {
  if (packed.norms_of_backward && &direction == packed.backward.get()) return *packed.norms_of_backward;
  return packed.norms ? *packed.norms : packed.any().norms(context, nullptr);
}

double largest_certificate(const idelta_context& context, const Packed& packed, float identity_scale) {
  double largest = 0;
  for (const Operator* op : {packed.forward.get(), packed.backward.get()}) {
    if (!op) continue;
    const ErrorTerms terms = op->error(context, norms_of(context, packed, *op));
    largest = std::max(largest, certificate(terms, identity_scale));
  }
  return largest;
}

}  // namespace idelta::core
