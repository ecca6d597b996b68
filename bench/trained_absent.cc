// See trained.h: a build without libidelta_nn.
#include <stdexcept>

#include "bench/trained.h"

namespace idelta::bench {

struct TrainedModel::State {};

TrainedModel::TrainedModel(const std::string&, const std::string&, int) {
  throw std::runtime_error("--model needs libidelta_nn: configure with -DIDELTA_BUILD_NN=ON and build again");
}
TrainedModel::~TrainedModel() = default;
TrainedModel::TrainedModel(TrainedModel&&) noexcept = default;

int64_t TrainedModel::n() const { return 0; }
int TrainedModel::layers() const { return 0; }
int64_t TrainedModel::images() const { return 0; }
std::string TrainedModel::unfit() const { return ""; }
Inputs TrainedModel::inputs(const Problem&) const { return {}; }
std::vector<NetworkEntry> TrainedModel::entries() const { return {}; }
std::vector<NetworkEntry> TrainedModel::form_entries() const { return {}; }
NetworkProblem TrainedModel::network_problem() const { return {}; }

}  // namespace idelta::bench
