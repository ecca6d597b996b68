// Model files that are changed after they were saved: by a bit, or in their metadata.
#pragma once

#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "nn/hash.h"
#include "nn/model_forms.h"
#include "nn/safetensors.h"
#include "nn_support.h"

namespace idelta_test {

// One bit of a tensor's bytes.
inline void flip_bit(const std::string& path, const std::string& tensor) {
  Bytes bytes = read_bytes(path);
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  bytes[8 + header + nn::SafetensorsFile(path).header().tensors.at(tensor).begin + 4] ^= 1;
  write_bytes(path, bytes);
}

using Metadata = std::map<std::string, std::string>;

// Other metadata, `forms` among them, under a hash that is right if `sealed`.
inline void rewrite_metadata(const std::string& path, const std::function<void(Metadata&)>& change, bool sealed) {
  nn::SafetensorsFile file(path);
  Metadata metadata = file.header().metadata;
  change(metadata);
  if (sealed) metadata["hash"] = nn::hex(nn::metadata_hash(metadata));
  std::map<std::string, std::vector<float>> floats;
  std::map<std::string, std::vector<int8_t>> integers;
  std::vector<nn::TensorValues> tensors;
  for (const auto& [name, info] : file.header().tensors) {
    if (info.type == nn::TensorType::kInt8) {
      file.read(name, integers.emplace(name, info.end - info.begin).first->second);
      tensors.push_back({name, info.shape, integers[name]});
    } else {
      file.read(name, floats.emplace(name, (info.end - info.begin) / sizeof(float)).first->second);
      tensors.push_back({name, info.shape, floats[name]});
    }
  }
  nn::write_safetensors(path, metadata, tensors);
}

// In the text of the forms, `from` becomes `to`.
inline void replace_in_forms(Metadata& metadata, const std::string& from, const std::string& to) {
  std::string& text = metadata["forms"];
  const size_t found = text.find(from);
  ASSERT_NE(std::string::npos, found) << from << " is not in " << text;
  text.replace(found, from.size(), to);
}

}  // namespace idelta_test
