// A C++ program outside the build: saves and loads a network, evaluates it and draws a sheet, so that each of
// libidelta_nn's own dependencies is linked. Two images of 2 x 2, whose identity network leaves them as they are.
#include <cstdio>
#include <exception>
#include <idelta/nn.hpp>

namespace nn = idelta::nn;

int main() try {
  const nn::Dataset data{.name = "two",
                         .count = 2,
                         .height = 2,
                         .width = 2,
                         .classes = 2,
                         .images = {0, 0.25f, 0.5f, 1, 1, 0, 0, 0.5f},
                         .labels = {0, 1}};
  const idelta::Context context;
  nn::save_model("two.safetensors", nn::Network(context, {.layers = 3, .height = 2, .width = 2, .classes = 2}));
  const nn::Network network = nn::load_model(context, "two.safetensors");

  const nn::Evaluation evaluation = nn::evaluate(network, data);
  for (const nn::LayerReport& layer : evaluation.layers) {
    if (layer.spectral_norm != 0 || layer.accuracy != 0.5) {
      std::fprintf(stderr, "identity layer: norm %g, accuracy %g\n", layer.spectral_norm, layer.accuracy);
      return 1;
    }
  }
  const int64_t first[] = {0};
  nn::write_contribution_sheet("two.png", network.options(), nn::decompose(network, data, first));
  std::printf("%zu layers\n", evaluation.layers.size());
  return evaluation.layers.size() == 3 ? 0 : 1;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
