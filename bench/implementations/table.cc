// The list of what is measured. To add an implementation, or a pass that needs code of its own: a file beside this one
// (CMake finds it), and here the declaration of its entries and their line.
#include <utility>

#include "bench/implementation.h"
#include "bench/implementations/idelta.h"
#include "bench/network.h"

namespace idelta::bench {

#ifdef IDELTA_BENCH_ONEDNN
std::vector<ImplementationEntry> onednn_entries();  // f32, and bf16 where the CPU multiplies it
ImplementationEntry onednn_int8_entry();
std::vector<NetworkEntry> onednn_network_entries();
#endif
NetworkEntry openblas_network_entry();
std::vector<NetworkEntry> kernels_network_entries();  // single calls and a chain

std::vector<ImplementationEntry> all_implementations() {
  std::vector<ImplementationEntry> all;
  for (const idelta_format format : formats_on(IDELTA_ISA_AUTO)) {
    all.push_back(idelta_entry(format));
    all.push_back(plain_entry(format));
  }
  all.push_back(idelta_entry(IDELTA_FORMAT_INT8));
  all.push_back(plain_entry(IDELTA_FORMAT_INT8));
  all.push_back(openblas_entry());
  all.push_back(openblas_beta1_entry());
#ifdef IDELTA_BENCH_ONEDNN
  for (ImplementationEntry& entry : onednn_entries()) all.push_back(std::move(entry));
  all.push_back(onednn_int8_entry());
#endif
  for (const int64_t rank : kRanks) {
    all.push_back(idelta_low_rank_entry(rank));
    all.push_back(idelta_low_rank_entry(rank, /*tail=*/true));
    all.push_back(openblas_low_rank_entry(rank));
    all.push_back(openblas_beta1_low_rank_entry(rank));
  }
  return all;
}

std::vector<NetworkEntry> network_peers() {
  std::vector<NetworkEntry> all = kernels_network_entries();
  all.push_back(openblas_network_entry());
#ifdef IDELTA_BENCH_ONEDNN
  for (NetworkEntry& entry : onednn_network_entries()) all.push_back(std::move(entry));
#endif
  return all;
}

}  // namespace idelta::bench
