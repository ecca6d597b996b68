// Inputs of a grid point from a trained network instead of random numbers: zeros, near-zeros and empty panels of D as
// they really occur. Absent (trained_absent.cc) in a build without libidelta_nn.
#pragma once

#include <memory>
#include <string>

#include "bench/problem.h"

namespace idelta::bench {

class TrainedModel {
 public:
  // A model of `idelta train`, and the data whose test images it sees (load_dataset of nn.hpp). Throws if there is none
  // such, or if the build has no networks.
  TrainedModel(const std::string& path, const std::string& data);
  ~TrainedModel();

  int64_t n() const;
  int layers() const;

  // Empty, or why its layers cannot be inputs: benchmarks of a layer are of hard_tanh and identity scale 1.
  std::string unfit() const;

  // Throws if unfit. D and b of problem.layer; x, y, dy, dz of the first m test images (from the first again if there
  // are fewer), as the loss of that batch gives them; v as constant gradients end: dD / (1 - momentum). The last layer,
  // which is linear in the network, here gets hard_tanh like the others: y and dz are those of it.
  Inputs inputs(const Problem& problem) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace idelta::bench
