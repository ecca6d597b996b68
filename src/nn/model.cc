// Network <-> safetensors. The metadata holds, as text that reads back to the same bits:
//   format "idelta-mlp", version "1", layers, height, width, classes, identity_scale, activation, slope, class_padding
// and, where it is known, how training computed: compute and bf16_product, names of TrainedWith, which are only shown.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "error.h"
#include "idelta/nn.hpp"
#include "safetensors.h"

namespace idelta::nn {
namespace {

constexpr char kFormat[] = "idelta-mlp";
constexpr char kVersion[] = "1";

std::string delta_name(int64_t layer) { return "layers." + std::to_string(layer) + ".delta"; }
std::string bias_name(int64_t layer) { return "layers." + std::to_string(layer) + ".bias"; }

// The fewest digits that read back to the same bits.
std::string text(float value) {
  char buffer[64];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return std::string(buffer, end);
}

class Metadata {
 public:
  explicit Metadata(const SafetensorsFile& file) : path_(file.path()), values_(file.header().metadata) {}

  const std::string& get(const char* key) const {
    const auto found = values_.find(key);
    if (found == values_.end()) {
      fail(path_, ": its metadata has no '", key, "', so it is no model that idelta saved; give one that is");
    }
    return found->second;
  }

  // Empty if there is none.
  std::string get_if_there(const char* key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? std::string() : found->second;
  }

  void expect(const char* key, const char* wanted) const {
    if (get(key) != wanted) fail(path_, ": its metadata says ", key, " '", get(key), "'; only '", wanted, "' is read");
  }

  template <class Number>
  Number number(const char* key) const {
    const std::string& value = get(key);
    Number parsed{};
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
    if (error != std::errc() || end != value.data() + value.size()) {
      fail(path_, ": its metadata says ", key, " '", value, "', which is no number that fits");
    }
    return parsed;
  }

 private:
  const std::string& path_;
  const std::map<std::string, std::string>& values_;
};

NetworkOptions read_options(const SafetensorsFile& file) {
  const Metadata metadata(file);
  metadata.expect("format", kFormat);
  metadata.expect("version", kVersion);
  NetworkOptions options;
  options.layers = metadata.number<int64_t>("layers");
  options.height = metadata.number<int64_t>("height");
  options.width = metadata.number<int64_t>("width");
  options.classes = metadata.number<int64_t>("classes");
  options.identity_scale = metadata.number<float>("identity_scale");
  options.activation.slope = metadata.number<float>("slope");
  options.class_padding = metadata.number<float>("class_padding");
  const std::string& name = metadata.get("activation");
  if (idelta_activation_by_name(name.c_str(), &options.activation.kind) != IDELTA_OK) {
    fail(file.path(), ": its metadata says activation '", name, "'; known here are ", idelta_activation_names());
  }
  return options;
}

void check_tensor(const SafetensorsFile& file, const std::string& name, const std::vector<int64_t>& shape) {
  const auto found = file.header().tensors.find(name);
  if (found == file.header().tensors.end()) {
    fail(file.path(), ": has no tensor '", name, "', which its metadata promises; the file is damaged");
  }
  if (found->second.shape != shape) {
    std::string have;
    for (const int64_t size : found->second.shape) have += (have.empty() ? "" : ", ") + std::to_string(size);
    fail(file.path(), ": tensor '", name, "' has shape [", have, "], but the metadata promises ",
         shape.size() == 2 ? "n x n" : "n", " with n = ", shape[0], "; the file is damaged");
  }
}

// All shapes, before memory is taken for any: what passes here is no larger than the file.
void check_tensors(const SafetensorsFile& file, const NetworkOptions& options) {
  const size_t tensors = file.header().tensors.size();
  if (options.layers < 1 || tensors != 2 * static_cast<uint64_t>(options.layers)) {
    fail(file.path(), ": holds ", tensors, " tensors, but its metadata promises ", options.layers,
         " layers of two; the file is damaged");
  }
  int64_t n = 0;
  if (options.height < 1 || options.width < 1 || options.classes < 1 ||
      __builtin_mul_overflow(options.height, options.width, &n) || __builtin_add_overflow(n, options.classes, &n)) {
    fail(file.path(), ": its metadata says images of ", options.height, " x ", options.width, " and ", options.classes,
         " classes; the file is damaged");
  }
  for (int64_t l = 0; l < options.layers; ++l) {
    check_tensor(file, delta_name(l), {n, n});
    check_tensor(file, bias_name(l), {n});
  }
}

void check_finite(const std::string& path, const std::string& name, std::span<const float> values) {
  const auto found = std::find_if(values.begin(), values.end(), [](float v) { return !std::isfinite(v); });
  if (found == values.end()) return;
  fail(path, ": tensor '", name, "' is not finite at entry ", found - values.begin(), " (", *found,
       "); did training diverge?");
}

// The identity of these options; what the options lack is said of the file they came from.
Network make_network(const Context& context, const NetworkOptions& options, const std::string& path) {
  try {
    return Network(context, options);
  } catch (const std::exception& e) {
    fail(path, ": ", e.what());
  }
}

}  // namespace

void save_model(const std::string& path, const Network& network) {
  const NetworkOptions& o = network.options();
  std::map<std::string, std::string> metadata = {
      {"format", kFormat},
      {"version", kVersion},
      {"layers", std::to_string(o.layers)},
      {"height", std::to_string(o.height)},
      {"width", std::to_string(o.width)},
      {"classes", std::to_string(o.classes)},
      {"identity_scale", text(o.identity_scale)},
      {"activation", idelta_activation_name(o.activation.kind)},
      {"slope", text(o.activation.slope)},
      {"class_padding", text(o.class_padding)},
  };
  const TrainedWith& how = network.trained_with();
  if (!how.compute.empty()) metadata["compute"] = how.compute;
  if (!how.bf16_product.empty()) metadata["bf16_product"] = how.bf16_product;
  std::vector<std::vector<float>> deltas;
  for (int64_t l = 0; l < network.layers(); ++l) deltas.push_back(network.delta(l));
  std::vector<TensorValues> tensors;
  for (int64_t l = 0; l < network.layers(); ++l) {
    tensors.push_back({delta_name(l), {network.n(), network.n()}, deltas[l]});
    tensors.push_back({bias_name(l), {network.n()}, network.bias(l)});
  }
  for (const TensorValues& tensor : tensors) check_finite(path, tensor.name, tensor.values);
  write_safetensors(path, metadata, tensors);
}

Network load_model(const Context& context, const std::string& path) {
  SafetensorsFile file(path);
  const NetworkOptions options = read_options(file);
  check_tensors(file, options);

  Network network = make_network(context, options, path);
  const Metadata metadata(file);
  network.set_trained_with({metadata.get_if_there("compute"), metadata.get_if_there("bf16_product")});
  std::vector<float> delta(static_cast<size_t>(network.n() * network.n())), bias(static_cast<size_t>(network.n()));
  for (int64_t l = 0; l < network.layers(); ++l) {
    file.read(delta_name(l), delta);
    file.read(bias_name(l), bias);
    check_finite(path, delta_name(l), delta);
    check_finite(path, bias_name(l), bias);
    network.set_layer(l, delta, bias);
  }
  return network;
}

}  // namespace idelta::nn
