// The input as a study.json: whatever is in it, either it is read, and can be summarised, or it is an exception with a
// sentence.
#include <cstdlib>
#include <idelta/nn.hpp>

#include "memory_file.h"
#include "reading.h"

namespace {

// Everything that a caller relies on.
void check(const idelta::nn::Study& study) {
  int64_t networks = 0;
  for (const idelta::nn::StudyNetwork& network : study.networks) {
    if (network.layers < 1 || network.reports.size() != static_cast<size_t>(network.layers)) std::abort();
    if (static_cast<int>(network.labels) < 0 || static_cast<int>(network.labels) > 1) std::abort();
  }
  for (const idelta::nn::StudyBands& bands : idelta::nn::summarise(study)) {
    networks += bands.networks;
    if (bands.accuracy.size() != static_cast<size_t>(bands.layers)) std::abort();
  }
  if (networks != static_cast<int64_t>(study.networks.size())) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t count) {
  static idelta_fuzz::MemoryFile file;
  file.fill(bytes, count);
  idelta_fuzz::reads_or_says_why([] { check(idelta::nn::read_study(file.path())); });
  return 0;
}
