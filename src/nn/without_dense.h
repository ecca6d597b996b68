// The network of a file that dropped D.
#ifndef IDELTA_NN_WITHOUT_DENSE_H
#define IDELTA_NN_WITHOUT_DENSE_H

#include "idelta/nn.hpp"

namespace idelta::nn {

struct WithoutDense {
  struct Layer {
    std::vector<float> delta;  // n x n where the most precise form is dense, else empty
    std::vector<float> bias;
  };

  // Computes the most precise of `forms`. No memory is taken for n x n entries that were dropped.
  static Network make(const Context& context, const NetworkOptions& options, std::shared_ptr<const Forms> forms,
                      std::vector<Layer> layers);
};

}  // namespace idelta::nn

#endif  // IDELTA_NN_WITHOUT_DENSE_H
