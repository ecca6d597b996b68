// The input as a .npy file and as a .npz file: whatever is in it, either it is read and its parts agree, or it is an
// exception with a sentence.
#include <cstdlib>

#include "memory_file.h"
#include "nn/npy.h"
#include "nn/npz.h"
#include "reading.h"

namespace {

// Everything that a caller relies on.
void check(const idelta::nn::NpyArray& array) {
  if (array.shape.empty() || array.kept < 0 || array.kept > array.shape[0]) std::abort();
  auto count = static_cast<size_t>(array.kept);
  for (size_t d = 1; d < array.shape.size(); ++d) count *= static_cast<size_t>(array.shape[d]);
  std::visit(
      [&](const auto& values) {
        if (values.size() != count) std::abort();
      },
      array.values);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t count) {
  static idelta_fuzz::MemoryFile file;
  file.fill(bytes, count);
  for (const int64_t most : {int64_t{2}, INT64_MAX}) {
    idelta_fuzz::reads_or_says_why([&] { check(idelta::nn::read_npy(file.path(), most)); });
    idelta_fuzz::reads_or_says_why([&] {
      for (const std::string& name : idelta::nn::npz_arrays(file.path())) {
        idelta_fuzz::reads_or_says_why([&] { check(idelta::nn::read_npz(file.path(), name, most)); });
      }
    });
  }
  return 0;
}
