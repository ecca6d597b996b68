// A trained network and its test images for the pass predict (network.h), and idelta's own ways to its labels. Absent
// (trained_absent.cc) in a build without libidelta_nn.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/network.h"

namespace idelta::bench {

class TrainedNetwork {
 public:
  // A model of `idelta train` or `idelta compress`, and the data whose test images it labels (load_dataset of nn.hpp).
  // Throws if one cannot be read, they do not fit, or the model has dropped D.
  TrainedNetwork(const std::string& path, const std::string& data, int threads);
  ~TrainedNetwork();
  TrainedNetwork(TrainedNetwork&&) noexcept;

  int64_t n() const;
  int64_t images() const;

  // idelta f32 and bf16; and of a compressed model first_form, alone and without a proof, and guarantee. They share the
  // network.
  std::vector<NetworkEntry> entries() const;

  // The reference is computed here. This must outlive it.
  NetworkProblem problem() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace idelta::bench
