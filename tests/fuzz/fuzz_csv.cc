// The input as a CSV file, plain or gzipped as it comes: whatever is in it, either both splits are read and their parts
// agree, or it is an exception with a sentence.
#include <cmath>
#include <idelta/nn.hpp>

#include "memory_file.h"
#include "nn/csv_set.h"
#include "reading.h"

namespace {

// Everything that a caller relies on.
void check(const idelta::nn::Dataset& data) {
  if (data.count < 1 || data.images.size() != static_cast<size_t>(data.count * data.pixels())) std::abort();
  if (data.labels.size() != static_cast<size_t>(data.count)) std::abort();
  if (data.feature_names.size() != static_cast<size_t>(data.pixels())) std::abort();
  if (data.class_names.size() != static_cast<size_t>(data.classes)) std::abort();
  for (const uint8_t label : data.labels) {
    if (label >= data.classes) std::abort();
  }
  for (const float value : data.images) {
    if (!std::isfinite(value)) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t count) {
  using idelta::nn::Scale;
  using idelta::nn::Split;
  static idelta_fuzz::MemoryFile file;
  file.fill(bytes, count);
  for (const Split split : {Split::kTrain, Split::kTest}) {
    idelta_fuzz::reads_or_says_why([&] { check(idelta::nn::load_csv_file(file.path(), split, {})); });
  }
  idelta_fuzz::reads_or_says_why([] {
    check(idelta::nn::load_csv_pair(file.path(), file.path(), Split::kTrain, {.scale = Scale::kMinusOneToOne}));
  });
  return 0;
}
