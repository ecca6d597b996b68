// Whether a network can be, and whether a data set is whole and fits it.
#ifndef IDELTA_NN_CHECK_DATA_H
#define IDELTA_NN_CHECK_DATA_H

#include "idelta/nn.hpp"

namespace idelta::nn {

// What a network may have at most: labels are bytes, and more inputs are a typing error.
inline constexpr int64_t kMostClasses = 256, kMostInputs = int64_t{1} << 20;

// Throws unless a network can have these options.
void check_options(const NetworkOptions& options);

// Throws a sentence that begins with `caller` unless `data` holds at least one image and its images and labels are
// those of `options`.
void check_data(const char* caller, const Dataset& data, const NetworkOptions& options);

}  // namespace idelta::nn

#endif  // IDELTA_NN_CHECK_DATA_H
