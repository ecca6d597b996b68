// The list of what is measured. To add an implementation: a file beside this one, its entry function in
// implementation.h, a line here.
#include "bench/implementation.h"

namespace idelta::bench {

std::vector<ImplementationEntry> all_implementations() {
  return {
      idelta_entry(),
      openblas_entry(),
      openblas_beta1_entry(),
      plain_entry(),
      idelta_entry(IDELTA_FORMAT_BF16),
      plain_entry(IDELTA_FORMAT_BF16),
#ifdef IDELTA_BENCH_ONEDNN
      onednn_entry(),
#endif
  };
}

}  // namespace idelta::bench
