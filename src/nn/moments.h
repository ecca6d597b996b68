// First and second moments of the features of a set, a layer at a time: what separation, effective rank and the
// linear probe are made of.
#ifndef IDELTA_NN_MOMENTS_H
#define IDELTA_NN_MOMENTS_H

#include <functional>
#include <vector>

#include "idelta/nn.hpp"

namespace idelta::nn {

// Of the features h (count x n) of one layer.
struct LayerMoments {
  std::vector<int64_t> counts;     // C: images of each class
  std::vector<double> class_sums;  // C x n: sums of h over each class
  std::vector<double> gram;        // n x n, symmetric: sum of h^T h; empty if only class sums were wanted

  double count() const;              // of all images
  std::vector<double> mean() const;  // n: of h over all images
};

enum class Moments { kClassSums, kClassSumsAndGram };

// The moments of every layer of a set: see(0, ...) of the input h^0, then see(1, ...) to see(L, ...), in this order.
// Class sums are summed in fp64 in the images' order. The Gram matrix is summed in F32 over blocks of 512 images
// by the library's own kernel (backward_weights) and over the blocks in fp64: bits depend on nothing but the features.
// As many layers as fit `most_bytes`, at least one, are done in one pass over the set.
void each_layers_moments(const char* caller, const Network& network, const Dataset& data, int64_t batch, Moments wanted,
                         const std::function<void(int64_t, const LayerMoments&)>& see,
                         double most_bytes = 256.0 * 1024 * 1024);

}  // namespace idelta::nn

#endif  // IDELTA_NN_MOMENTS_H
