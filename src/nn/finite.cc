// The search for values that are not finite, and who is to blame for them.
#include "finite.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "error.h"

namespace idelta::nn {

bool all_finite(std::span<const float> values) {
  // Bits, and no early end, so that the loop becomes vector instructions: 4 to 16 values at once.
  constexpr uint32_t kExponent = 0x7f800000;
  uint32_t found = 0;
  for (const float v : values) found |= (std::bit_cast<uint32_t>(v) & kExponent) == kExponent ? 1 : 0;
  return found == 0;
}

int64_t first_layer_not_finite(std::span<float* const> outputs, int64_t rows, int64_t n) {
  for (size_t l = 0; l < outputs.size(); ++l) {
    if (!all_finite({outputs[l], static_cast<size_t>(rows * n)})) return static_cast<int64_t>(l);
  }
  return -1;
}

std::string milder_options(const NetworkOptions& options) {
  std::string text;
  if (std::fabs(options.class_padding) > 1.0f) text = sentence("a class padding nearer 0 than ", options.class_padding);
  if (std::fabs(options.identity_scale) > 1.0f) {
    text += sentence(text.empty() ? "" : ", or ", "a lower identity scale than ", options.identity_scale);
  }
  return text;
}

std::string options_at_fault(const NetworkOptions& options) {
  const double padding = std::max(1.0, std::fabs(double{options.class_padding}));
  const double scale = std::max(1.0, std::fabs(double{options.identity_scale}));
  const double largest = padding * std::pow(scale, static_cast<double>(options.layers));
  if (largest < std::sqrt(double{std::numeric_limits<float>::max()})) return "";
  return sentence("class padding ", options.class_padding, " and identity scale ", options.identity_scale, " over ",
                  options.layers, " layers are too large for fp32; give ", milder_options(options));
}

void fail_not_finite(const char* caller, const Network& network, std::span<const float> pixels,
                     const std::string& name) {
  const int64_t n = network.n();
  if (!all_finite(pixels)) {
    throw NotFinite(sentence(caller, ": ", name, " holds a pixel that is not finite; pixels must lie in [0, 1]"));
  }
  std::vector<float> h0(static_cast<size_t>(n));
  std::vector<std::vector<float>> buffers(static_cast<size_t>(network.layers()), h0);
  std::vector<float*> outputs;
  for (std::vector<float>& buffer : buffers) outputs.push_back(buffer.data());
  network.pad(pixels, 1, h0.data());
  network.forward(1, h0.data(), outputs);
  const int64_t layer = first_layer_not_finite(outputs, 1, n);
  // Every output may be finite and a step between two of them not.
  const std::string what =
      layer < 0 ? "a layer's step" : sentence("the output of layer ", layer + 1, " of ", network.layers());
  const std::string fault = options_at_fault(network.options());
  throw NotFinite(
      sentence(caller, ": ", what, " is not finite for ", name, ": ",
               fault.empty() ? "the parameters are too large; train the network with a lower learning rate" : fault));
}

void fail_not_finite(const char* caller, const Network& network, const Dataset& data, int64_t image) {
  const int64_t pixels = data.pixels();
  fail_not_finite(caller, network, {data.images.data() + image * pixels, static_cast<size_t>(pixels)},
                  sentence("image ", image, " of ", data.name));
}

}  // namespace idelta::nn
