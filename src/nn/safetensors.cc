// Bytes of a safetensors file: the length, the header, the data.
#include "safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <exception>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>
#include <utility>

#include "error.h"
#include "files/input_file.h"
#include "files/output_file.h"

namespace idelta::nn {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian and is not swapped here");

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the limit that the format's own reader sets
constexpr uint64_t kAlignment = 8;                 // of the data in the file

struct Stored {
  TensorType type;
  const void* data;
  uint64_t bytes;
};

Stored stored(const TensorValues& tensor) {
  if (const auto* const floats = std::get_if<std::span<const float>>(&tensor.values)) {
    return {TensorType::kFloat, floats->data(), floats->size_bytes()};
  }
  const auto& integers = std::get<std::span<const int8_t>>(tensor.values);
  return {TensorType::kInt8, integers.data(), integers.size_bytes()};
}

// A text alone: nlohmann's lists and objects allocate when they are destroyed, and would end a process that is out of
// memory.
std::string quoted(const std::string& text) { return nlohmann::json(text).dump(); }

std::string header_text(const std::map<std::string, std::string>& metadata, const std::vector<TensorValues>& tensors) {
  std::string json = "{\"__metadata__\":{";
  const char* comma = "";
  for (const auto& [key, value] : metadata) {
    json += comma + quoted(key) + ":" + quoted(value);
    comma = ",";
  }
  json += "}";
  uint64_t offset = 0;
  for (const TensorValues& tensor : tensors) {
    const auto& [type, data, bytes] = stored(tensor);
    json += "," + quoted(tensor.name) + ":{\"dtype\":\"" + name_of(type) + "\",\"shape\":[";
    comma = "";
    for (const int64_t size : tensor.shape) {
      json += comma + std::to_string(size);
      comma = ",";
    }
    const uint64_t end = offset + bytes;
    json += "],\"data_offsets\":[" + std::to_string(offset) + "," + std::to_string(end) + "]}";
    offset = end;
  }
  return json + "}";
}

// write(bytes, count) for the parts of a file, one after another.
template <class Write>
void write_parts(const std::map<std::string, std::string>& metadata, const std::vector<TensorValues>& tensors,
                 const Write& write) {
  std::string json = header_text(metadata, tensors);
  json.resize((json.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
  std::array<unsigned char, kLengthBytes> length;
  for (uint64_t i = 0; i < kLengthBytes; ++i) length[i] = static_cast<unsigned char>(json.size() >> (8 * i));
  write(length.data(), length.size());
  write(json.data(), json.size());
  for (const TensorValues& tensor : tensors) write(stored(tensor).data, static_cast<size_t>(stored(tensor).bytes));
}

}  // namespace

SafetensorsFile::Source SafetensorsFile::on_disk(const std::string& path) {
  const auto file = std::make_shared<const files::InputFile>(path);  // a std::function wants to be copied
  return {path, file->size(),
          [file](uint64_t offset, void* out, size_t bytes) { return file->read_at(offset, out, bytes); }};
}

SafetensorsFile::Source SafetensorsFile::in_memory(const std::string& name, std::span<const std::byte> bytes) {
  return {name, bytes.size(), [bytes](uint64_t offset, void* out, size_t wanted) {
            const auto part = bytes.subspan(std::min<uint64_t>(offset, bytes.size()));
            const size_t there = std::min(wanted, part.size());
            std::copy_n(part.data(), there, static_cast<std::byte*>(out));
            return there;
          }};
}

SafetensorsFile::SafetensorsFile(const std::string& path) : SafetensorsFile(on_disk(path)) {}
SafetensorsFile::SafetensorsFile(const std::string& name, std::span<const std::byte> bytes)
    : SafetensorsFile(in_memory(name, bytes)) {}

SafetensorsFile::SafetensorsFile(Source source) : source_(std::move(source)) {
  std::array<unsigned char, kLengthBytes> length = {};
  if (source_.read_at(0, length.data(), kLengthBytes) < kLengthBytes) {
    fail(path(), ": is too short for a safetensors file; give a model that idelta saved");
  }
  uint64_t header_bytes = 0;
  for (int i = 7; i >= 0; --i) header_bytes = header_bytes << 8 | length[i];
  const uint64_t after_length = source_.size - kLengthBytes;
  if (header_bytes > kMaxHeaderBytes || header_bytes > after_length) {
    fail(path(), ": promises a header of ", header_bytes, " bytes, but ", after_length,
         " follow and 100 MB is the limit; the file is damaged or no safetensors file");
  }
  std::string json(header_bytes, '\0');
  if (source_.read_at(kLengthBytes, json.data(), header_bytes) < header_bytes)
    fail(path(), ": its header cannot be read");
  data_start_ = kLengthBytes + header_bytes;
  try {
    header_ = parse_safetensors_header(json, after_length - header_bytes);
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& e) {
    fail(path(), ": ", e.what(), "; the file is damaged or no model of idelta");
  }
}

void SafetensorsFile::read(const std::string& name, std::span<float> out) {
  read(name, TensorType::kFloat, out.data(), out.size_bytes());
}

void SafetensorsFile::read(const std::string& name, std::span<int8_t> out) {
  read(name, TensorType::kInt8, out.data(), out.size_bytes());
}

void SafetensorsFile::read(const std::string& name, TensorType type, void* out, uint64_t bytes) {
  const TensorInfo& tensor = header_.tensors.at(name);
  if (type != tensor.type) {
    fail(path(), ": tensor '", name, "' has dtype ", name_of(tensor.type), ", not ", name_of(type));
  }
  if (bytes != tensor.end - tensor.begin) {
    fail(path(), ": tensor '", name, "' holds ", tensor.end - tensor.begin, " bytes, not ", bytes);
  }
  if (source_.read_at(data_start_ + tensor.begin, out, bytes) < bytes) {
    fail(path(), ": tensor '", name, "' cannot be read whole; was the file changed meanwhile?");
  }
}

void write_safetensors(const std::string& path, const std::map<std::string, std::string>& metadata,
                       const std::vector<TensorValues>& tensors) {
  files::OutputFile file(path);
  write_parts(metadata, tensors, [&](const void* bytes, size_t count) { file.write(bytes, count); });
  file.commit();
}

std::vector<std::byte> safetensors_bytes(const std::map<std::string, std::string>& metadata,
                                         const std::vector<TensorValues>& tensors) {
  size_t size = 0;
  write_parts(metadata, tensors, [&](const void*, size_t count) { size += count; });
  std::vector<std::byte> all;
  all.reserve(size);
  write_parts(metadata, tensors, [&](const void* bytes, size_t count) {
    const auto* const first = static_cast<const std::byte*>(bytes);
    all.insert(all.end(), first, first + count);
  });
  return all;
}

}  // namespace idelta::nn
