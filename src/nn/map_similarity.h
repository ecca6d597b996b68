// Contribution maps of many images compared with others of the same images.
#ifndef IDELTA_NN_MAP_SIMILARITY_H
#define IDELTA_NN_MAP_SIMILARITY_H

#include <span>
#include <vector>

#include "idelta/nn.hpp"

namespace idelta::nn {

// rows x P of chosen images of a set; throws a sentence that begins with `caller` if there are none or one is not
// there.
std::vector<float> chosen_images(const char* caller, const Network& network, const Dataset& data,
                                 std::span<const int64_t> indices);

// rows x P: the first P entries of each row of h (rows x n) less the image's.
std::vector<float> contribution_maps(const Network& network, std::span<const float> images, const float* h);

// Means over the rows of two sets of maps, rows x P, P = height x width.
Similarity similarity(const std::vector<float>& a, const std::vector<float>& b, int64_t height, int64_t width);

}  // namespace idelta::nn

#endif  // IDELTA_NN_MAP_SIMILARITY_H
