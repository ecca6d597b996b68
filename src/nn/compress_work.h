// What compress() has found of a network's layers so far, and forms made of it.
#ifndef IDELTA_NN_COMPRESS_WORK_H
#define IDELTA_NN_COMPRESS_WORK_H

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "error.h"
#include "idelta/nn.hpp"
#include "layer_factors.h"

namespace idelta::nn {

struct Work {
  const Network& network;
  const CompressOptions& options;
  const std::function<void(int64_t, int64_t)>& progress;
  int64_t steps = 0, done = 0;
  std::vector<LayerFactors> factors = {};
  std::vector<std::optional<Forms::Tail>> tails = {};  // of each layer

  bool chooses() const { return options == CompressOptions(); }
  void step() {
    ++done;
    if (progress) progress(done, steps);
  }
};

// What libidelta refuses is said of the layer that it is about.
template <class Make>
auto in_layer(int64_t layer, const Make& make) -> decltype(make()) {
  try {
    return make();
  } catch (const Error& error) {
    throw Error(error.status(), sentence("compress: layer ", layer + 1, ": ", error.what()));
  }
}

// The layers of `forms`, with factors no wider than these need, and no proofs yet.
std::vector<Forms::Layer> layers_of(const Work& work, const std::vector<Form>& forms);

std::shared_ptr<const Forms> made(const Work& work, std::vector<Form> forms, std::vector<Forms::Layer> layers);

Considered considered_of(const Work& work, const Form& form, const std::string& verdict);

// The forms with which labels with a guarantee are expected to take the least time on a sample. Factorises all layers
// for them; `considered` gets all candidates, each with its verdict.
std::vector<Form> forms_by_sample(Work& work, const Dataset& sample, std::vector<Considered>& considered);

}  // namespace idelta::nn

#endif  // IDELTA_NN_COMPRESS_WORK_H
