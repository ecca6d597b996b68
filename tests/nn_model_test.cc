// Model files: networks come back to the bit, foreign and damaged files are refused, a failed save harms nothing.
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "nn/safetensors.h"
#include "nn_support.h"

namespace idelta_test {
namespace {

nn::NetworkOptions odd_options() {
  nn::NetworkOptions options = pattern_options(3);
  options.height = 3;
  options.width = 5;
  options.classes = 4;
  options.identity_scale = 0.1f;  // no float prints shorter without losing bits than these
  options.class_padding = 1.0f / 3.0f;
  options.activation = {IDELTA_ACTIVATION_LEAKY_RELU, 0.01f};
  return options;
}

bool same(std::span<const float> l, std::span<const float> r) {
  return std::equal(l.begin(), l.end(), r.begin(), r.end());
}

class Model : public ::testing::Test {
 protected:
  // A model file of a 1 x 1 network of two classes with one thing changed.
  void expect_load_error(const std::map<std::string, std::string>& changed, std::initializer_list<std::string> parts,
                         std::vector<int64_t> delta_shape = {3, 3}, float value = 0.0f) {
    std::map<std::string, std::string> metadata = {{"format", "idelta-mlp"}, {"version", "1"}, {"layers", "1"},
                                                   {"height", "1"},          {"width", "1"},   {"classes", "2"},
                                                   {"identity_scale", "1"},  {"slope", "0"},   {"class_padding", "0"},
                                                   {"activation", "tanh"}};
    for (const auto& [key, text] : changed) {
      if (text.empty()) {
        metadata.erase(key);
      } else {
        metadata[key] = text;
      }
    }
    int64_t area = 1;
    for (const int64_t size : delta_shape) area *= size;
    const std::vector<float> delta(static_cast<size_t>(area)), bias = {0, value, 0};
    nn::write_safetensors(path_, metadata, {{"layers.0.delta", delta_shape, delta}, {"layers.0.bias", {3}, bias}});
    if (parts.size() == 0) {
      EXPECT_NO_THROW(nn::load_model(context_, path_));
      return;
    }
    expect_error([&] { nn::load_model(context_, path_); }, {path_});
    expect_error([&] { nn::load_model(context_, path_); }, parts);
  }

  idelta::Context context_ = nn_context();
  TemporaryFolder folder_;
  std::string path_ = folder_ / "model.safetensors";
};

// A loaded network packs each layer once, not zeros first: as many of the caller's parallel loops as a new one takes.
TEST_F(Model, LoadingPacksEachLayerOnce) {
  int64_t loops = 0;
  idelta::ContextOptions counting = idelta::kContextOptions;
  counting.threads = 2;
  counting.parallel_for_user = &loops;
  counting.parallel_for = [](void* count, int64_t ntasks, void (*task)(void*, int64_t), void* arg) {
    ++*static_cast<int64_t*>(count);
    for (int64_t i = 0; i < ntasks; ++i) task(arg, i);
  };
  const idelta::Context context(counting);
  nn::NetworkOptions options = odd_options();
  options.width = 60;
  nn::Network fresh(context, options);
  const int64_t once = loops;
  ASSERT_GT(once, 0) << "packs that make no loops prove nothing";
  nn::save_model(path_, fresh);
  loops = 0;
  nn::load_model(context, path_);
  EXPECT_EQ(once, loops);

  randomise(fresh, 7);
  fresh.set_forms(nn::compress(fresh, {.rank = 16}, {}));
  ASSERT_EQ(1u, fresh.forms()->count());
  nn::save_model(path_, fresh);
  loops = 0;
  const nn::Forms again(context, fresh.n(), options.identity_scale, {fresh.forms()->form(0)}, fresh.forms()->layers());
  const int64_t forms_once = loops;
  loops = 0;
  nn::load_model(context, path_);
  EXPECT_EQ(once + forms_once, loops) << "with forms";
}

TEST_F(Model, RoundTripKeepsEveryBit) {
  nn::Network network(context_, odd_options());
  randomise(network, 7, 0.3f);
  nn::save_model(path_, network);
  const nn::Network loaded = nn::load_model(context_, path_);

  const nn::NetworkOptions &a = network.options(), &b = loaded.options();
  EXPECT_EQ(a.layers, b.layers);
  EXPECT_EQ(a.height, b.height);
  EXPECT_EQ(a.width, b.width);
  EXPECT_EQ(a.classes, b.classes);
  EXPECT_EQ(a.identity_scale, b.identity_scale);
  EXPECT_EQ(a.class_padding, b.class_padding);
  EXPECT_EQ(a.activation.kind, b.activation.kind);
  EXPECT_EQ(a.activation.slope, b.activation.slope);
  for (int64_t l = 0; l < network.layers(); ++l) {
    EXPECT_TRUE(same(network.delta(l), loaded.delta(l))) << l;
    EXPECT_TRUE(same(network.bias(l), loaded.bias(l))) << l;
  }
}

TEST_F(Model, HowItWasTrainedIsKeptAndOldFilesLoadWithout) {
  nn::Network network(context_, odd_options());
  nn::save_model(path_, network);
  EXPECT_EQ(0u, nn::SafetensorsFile(path_).header().metadata.count("compute"));
  EXPECT_EQ("", nn::load_model(context_, path_).trained_with().compute);
  EXPECT_EQ("", nn::load_model(context_, path_).trained_with().bf16_product);
  network.set_trained_with({"bf16", "rounded"});
  nn::save_model(path_, network);
  EXPECT_EQ("bf16", nn::load_model(context_, path_).trained_with().compute);
  EXPECT_EQ("rounded", nn::load_model(context_, path_).trained_with().bf16_product);
}

// One bit of any number, in the middle of every tensor.
TEST_F(Model, DamagedNumberIsFoundAndItsLayerNamed) {
  nn::Network network(context_, odd_options());
  randomise(network, 7, 0.3f);
  nn::save_model(path_, network);
  const Bytes whole = read_bytes(path_);
  const nn::SafetensorsFile file(path_);
  uint64_t header = 0;
  std::memcpy(&header, whole.data(), sizeof header);
  for (const auto& [name, tensor] : file.header().tensors) {
    Bytes damaged = whole;
    damaged[8 + header + (tensor.begin + tensor.end) / 2] ^= 1;
    write_bytes(path_, damaged);
    // layers.<l>.delta
    const std::string layer = "layer " + std::to_string(name[7] - '0' + 1);
    expect_error([&] { nn::load_model(context_, path_); }, {path_, layer, "damaged", "copy it again"});
  }
}

TEST_F(Model, EditedMetadataIsFound) {
  nn::Network network(context_, odd_options());
  nn::save_model(path_, network);
  const Bytes whole = read_bytes(path_);
  const auto load_with = [&](const std::string& from, const std::string& to) {
    Bytes edited = whole;
    const auto found = std::search(edited.begin(), edited.end(), from.begin(), from.end());
    ASSERT_NE(edited.end(), found) << from;
    std::copy(to.begin(), to.end(), found);
    write_bytes(path_, edited);
    nn::load_model(context_, path_);
  };
  expect_error([&] { load_with("\"slope\":\"0.01\"", "\"slope\":\"0.02\""); }, {path_, "metadata", "damaged"});
  expect_error([&] { load_with("\"layer_hashes\"", "\"layer_hushes\""); }, {path_, "metadata", "damaged"});
  expect_error([&] { load_with("\"hash\"", "\"hush\""); }, {path_, "no 'hash'"});
  EXPECT_NO_THROW(load_with("\"hash\"", "\"hash\""));
}

TEST_F(Model, LoadedNetworkComputesTheSame) {
  nn::Network network(context_, odd_options());
  randomise(network, 8, 0.3f);
  nn::save_model(path_, network);
  const nn::Network loaded = nn::load_model(context_, path_);
  const std::vector<float> image(15, 0.5f);
  std::vector<float> h0(19), out(19), again(19);
  network.pad(image, 1, h0.data());
  network.forward(1, h0.data(), std::vector<float*>(3, out.data()));
  loaded.forward(1, h0.data(), std::vector<float*>(3, again.data()));
  EXPECT_NE(h0, out);
  EXPECT_EQ(out, again);
}

TEST_F(Model, ForeignMetadataIsNamed) {
  expect_load_error({}, {});  // the file that the rest damages is sound
  expect_load_error({{"format", ""}}, {"no 'format'", "no model that idelta saved"});
  expect_load_error({{"format", "pt"}}, {"format 'pt'", "idelta-mlp"});
  expect_load_error({{"version", "2"}}, {"version '2'"});
  expect_load_error({{"activation", "gelu"}}, {"activation 'gelu'"});
  for (const char* key : {"layers", "height", "width", "classes", "identity_scale", "slope", "class_padding"}) {
    expect_load_error({{key, ""}}, {std::string("no '") + key + "'"});
    expect_load_error({{key, "1x"}}, {key, "'1x'"});
    expect_load_error({{key, " 1"}}, {key, "' 1'"});
  }
  expect_load_error({{"identity_scale", "nan"}}, {"identity_scale is nan"});
  expect_load_error({{"class_padding", "inf"}}, {"class_padding is inf"});
}

TEST_F(Model, SizesMustAgreeWithTheTensors) {
  expect_load_error({{"layers", "2"}}, {"holds 2 tensors", "2 layers of two"});
  expect_load_error({{"layers", "0"}}, {"0 layers"});
  expect_load_error({{"layers", "-1"}}, {"-1 layers"});
  expect_load_error({{"layers", "9223372036854775807"}}, {"9223372036854775807 layers"});
  expect_load_error({{"classes", "3"}}, {"'layers.0.delta'", "[3, 3]", "n = 4"});
  expect_load_error({{"height", "0"}}, {"0 x 1"});
  expect_load_error({{"height", "9223372036854775807"}, {"width", "3"}}, {"9223372036854775807 x 3"});
  expect_load_error({}, {"'layers.0.delta'", "[9]", "n x n"}, {9});
  expect_load_error({}, {"'layers.0.delta'", "[3, 4]"}, {3, 4});
}

TEST_F(Model, MissingTensorIsNamed) {
  const std::vector<float> values(12);
  nn::Network network(context_, odd_options());
  nn::save_model(path_, network);
  Bytes bytes = read_bytes(path_);
  const std::string name = "layers.1.bias";
  const auto found = std::search(bytes.begin(), bytes.end(), name.begin(), name.end());
  ASSERT_NE(bytes.end(), found);
  found[7] = '7';
  write_bytes(path_, bytes);
  expect_error([&] { nn::load_model(context_, path_); }, {path_, "no tensor 'layers.1.bias'"});
}

TEST_F(Model, TruncatedFileIsAnErrorAtEveryLength) {
  nn::Network network(context_, odd_options());
  nn::save_model(path_, network);
  const Bytes whole = read_bytes(path_);
  for (size_t kept = 0; kept < whole.size(); kept += 97) {
    write_bytes(path_, Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(kept)));
    expect_error([&] { nn::load_model(context_, path_); }, {path_});
  }
}

TEST_F(Model, ValuesThatAreNotFiniteAreRefusedBothWays) {
  expect_load_error({}, {"'layers.0.bias'", "not finite at entry 1"}, {3, 3}, std::nanf(""));
  expect_load_error({}, {"'layers.0.bias'", "not finite"}, {3, 3}, std::numeric_limits<float>::infinity());

  nn::Network network(context_, odd_options());
  std::vector<float> delta(19 * 19), bias(19);
  delta[20] = std::nanf("");
  network.set_layer(1, delta, bias);
  expect_error([&] { nn::save_model(folder_ / "new", network); }, {"'layers.1.delta'", "not finite at entry 20"});
  EXPECT_FALSE(std::filesystem::exists(folder_ / "new"));
}

// A disk that fills up, as a limit on the size of files: the write fails half way.
TEST_F(Model, SaveThatFailsHalfWayLeavesTheOldFileWhole) {
  nn::Network old_network(context_, odd_options()), network(context_, odd_options());
  randomise(network, 9);
  nn::save_model(path_, old_network);
  const Bytes before = read_bytes(path_);

  rlimit limit = {};
  ASSERT_EQ(0, getrlimit(RLIMIT_FSIZE, &limit));
  rlimit small = limit;
  small.rlim_cur = before.size() / 2;
  ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &small));
  expect_error([&] { nn::save_model(path_, network); }, {path_, "cannot be written", "File too large", "as it was"});
  ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));

  EXPECT_EQ(before, read_bytes(path_));
  EXPECT_EQ(1u, folder_.entries()) << "the temporary file stayed";
  nn::save_model(path_, network);
  EXPECT_NE(before, read_bytes(path_));
}

TEST_F(Model, SaveThatCannotBeginSaysWhyAndLeavesNothing) {
  nn::Network network(context_, odd_options());
  expect_error([&] { nn::save_model(folder_ / "none/model", network); }, {folder_ / "none", "does not exist"});
  std::filesystem::create_directory(path_);
  expect_error([&] { nn::save_model(path_, network); }, {path_, "is a folder"});
  expect_error([&] { nn::save_model(folder_.path() + "/", network); }, {"names no file"});
  EXPECT_EQ(1u, folder_.entries());
}

}  // namespace
}  // namespace idelta_test
