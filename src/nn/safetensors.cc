// Bytes of a safetensors file: the length, the header, the data.
#include "safetensors.h"

#include <array>
#include <bit>
#include <exception>
#include <nlohmann/json.hpp>

#include "error.h"
#include "files/output_file.h"

namespace idelta::nn {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian and is not swapped here");

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the limit that the format's own reader sets
constexpr uint64_t kAlignment = 8;                 // of the data in the file

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) : file_(path) {
  std::array<unsigned char, kLengthBytes> length = {};
  if (file_.read_at(0, length.data(), kLengthBytes) < kLengthBytes) {
    fail(path, ": is too short for a safetensors file; give a model that idelta saved");
  }
  uint64_t header_bytes = 0;
  for (int i = 7; i >= 0; --i) header_bytes = header_bytes << 8 | length[i];
  const uint64_t after_length = file_.size() - kLengthBytes;
  if (header_bytes > kMaxHeaderBytes || header_bytes > after_length) {
    fail(path, ": promises a header of ", header_bytes, " bytes, but ", after_length,
         " follow and 100 MB is the limit; the file is damaged or no safetensors file");
  }
  std::string json(header_bytes, '\0');
  if (file_.read_at(kLengthBytes, json.data(), header_bytes) < header_bytes) fail(path, ": its header cannot be read");
  data_start_ = kLengthBytes + header_bytes;
  try {
    header_ = parse_safetensors_header(json, after_length - header_bytes);
  } catch (const std::exception& e) {
    fail(path, ": ", e.what(), "; the file is damaged or no model of idelta");
  }
}

void SafetensorsFile::read(const std::string& name, std::span<float> out) {
  const TensorInfo& tensor = header_.tensors.at(name);
  if (out.size_bytes() != tensor.end - tensor.begin) {
    fail(path(), ": tensor '", name, "' holds ", tensor.end - tensor.begin, " bytes, not ", out.size_bytes());
  }
  if (file_.read_at(data_start_ + tensor.begin, out.data(), out.size_bytes()) < out.size_bytes()) {
    fail(path(), ": tensor '", name, "' cannot be read whole; was the file changed meanwhile?");
  }
}

void write_safetensors(const std::string& path, const std::map<std::string, std::string>& metadata,
                       const std::vector<TensorValues>& tensors) {
  nlohmann::ordered_json header;
  header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const TensorValues& tensor : tensors) {
    const uint64_t end = offset + tensor.values.size_bytes();
    header[tensor.name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string json = header.dump();
  json.resize((json.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  std::array<unsigned char, kLengthBytes> length;
  for (uint64_t i = 0; i < kLengthBytes; ++i) length[i] = static_cast<unsigned char>(json.size() >> (8 * i));

  files::OutputFile file(path);
  file.write(length.data(), length.size());
  file.write(json.data(), json.size());
  for (const TensorValues& tensor : tensors) file.write(tensor.values.data(), tensor.values.size_bytes());
  file.commit();
}

}  // namespace idelta::nn
