// What the handles of nn.h hold.
#ifndef IDELTA_NN_API_HANDLES_H
#define IDELTA_NN_API_HANDLES_H

#include <cstddef>
#include <memory>
#include <vector>

#include "wall.h"

struct idelta_dataset {
  explicit idelta_dataset(idelta::nn::Dataset made)
      : set(std::make_shared<const idelta::nn::Dataset>(std::move(made))),
        feature_names(idelta::nn::api::pointers_to(set->feature_names)),
        class_names(idelta::nn::api::pointers_to(set->class_names)) {}

  std::shared_ptr<const idelta::nn::Dataset> set;  // trainers share it
  std::vector<const char*> feature_names, class_names;
};

struct idelta_network {
  explicit idelta_network(idelta::nn::Network made)
      : network(std::move(made)),
        feature_names(idelta::nn::api::pointers_to(network.options().feature_names)),
        class_names(idelta::nn::api::pointers_to(network.options().class_names)) {}

  idelta::nn::Network network;
  std::vector<const char*> feature_names, class_names;
};

struct idelta_trainer {
  std::shared_ptr<const idelta::nn::Dataset> data;
  idelta::nn::Trainer trainer;
};

struct idelta_bytes {
  std::vector<std::byte> bytes;
};

namespace idelta::nn::api {

inline Context context_of(const idelta_context* context) {
  check_context(context);
  return Context::borrowed(context);
}

inline Network& checked_network(idelta_network* handle) { return checked(handle, "network").network; }
inline const Network& checked_network(const idelta_network* handle) { return checked(handle, "network").network; }
inline const Dataset& checked_data(const idelta_dataset* handle, const char* name = "data") {
  return *checked(handle, name).set;
}

}  // namespace idelta::nn::api

#endif  // IDELTA_NN_API_HANDLES_H
