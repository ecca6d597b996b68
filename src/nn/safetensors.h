// The safetensors file format, F32 and I8:
//
//   8 bytes: length H of the header, little-endian | H bytes of JSON, padded with spaces | data
//   {"__metadata__": {string: string}, "name": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]}, ...}
//
// Offsets count from the start of the data. The tensors must fill the data without gap or overlap.
#ifndef IDELTA_NN_SAFETENSORS_H
#define IDELTA_NN_SAFETENSORS_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace idelta::nn {

enum class TensorType { kFloat, kInt8 };

struct TensorInfo {
  std::vector<int64_t> shape;
  uint64_t begin = 0, end = 0;  // bytes, from the start of the data
  TensorType type = TensorType::kFloat;
};

inline constexpr uint64_t bytes_of(TensorType type) { return type == TensorType::kFloat ? sizeof(float) : 1; }
inline constexpr const char* name_of(TensorType type) { return type == TensorType::kFloat ? "F32" : "I8"; }

struct SafetensorsHeader {
  std::map<std::string, std::string> metadata;
  std::map<std::string, TensorInfo> tensors;
};

// Parses and checks a header against the bytes of data that follow it. Throws a sentence without the file's name.
SafetensorsHeader parse_safetensors_header(std::string_view json, uint64_t data_bytes);

// The bytes of such a file, on the disk or in memory.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path);  // reads and checks the header, not the data
  // bytes must last as long as this; errors call them `name`.
  SafetensorsFile(const std::string& name, std::span<const std::byte> bytes);

  const std::string& path() const { return source_.name; }
  const SafetensorsHeader& header() const { return header_; }

  // The values of a tensor that header() lists in this type; out has room for exactly as many.
  void read(const std::string& name, std::span<float> out);
  void read(const std::string& name, std::span<int8_t> out);

 private:
  struct Source {
    std::string name;
    uint64_t size;
    std::function<size_t(uint64_t offset, void* out, size_t bytes)> read_at;  // as files::InputFile has it
  };
  static Source on_disk(const std::string& path);
  static Source in_memory(const std::string& name, std::span<const std::byte> bytes);
  explicit SafetensorsFile(Source source);

  void read(const std::string& name, TensorType type, void* out, uint64_t bytes);

  Source source_;
  SafetensorsHeader header_;
  uint64_t data_start_ = 0;
};

struct TensorValues {
  std::string name;
  std::vector<int64_t> shape;
  std::variant<std::span<const float>, std::span<const int8_t>> values;
};

// The data in the order given; a file whole or not at all (files/output_file.h).
void write_safetensors(const std::string& path, const std::map<std::string, std::string>& metadata,
                       const std::vector<TensorValues>& tensors);
std::vector<std::byte> safetensors_bytes(const std::map<std::string, std::string>& metadata,
                                         const std::vector<TensorValues>& tensors);

}  // namespace idelta::nn

#endif  // IDELTA_NN_SAFETENSORS_H
