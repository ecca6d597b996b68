// The input as a safetensors file, and as a header alone: whatever is in it, either it is read and every tensor lies
// inside the data without touching another, or it is an exception with a sentence.
#include <idelta/nn.hpp>

#include "memory_file.h"
#include "nn/safetensors.h"
#include "reading.h"

namespace {

void check(const idelta::nn::SafetensorsHeader& header, uint64_t data_bytes) {
  uint64_t total = 0;
  for (const auto& [name, tensor] : header.tensors) {
    if (tensor.begin > tensor.end || tensor.end > data_bytes) std::abort();
    uint64_t entries = 1;
    for (const int64_t size : tensor.shape) entries *= static_cast<uint64_t>(size);
    if (entries * idelta::nn::bytes_of(tensor.type) != tensor.end - tensor.begin) std::abort();
    total += tensor.end - tensor.begin;
  }
  if (total != data_bytes) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t count) {
  // The first byte says how much data follows the header.
  if (count > 0) {
    idelta_fuzz::reads_or_says_why([&] {
      const std::string_view json(reinterpret_cast<const char*>(bytes + 1), count - 1);
      check(idelta::nn::parse_safetensors_header(json, bytes[0]), bytes[0]);
    });
  }

  static idelta_fuzz::MemoryFile file;
  static const idelta::Context context = idelta::Context::with(IDELTA_ISA_SCALAR, 1);
  file.fill(bytes, count);
  idelta_fuzz::reads_or_says_why([] {
    idelta::nn::SafetensorsFile reader(file.path());
    for (const auto& [name, tensor] : reader.header().tensors) {
      const uint64_t bytes = tensor.end - tensor.begin;
      if (tensor.type == idelta::nn::TensorType::kInt8) {
        std::vector<int8_t> values(bytes);
        reader.read(name, values);
      } else {
        std::vector<float> values(bytes / sizeof(float));
        reader.read(name, values);
      }
    }
  });
  idelta_fuzz::reads_or_says_why([] { idelta::nn::load_model(context, file.path()); });
  return 0;
}
