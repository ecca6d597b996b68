// See trained.h: a build without libidelta_nn.
#include <stdexcept>

#include "bench/trained.h"
#include "bench/trained_network.h"

namespace idelta::bench {

namespace {

[[noreturn]] void fail() {
  throw std::runtime_error("--model needs libidelta_nn: configure with -DIDELTA_BUILD_NN=ON and build again");
}

}  // namespace

struct TrainedModel::State {};

TrainedModel::TrainedModel(const std::string&, const std::string&) { fail(); }
TrainedModel::~TrainedModel() = default;

int64_t TrainedModel::n() const { return 0; }
int TrainedModel::layers() const { return 0; }
std::string TrainedModel::unfit() const { return ""; }
Inputs TrainedModel::inputs(const Problem&) const { return {}; }

struct TrainedNetwork::State {};

TrainedNetwork::TrainedNetwork(const std::string&, const std::string&, int) { fail(); }
TrainedNetwork::~TrainedNetwork() = default;
TrainedNetwork::TrainedNetwork(TrainedNetwork&&) noexcept = default;

int64_t TrainedNetwork::n() const { return 0; }
int64_t TrainedNetwork::images() const { return 0; }
std::vector<NetworkEntry> TrainedNetwork::entries() const { return {}; }
NetworkProblem TrainedNetwork::problem() const { return {}; }

}  // namespace idelta::bench
