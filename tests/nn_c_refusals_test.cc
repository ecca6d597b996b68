// What nn.h refuses: every call with each of its arguments wrong, files, structs of other sizes. After each error the
// handles are as they were.
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "nn_c_support.h"

namespace idelta_test {
namespace {

using Refusals = NnC;

// A struct of C with some fields set.
template <class Struct>
Struct with(Struct given, const std::function<void(Struct&)>& change) {
  change(given);
  return given;
}

TEST_F(Refusals, OfNullHandlesAndPointers) {
  idelta_dataset* set = nullptr;
  idelta_network* net = nullptr;
  idelta_trainer* run = nullptr;
  idelta_bytes* bytes = nullptr;
  float one = 0;
  double number = 0;
  int32_t label = 0;
  char digits[17];
  const idelta_dataset_args args = args_of_data();
  const idelta_decompose_args images = IDELTA_DECOMPOSE_ARGS_INIT;
  const idelta_class_maps_args maps = IDELTA_CLASS_MAPS_ARGS_INIT;
  const idelta_predict_args predict = IDELTA_PREDICT_ARGS_INIT;
  const idelta_evaluation evaluation = IDELTA_EVALUATION_INIT;
  const idelta_read_outs read = IDELTA_READ_OUTS_INIT;
  const idelta_weight_geometry weights = IDELTA_WEIGHT_GEOMETRY_INIT;
  const idelta_feature_geometry features = IDELTA_FEATURE_GEOMETRY_INIT;
  const idelta_lesions lesions = IDELTA_LESIONS_INIT;
  const idelta_probes probes = IDELTA_PROBES_INIT;
  const idelta_roles roles = IDELTA_ROLES_INIT;
  idelta_dataset_info_t set_info = IDELTA_DATASET_INFO_INIT;
  idelta_network_info_t info = IDELTA_NETWORK_INFO_INIT;
  idelta_form_info_t form = IDELTA_FORM_INFO_INIT;
  idelta_train_options train = IDELTA_TRAIN_OPTIONS_INIT;
  idelta_progress progress = IDELTA_PROGRESS_INIT;
  idelta_network_options opts = IDELTA_NETWORK_OPTIONS_INIT;
  const idelta_context* const c = context.get();
  idelta_network* const n = network.get();
  const idelta_dataset* const d = dataset.get();
  const auto trainer = made<idelta_trainer>([&](auto** p) { return idelta_trainer_create(n, d, nullptr, p); });
  idelta_trainer* const t = trainer.get();
  const auto refused = [](const char* name, idelta_status status) {
    expect_refused(status, {std::string(name) + " is null"});
  };
  refused("args", idelta_dataset_create(nullptr, &set));
  refused("dataset", idelta_dataset_create(&args, nullptr));
  refused("name_or_place", idelta_dataset_load(nullptr, IDELTA_SPLIT_TRAIN, nullptr, &set));
  refused("dataset", idelta_dataset_load("x", IDELTA_SPLIT_TRAIN, nullptr, nullptr));
  refused("images_path", idelta_dataset_load_idx(nullptr, "x", 0, &set));
  refused("labels_path", idelta_dataset_load_idx("x", nullptr, 0, &set));
  refused("dataset", idelta_dataset_load_idx("x", "x", 0, nullptr));
  refused("dataset", idelta_dataset_head(nullptr, 1, &set));
  refused("head", idelta_dataset_head(d, 1, nullptr));
  refused("dataset", idelta_dataset_info(nullptr, &set_info));
  refused("info", idelta_dataset_info(d, nullptr));
  refused("dataset", idelta_dataset_labels(nullptr, &label));
  refused("labels", idelta_dataset_labels(d, nullptr));
  refused("dataset", idelta_dataset_warnings(nullptr, 2, collect, nullptr));
  refused("seen", idelta_dataset_warnings(d, 2, nullptr, nullptr));
  refused("train", idelta_network_options_for(nullptr, &opts));
  refused("options", idelta_network_options_for(d, nullptr));
  refused("context", idelta_network_create(nullptr, nullptr, &net));
  refused("network", idelta_network_create(c, nullptr, nullptr));
  refused("network", idelta_network_save(nullptr, "x", nullptr));
  refused("path", idelta_network_save(n, nullptr, nullptr));
  refused("context", idelta_network_load(nullptr, "x", &net));
  refused("path", idelta_network_load(c, nullptr, &net));
  refused("network", idelta_network_load(c, "x", nullptr));
  refused("network", idelta_network_to_bytes(nullptr, nullptr, &bytes));
  refused("bytes", idelta_network_to_bytes(n, nullptr, nullptr));
  refused("context", idelta_network_from_bytes(nullptr, "x", 1, &net));
  refused("bytes", idelta_network_from_bytes(c, nullptr, 1, &net));
  refused("network", idelta_network_from_bytes(c, "x", 1, nullptr));
  refused("network", idelta_network_info(nullptr, &info));
  refused("info", idelta_network_info(n, nullptr));
  refused("network", idelta_network_settings(
                         nullptr, [](void*, const char*, const char*) {}, nullptr));
  refused("seen", idelta_network_settings(n, nullptr, nullptr));
  refused("network", idelta_network_hash(nullptr, digits));
  refused("digits", idelta_network_hash(n, nullptr));
  refused("network", idelta_network_warnings(nullptr, collect, nullptr));
  refused("seen", idelta_network_warnings(n, nullptr, nullptr));
  refused("network", idelta_network_layer(nullptr, 0, &one, 1, &one));
  refused("network", idelta_network_set_layer(nullptr, 0, &one, kWidth, &one));
  refused("D", idelta_network_set_layer(n, 0, nullptr, kWidth, &one));
  refused("bias", idelta_network_set_layer(n, 0, data.images.data(), kWidth, nullptr));
  refused("network", idelta_network_set_compute(nullptr, IDELTA_FORMAT_F32, 0));
  refused("network", idelta_network_scale(nullptr, 1, &one, kPixels, &one, kPixels));
  refused("images", idelta_network_scale(n, 1, nullptr, kPixels, &one, kPixels));
  refused("scaled", idelta_network_scale(n, 1, &one, kPixels, nullptr, kPixels));
  refused("network", idelta_network_train(nullptr, d, nullptr, nullptr, nullptr, nullptr));
  refused("data", idelta_network_train(n, nullptr, nullptr, nullptr, nullptr, nullptr));
  refused("network", idelta_trainer_create(nullptr, d, nullptr, &run));
  refused("data", idelta_trainer_create(n, nullptr, nullptr, &run));
  refused("trainer", idelta_trainer_create(n, d, nullptr, nullptr));
  refused("trainer", idelta_trainer_run(nullptr, nullptr, nullptr, nullptr));
  refused("trainer", idelta_trainer_step(nullptr, 1, &one, kPixels, &label, 0, &number));
  refused("images", idelta_trainer_step(t, 1, nullptr, kPixels, &label, 0, &number));
  refused("labels", idelta_trainer_step(t, 1, &one, kPixels, nullptr, 0, &number));
  refused("trainer", idelta_trainer_options(nullptr, &train));
  refused("options", idelta_trainer_options(t, nullptr));
  refused("trainer", idelta_trainer_progress(nullptr, &progress));
  refused("progress", idelta_trainer_progress(t, nullptr));
  refused("trainer", idelta_trainer_warnings(nullptr, collect, nullptr));
  refused("seen", idelta_trainer_warnings(t, nullptr, nullptr));
  refused("trainer", idelta_trainer_save(nullptr, "x"));
  refused("checkpoint", idelta_trainer_save(t, nullptr));
  refused("network", idelta_trainer_resume(nullptr, d, "x", &run));
  refused("data", idelta_trainer_resume(n, nullptr, "x", &run));
  refused("checkpoint", idelta_trainer_resume(n, d, nullptr, &run));
  refused("trainer", idelta_trainer_resume(n, d, "x", nullptr));
  refused("checkpoint", idelta_checkpoint_read(nullptr, &train, nullptr, nullptr, nullptr));
  refused("context", idelta_checkpoint_network(nullptr, "x", &net));
  refused("checkpoint", idelta_checkpoint_network(c, nullptr, &net));
  refused("network", idelta_checkpoint_network(c, "x", nullptr));
  refused("network", idelta_network_evaluate(nullptr, d, &evaluation));
  refused("data", idelta_network_evaluate(n, nullptr, &evaluation));
  refused("to", idelta_network_evaluate(n, d, nullptr));
  refused("network", idelta_network_accuracy(nullptr, d, 0, &number));
  refused("data", idelta_network_accuracy(n, nullptr, 0, &number));
  refused("accuracy", idelta_network_accuracy(n, d, 0, nullptr));
  refused("network", idelta_network_read_outs(nullptr, d, &read));
  refused("data", idelta_network_read_outs(n, nullptr, &read));
  refused("to", idelta_network_read_outs(n, d, nullptr));
  refused("network", idelta_network_decompose(nullptr, &images));
  refused("args", idelta_network_decompose(n, nullptr));
  refused("network", idelta_network_class_maps(nullptr, &maps));
  refused("args", idelta_network_class_maps(n, nullptr));
  refused("network", idelta_network_neuron(nullptr, &one, 0, 0, &number, nullptr, nullptr));
  refused("image", idelta_network_neuron(n, nullptr, 0, 0, &number, nullptr, nullptr));
  refused("network", idelta_network_top_neurons(nullptr, d, 1, 0, nullptr, nullptr, nullptr));
  refused("data", idelta_network_top_neurons(n, nullptr, 1, 0, nullptr, nullptr, nullptr));
  refused("network", idelta_network_weight_geometry(nullptr, &weights));
  refused("to", idelta_network_weight_geometry(n, nullptr));
  refused("network", idelta_network_feature_geometry(nullptr, d, d, &features));
  refused("data", idelta_network_feature_geometry(n, nullptr, d, &features));
  refused("to", idelta_network_feature_geometry(n, d, d, nullptr));
  refused("network", idelta_network_lesions(nullptr, d, &lesions));
  refused("data", idelta_network_lesions(n, nullptr, &lesions));
  refused("to", idelta_network_lesions(n, d, nullptr));
  refused("network", idelta_network_probes(nullptr, d, d, &probes));
  refused("train", idelta_network_probes(n, nullptr, d, &probes));
  refused("test", idelta_network_probes(n, d, nullptr, &probes));
  refused("to", idelta_network_probes(n, d, d, nullptr));
  refused("network", idelta_network_roles(nullptr, d, d, &roles));
  refused("train", idelta_network_roles(n, nullptr, d, &roles));
  refused("test", idelta_network_roles(n, d, nullptr, &roles));
  refused("to", idelta_network_roles(n, d, d, nullptr));
  refused("network", idelta_network_compress(nullptr, nullptr));
  refused("sample", idelta_network_compress(n, nullptr));
  refused("compressed", idelta_network_attach_forms(nullptr, n));
  refused("dense", idelta_network_attach_forms(n, nullptr));
  refused("network", idelta_network_form(nullptr, 0, &form));
  refused("network", idelta_network_predict(nullptr, &predict));
  refused("args", idelta_network_predict(n, nullptr));
  for (const void* each : {static_cast<const void*>(set), static_cast<const void*>(net), static_cast<const void*>(run),
                           static_cast<const void*>(bytes)}) {
    EXPECT_EQ(nullptr, each);
  }
  idelta_dataset_destroy(nullptr), idelta_network_destroy(nullptr), idelta_trainer_destroy(nullptr);
  idelta_bytes_destroy(nullptr);
  EXPECT_EQ(nullptr, idelta_bytes_data(nullptr));
  EXPECT_EQ(0u, idelta_bytes_size(nullptr));
}

TEST_F(Refusals, OfDataSets) {
  std::vector<float> images = data.images;
  std::vector<int32_t> wrong = labels;
  idelta_dataset* set = nullptr;
  const auto refused = [&](const std::function<void(idelta_dataset_args&)>& change,
                           std::initializer_list<std::string> parts) {
    const idelta_dataset_args args = with(args_of_data(), change);
    expect_refused(idelta_dataset_create(&args, &set), parts);
    EXPECT_EQ(nullptr, set);
  };
  const int64_t most = std::numeric_limits<int64_t>::max();
  refused([](auto& a) { a.count = 0; }, {"count = 0"});
  refused([&](auto& a) { a.count = most; }, {"count = "});
  refused([&](auto& a) { a.height = most; }, {"height = "});
  refused([](auto& a) { a.width = 0; }, {"width = 0"});
  refused([](auto& a) { a.height = a.width = 1 << 20; }, {"height * width"});
  refused([](auto& a) { a.classes = 1; }, {"classes = 1"});
  refused([](auto& a) { a.classes = 257; }, {"classes = 257"});
  refused([](auto& a) { a.images = nullptr; }, {"images is null"});
  refused([](auto& a) { a.ld = kPixels - 1; }, {"ld = 63", "height * width = 64"});
  wrong[7] = 10;
  refused([&](auto& a) { a.labels = wrong.data(); }, {"labels[7] = 10", "0 to 9"});
  wrong[7] = -1;
  refused([&](auto& a) { a.labels = wrong.data(), a.classes = 0; }, {"labels[7] = -1"});
  wrong[7] = 256;
  refused([&](auto& a) { a.labels = wrong.data(), a.classes = 0; }, {"largest label + 1 = 257"});
  wrong[7] = INT32_MAX;
  refused([&](auto& a) { a.labels = wrong.data(), a.classes = 0; }, {"largest label + 1 = 2147483648"});
  images[3 * kPixels + 5] = NAN;
  refused([&](auto& a) { a.images = images.data(); }, {"entry 5 of row 3", "nan"});
  const std::vector<const char*> names(kPixels, nullptr);
  refused([&](auto& a) { a.feature_names = names.data(); }, {"feature_names[0] is null"});
  const std::vector<const char*> empty(kClasses, "");
  refused([&](auto& a) { a.class_names = empty.data(); }, {"class_names[0] is empty"});
  refused([&](auto& a) { a.class_names = empty.data(), a.classes = 0; }, {"classes = 0"});
  refused([](auto& a) { a.label_name = "\xff"; }, {"label_name[0] is not UTF-8"});
  const std::vector<double> offsets(kPixels);
  refused([&](auto& a) { a.offsets = offsets.data(); }, {"one of offsets and factors is null"});
  refused([&](auto& a) { a.offsets = a.factors = offsets.data(), a.network = network.get(); }, {"more than one of"});
  refused([&](auto& a) { a.scale = static_cast<idelta_scale>(4); }, {"scale = 4"});
  refused([&](auto& a) { a.network = network.get(), a.classes = 9; }, {"network takes", "classes = 9"});
  expect_refused(idelta_dataset_head(dataset.get(), 0, &set), {"count = 0"});
  expect_refused(idelta_dataset_load("x", static_cast<idelta_split>(2), nullptr, &set), {"split = 2"});
  expect_refused(idelta_dataset_warnings(dataset.get(), 1, collect, nullptr), {"classes = 1"});
  expect_refused(IDELTA_FILE_ERROR, idelta_dataset_load((folder / "none").c_str(), IDELTA_SPLIT_TEST, nullptr, &set),
                 {folder / "none"});
}

TEST_F(Refusals, OfNetworksTrainingAndImages) {
  train();
  const std::string before = hash();
  idelta_network* net = nullptr;
  idelta_network_options o = options();
  o.layers = 0;
  expect_refused(idelta_network_create(context.get(), &o, &net), {"layers is 0"});
  o = options();
  o.activation.kind = static_cast<idelta_activation_kind>(9);
  expect_refused(idelta_network_create(context.get(), &o, &net), {"activation.kind = 9"});
  std::vector<float> D(kWidth * kWidth), logits(10 * kClasses);
  expect_refused(idelta_network_layer(network.get(), kLayers, D.data(), kWidth, nullptr), {"layer = 3", "0 .. 2"});
  expect_refused(idelta_network_layer(network.get(), 0, D.data(), kWidth - 1, nullptr), {"ldd = 73"});
  expect_refused(idelta_network_set_compute(network.get(), IDELTA_FORMAT_LOW_RANK, 0), {"rank is 0"});
  expect_refused(idelta_network_set_compute(network.get(), static_cast<idelta_format>(77), 0), {"77"});
  expect_refused(idelta_network_neuron(network.get(), D.data(), 3, 0, nullptr, nullptr, nullptr), {"layer is 3"});
  expect_refused(IDELTA_FILE_ERROR, idelta_network_save(network.get(), (folder / "no/such").c_str(), nullptr),
                 {"no/such"});
  expect_refused(IDELTA_FILE_ERROR, idelta_network_load(context.get(), (folder / "none").c_str(), &net), {"none"});
  const idelta_save_options drop = {sizeof drop, 1};
  expect_refused(idelta_network_save(network.get(), (folder / "x").c_str(), &drop), {"without forms"});

  idelta_train_options how = train_options();
  how.epochs = 0;
  expect_refused(idelta_network_train(network.get(), dataset.get(), &how, nullptr, nullptr, nullptr), {"epochs is 0"});
  how = train_options();
  how.optimizer = static_cast<idelta_optimizer_kind>(8);
  expect_refused(idelta_network_train(network.get(), dataset.get(), &how, nullptr, nullptr, nullptr), {"kind = 8"});

  idelta_decompose_args args = IDELTA_DECOMPOSE_ARGS_INIT;
  args.rows = -1;
  expect_refused(idelta_network_decompose(network.get(), &args), {"rows = -1"});
  args.rows = 10;
  expect_refused(idelta_network_decompose(network.get(), &args), {"images is null"});
  args.images = data.images.data();
  args.ld = kPixels - 1;
  expect_refused(idelta_network_decompose(network.get(), &args), {"ld = 63", "P = 64"});
  args.ld = kPixels;
  args.batch = -2;
  expect_refused(idelta_network_decompose(network.get(), &args), {"batch = -2"});
  args.batch = 0;
  args.rows = std::numeric_limits<int64_t>::max() / 8;
  expect_refused(idelta_network_decompose(network.get(), &args), {"too many"});
  std::vector<float> images = data.images;
  images[kPixels] = INFINITY;
  args.rows = 10;
  args.images = images.data();
  args.logits = logits.data();
  expect_refused(IDELTA_NOT_FINITE, idelta_network_decompose(network.get(), &args), {"image 1"});

  const int32_t classes[] = {10};
  idelta_class_maps_args maps = IDELTA_CLASS_MAPS_ARGS_INIT;
  maps.rows = 1;
  maps.images = data.images.data();
  maps.ld = kPixels;
  expect_refused(idelta_network_class_maps(network.get(), &maps), {"classes is null"});
  maps.classes = classes;
  expect_refused(idelta_network_class_maps(network.get(), &maps), {"10"});

  float margin = 0;
  idelta_predict_args predict = IDELTA_PREDICT_ARGS_INIT;
  predict.margins = &margin;
  expect_refused(idelta_network_predict(network.get(), &predict), {"margins is given"});
  predict.margins = nullptr;
  predict.guarantee = 1;
  expect_refused(idelta_network_predict(network.get(), &predict), {"compress it first"});
  idelta_compress_options compress = IDELTA_COMPRESS_OPTIONS_INIT;
  compress.rank = 3, compress.sigma = 1;
  expect_refused(idelta_network_compress(network.get(), &compress), {"one of rank, sigma and tolerance"});
  compress.rank = 0, compress.sigma = 0, compress.tolerance = 1e-30;
  expect_refused(IDELTA_TOLERANCE_NOT_MET, idelta_network_compress(network.get(), &compress), {"tolerance"});
  EXPECT_EQ(before, hash());
}

TEST_F(Refusals, OfADivergentRun) {
  idelta_train_options how = train_options();
  how.learning_rate = 1e4f;
  const std::vector<float> zeros(kWidth * kWidth);
  for (const idelta_format compute : {IDELTA_FORMAT_BF16, IDELTA_FORMAT_F32}) {
    how.compute = compute;
    expect_refused(IDELTA_NOT_FINITE,
                   idelta_network_train(network.get(), dataset.get(), &how, nullptr, nullptr, nullptr),
                   {"training diverged", "10000"});
    // It can be given other parameters and goes on.
    for (int64_t l = 0; l < kLayers; ++l) {
      EXPECT_OK(idelta_network_set_layer(network.get(), l, zeros.data(), kWidth, zeros.data()));
    }
  }
  train();
  EXPECT_EQ(nn::parameters_hash(trained_in_cpp()), hash());
}

// One call for each struct: today's size is taken, others are refused by name, and nothing behind it is written.
TEST_F(Refusals, OfStructsOfOtherSizes) {
  idelta_dataset* set = nullptr;
  idelta_network* net = nullptr;
  const auto expect_size = [&](auto init, const char* name, const auto& call) {
    const size_t own = sizeof init;
    for (const size_t size : {size_t{0}, own - 8, own + 8}) {
      init.struct_size = size;
      expect_refused(call(&init), {std::string(name) + "->struct_size = " + std::to_string(size), std::to_string(own)});
    }
    init.struct_size = own;
    EXPECT_NE(std::string::npos, std::string(idelta_last_error()).find("made for a newer idelta"));
  };
  const idelta_network* const n = network.get();
  const idelta_dataset* const d = dataset.get();
  const auto trainer =
      made<idelta_trainer>([&](auto** p) { return idelta_trainer_create(network.get(), d, nullptr, p); });
  expect_size(args_of_data(), "args", [&](auto* s) { return idelta_dataset_create(s, &set); });
  expect_size(idelta_load_options IDELTA_LOAD_OPTIONS_INIT, "options",
              [&](auto* s) { return idelta_dataset_load("x", IDELTA_SPLIT_TRAIN, s, &set); });
  expect_size(idelta_dataset_info_t IDELTA_DATASET_INFO_INIT, "info",
              [&](auto* s) { return idelta_dataset_info(d, s); });
  expect_size(options(), "options", [&](auto* s) { return idelta_network_create(context.get(), s, &net); });
  expect_size(options(), "options", [&](auto* s) { return idelta_network_options_for(d, s); });
  expect_size(idelta_save_options IDELTA_SAVE_OPTIONS_INIT, "options",
              [&](auto* s) { return idelta_network_save(n, "x", s); });
  expect_size(idelta_network_info_t IDELTA_NETWORK_INFO_INIT, "info",
              [&](auto* s) { return idelta_network_info(n, s); });
  expect_size(train_options(), "options",
              [&](auto* s) { return idelta_network_train(network.get(), d, s, nullptr, nullptr, nullptr); });
  expect_size(train_options(), "options", [&](auto* s) { return idelta_trainer_options(trainer.get(), s); });
  expect_size(idelta_progress IDELTA_PROGRESS_INIT, "progress",
              [&](auto* s) { return idelta_trainer_progress(trainer.get(), s); });
  expect_size(idelta_evaluation IDELTA_EVALUATION_INIT, "to",
              [&](auto* s) { return idelta_network_evaluate(n, d, s); });
  expect_size(idelta_read_outs IDELTA_READ_OUTS_INIT, "to", [&](auto* s) { return idelta_network_read_outs(n, d, s); });
  expect_size(idelta_decompose_args IDELTA_DECOMPOSE_ARGS_INIT, "args",
              [&](auto* s) { return idelta_network_decompose(n, s); });
  expect_size(idelta_class_maps_args IDELTA_CLASS_MAPS_ARGS_INIT, "args",
              [&](auto* s) { return idelta_network_class_maps(n, s); });
  expect_size(idelta_weight_geometry IDELTA_WEIGHT_GEOMETRY_INIT, "to",
              [&](auto* s) { return idelta_network_weight_geometry(n, s); });
  expect_size(idelta_feature_geometry IDELTA_FEATURE_GEOMETRY_INIT, "to",
              [&](auto* s) { return idelta_network_feature_geometry(n, d, d, s); });
  expect_size(idelta_lesions IDELTA_LESIONS_INIT, "to", [&](auto* s) { return idelta_network_lesions(n, d, s); });
  expect_size(idelta_probes IDELTA_PROBES_INIT, "to", [&](auto* s) { return idelta_network_probes(n, d, d, s); });
  expect_size(idelta_roles IDELTA_ROLES_INIT, "to", [&](auto* s) { return idelta_network_roles(n, d, d, s); });
  expect_size(idelta_compress_options IDELTA_COMPRESS_OPTIONS_INIT, "options",
              [&](auto* s) { return idelta_network_compress(network.get(), s); });
  idelta_compress_options rank = IDELTA_COMPRESS_OPTIONS_INIT;
  rank.rank = 2;
  train();
  EXPECT_OK(idelta_network_compress(network.get(), &rank));
  expect_size(idelta_form_info_t IDELTA_FORM_INFO_INIT, "info", [&](auto* s) { return idelta_network_form(n, 0, s); });
  expect_size(idelta_predict_args IDELTA_PREDICT_ARGS_INIT, "args",
              [&](auto* s) { return idelta_network_predict(n, s); });
}

}  // namespace
}  // namespace idelta_test
