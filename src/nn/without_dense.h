// The network of a file that dropped D.
#ifndef IDELTA_NN_WITHOUT_DENSE_H
#define IDELTA_NN_WITHOUT_DENSE_H

#include "idelta/nn.hpp"

namespace idelta::nn {

struct WithoutDense {
  // Computes D where it is given, and the last of `forms` in layers whose D is empty, which no form multiplies. No
  // memory is taken for n x n entries that were dropped.
  static Network make(const Context& context, const NetworkOptions& options, std::shared_ptr<const Forms> forms,
                      std::vector<LayerParameters> layers);
};

}  // namespace idelta::nn

#endif  // IDELTA_NN_WITHOUT_DENSE_H
