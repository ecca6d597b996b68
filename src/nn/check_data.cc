// A data set may be made by hand, so its fields are not trusted.
#include "check_data.h"

#include <algorithm>

#include "error.h"

namespace idelta::nn {

void check_data(const char* caller, const Dataset& data, const NetworkOptions& options) {
  if (data.count < 1) fail(caller, ": the data set ", data.name, " holds no images; give one that does");
  if (data.height != options.height || data.width != options.width) {
    fail(caller, ": the images of ", data.name, " are ", data.height, " x ", data.width, ", but the network takes ",
         options.height, " x ", options.width);
  }
  if (data.images.size() != static_cast<size_t>(data.count * data.pixels()) ||
      data.labels.size() != static_cast<size_t>(data.count)) {
    fail(caller, ": ", data.name, " has ", data.images.size(), " pixels and ", data.labels.size(), " labels, but ",
         data.count, " images of ", data.pixels(), " pixels are promised");
  }
  const int64_t largest = *std::max_element(data.labels.begin(), data.labels.end());
  if (largest >= options.classes) {
    fail(caller, ": ", data.name, " holds label ", largest, ", but the network has ", options.classes,
         " classes (labels 0 to ", options.classes - 1, "); make the network with as many classes as the set has");
  }
}

}  // namespace idelta::nn
