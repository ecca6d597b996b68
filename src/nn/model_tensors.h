// Tensors of model files and checkpoints: their names, their shapes, and that they are finite.
#ifndef IDELTA_NN_MODEL_TENSORS_H
#define IDELTA_NN_MODEL_TENSORS_H

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "safetensors.h"

namespace idelta::nn {

inline std::string tensor_name(int64_t layer, const std::string& what) {
  return "layers." + std::to_string(layer) + "." + what;
}

// Throws unless the file has the tensor in this shape. `wanted` says it in words, as "n x n with n = 794".
void check_tensor(const SafetensorsFile& file, const std::string& name, const std::vector<int64_t>& shape,
                  const std::string& wanted, TensorType type = TensorType::kFloat);

// Throws for a tensor of a file, or one that is to go into a file, which is not finite.
void check_finite(const std::string& path, const std::string& name, std::span<const float> values);

std::vector<float> read_finite(SafetensorsFile& file, const std::string& name);

}  // namespace idelta::nn

#endif  // IDELTA_NN_MODEL_TENSORS_H
