// A data set and a network in C, for the suites of nn.h.
#pragma once

#include <idelta/nn.h>

#include <memory>
#include "nn_support.h"

namespace idelta_test {

struct DestroyHandle {
  void operator()(idelta_context* p) const { idelta_context_destroy(p); }
  void operator()(idelta_dataset* p) const { idelta_dataset_destroy(p); }
  void operator()(idelta_network* p) const { idelta_network_destroy(p); }
  void operator()(idelta_trainer* p) const { idelta_trainer_destroy(p); }
  void operator()(idelta_bytes* p) const { idelta_bytes_destroy(p); }
};
template <class Handle>
using Owned = std::unique_ptr<Handle, DestroyHandle>;

// What call(&handle) makes.
template <class Handle, class Call>
Owned<Handle> made(const Call& call) {
  Handle* handle = nullptr;
  EXPECT_OK(call(&handle));
  return Owned<Handle>(handle);
}

inline void expect_refused(idelta_status wanted, idelta_status status, std::initializer_list<std::string> parts) {
  EXPECT_EQ(wanted, status) << idelta_last_error();
  for (const std::string& part : parts) {
    EXPECT_NE(std::string::npos, std::string(idelta_last_error()).find(part))
        << "'" << part << "' is not in '" << idelta_last_error() << "'";
  }
}
inline void expect_refused(idelta_status status, std::initializer_list<std::string> parts) {
  expect_refused(IDELTA_INVALID_ARGUMENT, status, parts);
}

inline void collect(void* user, const char* text) { static_cast<std::vector<std::string>*>(user)->push_back(text); }

// A set and a network in both languages.
class NnC : public testing::Test {
 protected:
  static constexpr int64_t kLayers = 3, kPixels = 64, kWidth = 74, kClasses = 10;

  NnC() {
    idelta_dataset_args args = args_of_data();
    dataset = made<idelta_dataset>([&](auto** p) { return idelta_dataset_create(&args, p); });
    network = made<idelta_network>([&](auto** p) { return idelta_network_create(context.get(), &options(), p); });
  }

  idelta_dataset_args args_of_data() const {
    idelta_dataset_args args = IDELTA_DATASET_ARGS_INIT;
    args.name = data.name.c_str();
    args.count = data.count;
    args.height = data.height;
    args.width = data.width;
    args.classes = data.classes;
    args.images = data.images.data();
    args.ld = kPixels;
    args.labels = labels.data();
    return args;
  }

  const idelta_network_options& options() {
    EXPECT_OK(idelta_network_options_for(dataset.get(), &network_options));
    network_options.layers = kLayers;
    return network_options;
  }

  static idelta_train_options train_options() {
    idelta_train_options options = IDELTA_TRAIN_OPTIONS_INIT;
    options.epochs = 2;
    options.batch = 32;
    options.learning_rate = 0.03f;
    options.layer_loss = 0.2f;
    return options;
  }
  static nn::TrainOptions same_options() {
    nn::TrainOptions options;
    options.epochs = 2;
    options.batch = 32;
    options.learning_rate = 0.03f;
    options.layer_loss = 0.2f;
    return options;
  }

  void train() {
    const idelta_train_options how = train_options();
    EXPECT_OK(idelta_network_train(network.get(), dataset.get(), &how, nullptr, nullptr, nullptr));
  }
  nn::Network trained_in_cpp() {
    nn::Network same(nn_context(), pattern_options(kLayers));
    nn::Trainer(same, data, same_options()).run();
    return same;
  }

  std::string hash() const {
    char digits[17];
    EXPECT_OK(idelta_network_hash(network.get(), digits));
    return digits;
  }

  idelta::Context owner = nn_context();
  const nn::Dataset data = patterns(32 * 4 + 5, 1);
  const std::vector<int32_t> labels{data.labels.begin(), data.labels.end()};
  Owned<idelta_context> context = made<idelta_context>([](auto** p) {
    idelta_context_options options = IDELTA_CONTEXT_OPTIONS_INIT;
    options.isa = forced_isa();
    return idelta_context_create(&options, p);
  });
  idelta_network_options network_options = IDELTA_NETWORK_OPTIONS_INIT;
  Owned<idelta_dataset> dataset;
  Owned<idelta_network> network;
  TemporaryFolder folder;
};

}  // namespace idelta_test
