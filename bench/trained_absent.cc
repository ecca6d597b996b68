// See trained.h: a build without libidelta_nn.
#include <stdexcept>

#include "bench/trained.h"

namespace idelta::bench {

struct TrainedModel::State {};

TrainedModel::TrainedModel(const std::string&, const std::string&) {
  throw std::runtime_error("--model needs libidelta_nn: configure with -DIDELTA_BUILD_NN=ON and build again");
}
TrainedModel::~TrainedModel() = default;

int64_t TrainedModel::n() const { return 0; }
int TrainedModel::layers() const { return 0; }
Inputs TrainedModel::inputs(const Problem&) const { return {}; }

}  // namespace idelta::bench
