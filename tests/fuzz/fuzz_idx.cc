// The input as an IDX file of labels and of images, plain or gzipped as it comes: whatever is in it, either it is read
// and its parts agree, or it is an exception with a sentence.
#include <idelta/nn.hpp>

#include "memory_file.h"
#include "nn/idx.h"
#include "reading.h"

namespace {

// Everything that a caller relies on.
void check(const idelta::nn::IdxBytes& array, size_t rank) {
  if (array.sizes.size() != rank) std::abort();
  if (array.kept < 0 || array.kept > array.sizes[0]) std::abort();
  auto count = static_cast<size_t>(array.kept);
  for (size_t i = 1; i < rank; ++i) count *= static_cast<size_t>(array.sizes[i]);
  if (array.values.size() != count) std::abort();
}

void check(const idelta::nn::Dataset& data) {
  if (data.count < 1 || data.images.size() != static_cast<size_t>(data.count * data.pixels())) std::abort();
  if (data.labels.size() != static_cast<size_t>(data.count)) std::abort();
  for (const uint8_t label : data.labels) {
    if (label >= data.classes) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t count) {
  static idelta_fuzz::MemoryFile file, labels;
  file.fill(bytes, count);
  for (const int rank : {1, 3}) {
    for (const int64_t most : {int64_t{2}, idelta::nn::kAllImages}) {
      idelta_fuzz::reads_or_says_why(
          [&] { check(idelta::nn::read_idx(file.path(), rank, most), static_cast<size_t>(rank)); });
    }
  }
  // The input as images of a data set with two labels.
  const uint8_t two[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 1};
  labels.fill(two, sizeof two);
  idelta_fuzz::reads_or_says_why([] { check(idelta::nn::load_idx(file.path(), labels.path())); });
  return 0;
}
