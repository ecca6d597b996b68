// The input as study.json: whatever is in it, either it is a study whose means can be taken, or it is an exception with
// a sentence.
#include <cstdlib>
#include <idelta/nn.hpp>

#include "memory_file.h"
#include "reading.h"

namespace {

void check(const idelta::nn::Study& study) {
  for (const idelta::nn::StudyNetwork& network : study.networks) {
    if (network.layers < 1 || network.reports.size() != static_cast<size_t>(network.layers)) std::abort();
  }
  int64_t networks = 0;
  for (const idelta::nn::StudyBands& bands : idelta::nn::summarise(study)) {
    if (bands.accuracy.size() != static_cast<size_t>(bands.layers)) std::abort();
    networks += bands.networks;
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
