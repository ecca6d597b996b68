// Numbers that cannot be: infinities and NaN, which training that diverges leaves behind. No result is made of them.
#ifndef IDELTA_NN_FINITE_H
#define IDELTA_NN_FINITE_H

#include <cstdint>
#include <span>
#include <string>

#include "idelta/nn.hpp"

namespace idelta::nn {

bool all_finite(std::span<const float> values);

// The first of `count` layers whose outputs (rows x n) hold a value that is not finite; -1 if none does.
int64_t first_layer_not_finite(std::span<float* const> outputs, int64_t rows, int64_t n);

// "a class padding nearer 0 than 3e+38, or a lower identity scale than 4": what of the options would keep numbers
// smaller; empty if they are mild.
std::string milder_options(const NetworkOptions& options);

// "class padding 3e+38 ... too large ...; give ..." where these two alone, whatever the parameters are, make numbers
// whose products no float holds; empty elsewhere.
std::string options_at_fault(const NetworkOptions& options);

// Throws NotFinite, a sentence that begins with `caller` and names the image and the first layer at fault. `pixels` are
// those of an image, which is called `name`, with which something did not stay finite.
[[noreturn]] void fail_not_finite(const char* caller, const Network& network, std::span<const float> pixels,
                                  const std::string& name);
// The same of `image` of `data`.
[[noreturn]] void fail_not_finite(const char* caller, const Network& network, const Dataset& data, int64_t image);

}  // namespace idelta::nn

#endif  // IDELTA_NN_FINITE_H
