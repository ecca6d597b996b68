// The list of what is measured. To add an implementation: a file beside this one, its entry function in
// implementation.h, a line here.
#include <utility>

#include "bench/implementation.h"
#include "bench/implementations/idelta.h"
#include "bench/network.h"

namespace idelta::bench {

std::vector<ImplementationEntry> all_implementations() {
  std::vector<ImplementationEntry> all;
  for (const idelta_format format : formats_on(IDELTA_ISA_AUTO)) {
    all.push_back(idelta_entry(format));
    all.push_back(plain_entry(format));
  }
  all.push_back(openblas_entry());
  all.push_back(openblas_beta1_entry());
#ifdef IDELTA_BENCH_ONEDNN
  for (ImplementationEntry& entry : onednn_entries()) all.push_back(std::move(entry));
#endif
  for (const int64_t rank : kRanks) {
    all.push_back(idelta_low_rank_entry(rank));
    all.push_back(openblas_low_rank_entry(rank));
  }
  return all;
}

std::vector<NetworkEntry> network_peers() {
  std::vector<NetworkEntry> all = {openblas_network_entry()};
#ifdef IDELTA_BENCH_ONEDNN
  for (NetworkEntry& entry : onednn_network_entries()) all.push_back(std::move(entry));
#endif
  return all;
}

}  // namespace idelta::bench
