// Our kernels on W = I + D with identity scale 0: what the residual form costs or gives, apart from the kernels.
#include "bench/implementations/idelta.h"

namespace idelta::bench {

ImplementationEntry plain_entry(idelta_format format) {
  ImplementationEntry entry = idelta_entry(format);
  entry.name = "plain";
  entry.identity_apart = false;
  entry.make = [format](const Problem& problem, const Inputs& inputs) -> std::unique_ptr<Implementation> {
    return std::make_unique<Idelta>(problem, inputs, true, format);
  };
  return entry;
}

}  // namespace idelta::bench
