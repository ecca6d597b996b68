#include "model_tensors.h"

#include <algorithm>
#include <cmath>

#include "error.h"
#include "idelta/nn.hpp"

namespace idelta::nn {

void check_tensor(const SafetensorsFile& file, const std::string& name, const std::vector<int64_t>& shape,
                  const std::string& wanted, TensorType type) {
  const auto found = file.header().tensors.find(name);
  if (found == file.header().tensors.end()) {
    fail(file.path(), ": has no tensor '", name, "', which its metadata promises; the file is damaged");
  }
  if (found->second.shape != shape) {
    fail(file.path(), ": tensor '", name, "' has shape ", shape_text(found->second.shape),
         ", but the metadata promises ", wanted, "; the file is damaged");
  }
  if (found->second.type != type) {
    fail(file.path(), ": tensor '", name, "' has dtype ", name_of(found->second.type), ", but the metadata promises ",
         name_of(type), "; the file is damaged");
  }
}

void check_finite(const std::string& path, const std::string& name, std::span<const float> values) {
  const auto found = std::find_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); });
  if (found == values.end()) return;
  throw NotFinite(sentence(path, ": tensor '", name, "' is not finite at entry ", found - values.begin(), " (", *found,
                           "); did training diverge?"));
}

std::vector<float> read_finite(SafetensorsFile& file, const std::string& name) {
  const TensorInfo& tensor = file.header().tensors.at(name);
  std::vector<float> values((tensor.end - tensor.begin) / sizeof(float));
  file.read(name, values);
  check_finite(file.path(), name, values);
  return values;
}

}  // namespace idelta::nn
