#include "src/core/formats/format.h"

#include <algorithm>

namespace idelta::core {

Norms norms_of(const idelta_context& context, const Packed& packed) {
  return packed.norms ? *packed.norms : packed.any().norms(context, nullptr);
}

double largest_certificate(const idelta_context& context, const Packed& packed, float identity_scale) {
  const Norms norms = norms_of(context, packed);
  double largest = 0;
  for (const Operator* op : {packed.forward.get(), packed.backward.get()}) {
    if (op) largest = std::max(largest, certificate(op->error(context, norms), identity_scale));
  }
  return largest;
}

}  // namespace idelta::core
