// Model files.
#ifndef IDELTA_NN_MODEL_FILE_HPP
#define IDELTA_NN_MODEL_FILE_HPP

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "idelta/nn/network.hpp"

namespace idelta::nn {

struct SaveOptions {
  // Leaves out every D that no form multiplies. The file is then much smaller, and gives labels without a guarantee.
  // Needs forms; without effect on a network whose D was dropped before.
  bool drop_dense = false;
};

// safetensors: layers.<l>.delta [n, n] and layers.<l>.bias [n], F32; the configuration in __metadata__. Of a network
// that has forms also layers.<l>.U [n, r] and layers.<l>.V [r, n], and in the metadata what was proved of them, with
// hashes of everything, so that load_model refuses a file whose parts do not belong together; other models have hashes
// too, unless they are older. The file appears whole or not at all, so that a failed save leaves the old one whole.
// Links are followed, and a file that is replaced keeps its mode, and its owner where the system lets us; what is no
// regular file is refused.
void save_model(const std::string& path, const Network& network, const SaveOptions& options = {});
Network load_model(const Context& context, const std::string& path);

// The bytes of such a file, in memory.
std::vector<std::byte> model_bytes(const Network& network, const SaveOptions& options = {});
Network load_model_bytes(const Context& context, std::span<const std::byte> bytes);

}  // namespace idelta::nn

#endif  // IDELTA_NN_MODEL_FILE_HPP
