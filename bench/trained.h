// A trained network and its test images: inputs of a grid point with zeros, near-zeros and empty panels of D as they
// really occur, and the pass predict (network.h) with idelta's own ways to its labels. Absent (trained_absent.cc) in a
// build without libidelta_nn.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/network.h"

namespace idelta::bench {

class TrainedModel {
 public:
  // A model of `idelta train` or `idelta compress`, and the data whose test images it sees (load_dataset of nn.hpp).
  // Throws if one cannot be read, they do not fit, the model has dropped D, or the build has no networks.
  TrainedModel(const std::string& path, const std::string& data, int threads);
  ~TrainedModel();
  TrainedModel(TrainedModel&&) noexcept;

  int64_t n() const;
  int layers() const;
  int64_t images() const;

  // Empty, or why its layers cannot be inputs: benchmarks of a layer are of hard_tanh and identity scale 1.
  std::string unfit() const;

  // Throws if unfit. D and b of problem.layer; x, y, dy, dz of the first m test images (from the first again if there
  // are fewer), as the loss of that batch gives them; v as constant gradients end: dD / (1 - momentum). The last layer,
  // which is linear in the network, here gets hard_tanh like the others: y and dz are those of it.
  Inputs inputs(const Problem& problem) const;

  // idelta f32 and bf16; and of a compressed model first_form, alone and without a proof, and guarantee. They share the
  // network.
  std::vector<NetworkEntry> entries() const;

  // Each form of a compressed model alone; settled() says how many labels it certifies by itself.
  std::vector<NetworkEntry> form_entries() const;

  // The reference is computed here. This must outlive it.
  NetworkProblem network_problem() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace idelta::bench
