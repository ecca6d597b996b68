// Model files of networks with forms: they come back to the bit, with D or without; whatever is damaged, does not
// belong together or cannot be is refused with the file, the layer and the mend.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <regex>

#include "nn_model_file.h"

namespace idelta_test {
namespace {

bool same_bits(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

class ModelForms : public ::testing::Test {
 protected:
  // A random network of n = 19 with D of rank 3, and forms of ranks 1 and 2 of it, the second dense in the last layer.
  nn::Network network(bool with_dense_layer = true) {
    nn::NetworkOptions options = pattern_options(3);
    options.height = 3;
    options.width = 5;
    options.classes = 4;
    options.identity_scale = 0.9f;
    nn::Network made(context_, options);
    Random random(3);
    for (int64_t l = 0; l < 3; ++l) {
      std::vector<float> delta(19 * 19), bias(19), u(3 * 19), v(3 * 19);
      for (std::vector<float>* values : {&bias, &u, &v}) {
        for (float& value : *values) value = random.uniform(-0.3f, 0.3f);
      }
      for (size_t i = 0; i < delta.size(); ++i) {
        for (size_t r = 0; r < 3; ++r) delta[i] += u[r * 19 + i / 19] * v[r * 19 + i % 19];
      }
      made.set_layer(l, delta, bias);
    }
    made.set_trained_with({"f32", ""});
    const std::shared_ptr<const nn::Forms> one = nn::compress(made, {.rank = 2}, {});
    std::vector<nn::Forms::Layer> layers = one->layers();
    for (nn::Forms::Layer& layer : layers) {
      layer.proofs.push_back(layer.proofs[0]);
      layer.proofs[0].dropped *= 1.0 + 1e-15;  // no two proofs are the same
    }
    const int64_t last = with_dense_layer ? nn::kDense : 2;
    made.set_forms(std::make_shared<const nn::Forms>(
        context_, 19, 0.9f, std::vector<nn::Form>{{"rank 1", {1, 1, 1}}, {"rank 2", {2, 2, last}}}, layers));
    return made;
  }

  void expect_same_forms(const nn::Forms& a, const nn::Forms& b) {
    ASSERT_EQ(a.count(), b.count());
    ASSERT_EQ(a.layers().size(), b.layers().size());
    for (size_t f = 0; f < a.count(); ++f) {
      EXPECT_EQ(a.form(f).name, b.form(f).name);
      EXPECT_EQ(a.form(f).ranks, b.form(f).ranks);
    }
    for (size_t l = 0; l < a.layers().size(); ++l) {
      const nn::Forms::Layer &p = a.layers()[l], &q = b.layers()[l];
      EXPECT_EQ(p.rank, q.rank);
      EXPECT_EQ(p.U, q.U);
      EXPECT_EQ(p.V, q.V);
      EXPECT_EQ(p.delta_hash, q.delta_hash);
      EXPECT_EQ(p.bias_hash, q.bias_hash);
      EXPECT_TRUE(same_bits(p.bounds.norm, q.bounds.norm));
      EXPECT_TRUE(same_bits(p.bounds.delta_norm, q.bounds.delta_norm));
      EXPECT_TRUE(same_bits(p.bounds.dense_error, q.bounds.dense_error));
      for (size_t f = 0; f < a.count(); ++f) {
        if (a.form(f).ranks[l] == nn::kDense) continue;
        EXPECT_TRUE(same_bits(p.proofs[f].dropped, q.proofs[f].dropped));
        EXPECT_TRUE(same_bits(p.proofs[f].departure, q.proofs[f].departure));
        EXPECT_TRUE(same_bits(p.proofs[f].overlap, q.proofs[f].overlap));
        EXPECT_TRUE(same_bits(p.proofs[f].reverse_overlap, q.proofs[f].reverse_overlap));
      }
    }
  }

  std::vector<float> output(const nn::Network& net) {
    const std::vector<float> image(15, 0.5f);
    std::vector<float> h0(19), out(19);
    net.pad(image, 1, h0.data());
    net.forward(1, h0.data(), std::vector<float*>(3, out.data()));
    return out;
  }

  // The saved file with one value of a tensor changed by a bit.
  void damage(const std::string& tensor) {
    nn::save_model(path_, network());
    flip_bit(path_, tensor);
  }

  // The saved file with other metadata, `forms` among them, under a hash that is right if `sealed`.
  void rewrite(const std::function<void(Metadata&)>& change, bool sealed = true) {
    nn::save_model(path_, network());
    rewrite_metadata(path_, change, sealed);
  }

  // In the text of the forms, `from` becomes `to`, which is refused.
  void expect_refused(const std::string& from, const std::string& to, std::initializer_list<std::string> parts) {
    rewrite([&](Metadata& metadata) { replace_in_forms(metadata, from, to); });
    expect_load_error(parts);
  }

  void expect_load_error(std::initializer_list<std::string> parts) {
    expect_error([&] { nn::load_model(context_, path_); }, {path_, "damaged"});
    expect_error([&] { nn::load_model(context_, path_); }, parts);
  }

  idelta::Context context_ = nn_context();
  TemporaryFolder folder_;
  std::string path_ = folder_ / "model.safetensors";
};

TEST_F(ModelForms, RoundTripKeepsEveryBit) {
  const nn::Network saved = network();
  nn::save_model(path_, saved);
  const nn::Network loaded = nn::load_model(context_, path_);
  ASSERT_NE(nullptr, loaded.forms());
  EXPECT_TRUE(loaded.has_dense());
  EXPECT_EQ("f32", loaded.trained_with().compute);
  expect_same_forms(*saved.forms(), *loaded.forms());
  for (int64_t l = 0; l < 3; ++l) EXPECT_EQ(saved.delta(l), loaded.delta(l));
  EXPECT_EQ(output(saved), output(loaded));
  nn::save_model(folder_ / "again", loaded);
  EXPECT_EQ(read_bytes(path_), read_bytes(folder_ / "again"));
}

TEST_F(ModelForms, FileWithoutFormsIsAsBefore) {
  nn::Network plain = network();
  plain.set_forms(nullptr);
  nn::save_model(path_, plain);
  nn::SafetensorsFile file(path_);
  EXPECT_EQ("1", file.header().metadata.at("version"));
  EXPECT_EQ(0u, file.header().metadata.count("forms"));
  EXPECT_EQ(6u, file.header().tensors.size());
  EXPECT_EQ(nullptr, nn::load_model(context_, path_).forms());
  expect_error([&] { nn::save_model(path_, plain, {.drop_dense = true}); }, {path_, "without forms", "compress it"});
}

TEST_F(ModelForms, DroppedDenseIsTheMostPreciseForm) {
  const nn::Network dense = network();
  nn::save_model(path_, dense, {.drop_dense = true});
  const nn::Network loaded = nn::load_model(context_, path_);
  EXPECT_FALSE(loaded.has_dense());
  EXPECT_EQ(IDELTA_FORMAT_LOW_RANK, loaded.compute());
  expect_same_forms(*dense.forms(), *loaded.forms());
  const nn::SafetensorsFile file(path_);
  const auto& tensors = file.header().tensors;
  EXPECT_EQ(0u, tensors.count("layers.0.delta") + tensors.count("layers.1.delta"));
  EXPECT_EQ(1u, tensors.count("layers.2.delta")) << "a form multiplies it";
  EXPECT_EQ(dense.delta(2), loaded.delta(2));

  std::vector<float> product(19 * 19);
  dense.forms()->packed(1, 0)->unpack(product.data(), 19);
  EXPECT_EQ(product, loaded.delta(0));
  EXPECT_NE(dense.delta(0), loaded.delta(0));
  const nn::Dataset image = {"one", 1, 3, 5, 4, std::vector<float>(15, 0.5f), {0}};
  const std::vector<uint8_t> label = nn::predict(dense, image, {.form = 1}).labels;
  EXPECT_EQ(label, nn::predict(loaded, image, {.form = 1}).labels);
  const std::vector<float> out = output(loaded);
  EXPECT_EQ(label[0], std::max_element(out.begin() + 15, out.end()) - (out.begin() + 15));

  nn::save_model(folder_ / "again", loaded);
  EXPECT_EQ(read_bytes(path_), read_bytes(folder_ / "again")) << "saved again it is still without D";
}

TEST_F(ModelForms, DroppedDenseGoesBackOntoItsNetworkOnly) {
  nn::Network dense = network();
  nn::save_model(path_, dense, {.drop_dense = true});
  const nn::Network loaded = nn::load_model(context_, path_);
  dense.set_forms(nullptr);
  nn::attach_forms(loaded, dense);
  EXPECT_EQ(loaded.forms(), dense.forms());
  std::vector<float> delta = dense.delta(1);
  delta[7] = std::nextafter(delta[7], 1.0f);
  dense.set_layer(1, delta, dense.bias(1));
  expect_error([&] { nn::attach_forms(loaded, dense); }, {"layer 2", "not the one that was compressed"});
  nn::Network other = nn::load_model(context_, path_);
  expect_error([&] { nn::attach_forms(loaded, other); }, {"dropped D"});
  expect_error([&] { nn::compress(loaded, {.rank = 1}, {}); }, {"dropped D"});
}

TEST_F(ModelForms, LayersOfADroppedNetworkMayChange) {
  nn::save_model(path_, network(), {.drop_dense = true});
  nn::Network loaded = nn::load_model(context_, path_);
  const std::vector<float> first = loaded.delta(0);
  std::vector<float> full(19 * 19), bias(19);
  Random random(5);
  for (float& v : full) v = random.uniform(-1, 1);
  loaded.set_layer(1, full, bias);
  EXPECT_EQ(nullptr, loaded.forms());
  EXPECT_TRUE(loaded.has_dense()) << "D of the others is what their factors gave";
  EXPECT_EQ(full, loaded.delta(1)) << "not truncated to the rank of the factors";
  EXPECT_EQ(first, loaded.delta(0));

  nn::Network trained = nn::load_model(context_, path_);
  nn::Dataset data = {"two", 2, 3, 5, 4, std::vector<float>(30, 0.5f), {0, 1}};
  nn::Trainer trainer(trained, data, {.epochs = 1, .batch = 2, .learning_rate = 0.1f});
  trainer.run();
  EXPECT_EQ(nullptr, trained.forms());
  EXPECT_TRUE(trained.has_dense());
  EXPECT_NE(first, trained.delta(0));
}

TEST_F(ModelForms, RankZeroIsATensorWithoutValues) {
  for (const bool drop_dense : {false, true}) {
    nn::Network untrained(context_, pattern_options(2));
    untrained.set_forms(nn::compress(untrained, {.rank = 4}, {}));
    nn::save_model(path_, untrained, {.drop_dense = drop_dense});
    EXPECT_EQ((std::vector<int64_t>{74, 0}), nn::SafetensorsFile(path_).header().tensors.at("layers.0.U").shape);
    const nn::Network loaded = nn::load_model(context_, path_);
    EXPECT_EQ(!drop_dense, loaded.has_dense());
    EXPECT_EQ(0, loaded.forms()->layers()[1].rank);
    EXPECT_EQ(std::vector<float>(74 * 74), loaded.delta(1));
    const nn::Dataset data = patterns(9, 1);
    EXPECT_EQ(nn::predict(untrained, data).labels, nn::predict(loaded, data, {.form = 0}).labels);
    EXPECT_NO_THROW(nn::evaluate(loaded, data));
  }
}

TEST_F(ModelForms, OneChangedBitOfAnyTensorIsFound) {
  const std::map<std::string, std::string> what = {{"layers.0.delta", "D of layer 1"},
                                                   {"layers.1.bias", "the bias of layer 2"},
                                                   {"layers.2.U", "U or V of layer 3"},
                                                   {"layers.1.V", "U or V of layer 2"}};
  for (const auto& [tensor, sentence] : what) {
    damage(tensor);
    expect_load_error({sentence, "not what the forms were saved with", "compress the dense model again"});
  }
}

TEST_F(ModelForms, ChangedMetadataIsFound) {
  const auto changed = [&](const char* key, const char* value) {
    rewrite([&](Metadata& metadata) { metadata[key] = value; }, /*sealed=*/false);
    expect_load_error({"its metadata is not what was saved", "compress the dense model again"});
  };
  changed("identity_scale", "0.8");
  changed("activation", "relu");
  changed("slope", "0.2");
  changed("class_padding", "0.1");
  changed("hash", "0123456789abcdef");
  rewrite([](auto& metadata) { metadata["forms"].replace(metadata["forms"].find("\"dropped\":") + 10, 1, "1"); },
          false);
  expect_load_error({"its metadata is not what was saved"});
  rewrite([](auto& metadata) { metadata.erase("hash"); }, false);
  expect_error([&] { nn::load_model(context_, path_); }, {path_, "no 'hash'"});
  rewrite([](auto& metadata) { metadata["version"] = "1"; });
  expect_error([&] { nn::load_model(context_, path_); }, {path_, "version '1'", "only '2'"});
  rewrite([](auto& metadata) { metadata.erase("forms"); });
  expect_error([&] { nn::load_model(context_, path_); }, {path_, "version '2'", "only '1'"});
}

// Under a hash that is right: only a program that wants to could write these.
TEST_F(ModelForms, FormsThatCannotBeAreRefused) {
  EXPECT_NO_THROW(rewrite([](auto&) {}); nn::load_model(context_, path_));
  expect_refused("{\"version\":1", "\"version\":1", {"not JSON"});
  rewrite([](Metadata& metadata) { metadata["forms"] += std::string("\0garbage", 8); });
  expect_load_error({"NUL"});
  expect_refused("\"version\":1", "\"version\":0", {"version is 0"});
  expect_refused("\"version\":1", "\"version\":1.0", {"'version' is no whole number"});
  expect_refused("[\"rank 1\",\"rank 2\"]", "[]", {"'names' is no list of 1 to 8"});
  expect_refused("[\"rank 1\",\"rank 2\"]", "[1,2,3,4,5,6,7,8,9]", {"'names' is no list of 1 to 8"});
  expect_refused("[\"rank 1\",", "[1,", {"'name' is no text"});
  expect_refused("[\"rank 1\",", "[\"\\u001b[2J\",", {"no short plain text"});
  expect_refused("[\"rank 1\",", "[", {"'forms' is no list of 1"});
  expect_refused("\"layers\":[{", "\"layers\":[{},{", {"'layers' is no list of 3"});
  expect_refused("\"rank\":2", "\"rank\":20", {"factors of rank 20; give 0 to 19"});
  expect_refused("\"rank\":2", "\"rank\":-2", {"factors of rank -2"});
  expect_refused("\"rank\":2", "\"rank\":18446744073709551615", {"'rank' is 18446744073709551615"});
  expect_refused("\"rank\":2", "\"rank\":\"2\"", {"'rank' is no whole number"});
  expect_refused("\"rank\":2", "\"rank\":3", {"'layers.0.U'", "[19, 2]", "n x r with n = 19 and r = 3"});
  expect_refused("{\"rank\":1", "{\"rank\":3", {"rank 3 in layer 1; give 0 to 2"});
  expect_refused("{\"rank\":1", "{\"rank\":-1", {"'rank' is -1"});
  expect_refused("\"norm\":", "\"norm\":-", {"the norm of layer 1 is -"});
  expect_refused("\"delta_norm\":", "\"delta_norm\":null,\"x\":", {"'delta_norm' is no number"});
  expect_refused("\"dropped\":", "\"dropped\":1e999,\"x\":", {"not JSON"});
  expect_refused("\"departure\":", "\"departure\":-1,\"x\":", {"the departure of layer 1 is -1"});
  expect_refused("\"overlap\":", "\"x\":", {"'overlap' is missing"});
  expect_refused("\"reverse_overlap\":", "\"x\":", {"'reverse_overlap' is missing"});
  expect_refused("\"has_delta\":true", "\"has_delta\":1", {"'has_delta' is neither true nor false"});
  expect_refused("\"has_delta\":true", "\"has_delta\":false", {"holds 12 tensors", "promises 11"});
  expect_refused("\"delta\":\"", "\"delta\":\"g", {"'delta' is no hash"});
  expect_refused("{\"version\"", "{\"x\":[[[[[[[[]]]]]]]],\"version\"", {"nests deeper"});
  expect_refused("{\"version\"", "{\"x\":\"" + std::string(20000, ' ') + "\",\"version\"", {"too long"});
}

// Such files are sound: the mend is another than for damaged ones.
TEST_F(ModelForms, FormsOfOtherVersionsAreNotCalledDamaged) {
  const auto says = [&](const char* who) {
    try {
      nn::load_model(context_, path_);
      ADD_FAILURE() << "was read";
    } catch (const std::exception& e) {
      const std::string text = e.what();
      for (const char* part : {path_.c_str(), who, "idelta compress"}) {
        EXPECT_NE(text.find(part), std::string::npos) << text;
      }
      EXPECT_EQ(text.find("damaged"), std::string::npos) << text;
    }
  };
  // Before 0.2 was finished, reverse_overlap was not measured.
  rewrite([](auto& metadata) {
    metadata["forms"] = std::regex_replace(metadata["forms"], std::regex(",\"reverse_overlap\":[^}]*"), "");
  });
  says("an older idelta");
  rewrite([](auto& metadata) { metadata["forms"].replace(metadata["forms"].find("\"version\":1") + 10, 1, "2"); });
  says("a newer idelta");
  rewrite([](auto& metadata) { metadata["version"] = "3"; });
  expect_error([&] { nn::load_model(context_, path_); }, {path_, "a newer idelta", "version 3", "update idelta"});
}

TEST_F(ModelForms, DenseLayerThatWasDroppedIsRefused) {
  rewrite([](auto& metadata) {
    std::string& text = metadata["forms"];
    text.replace(text.rfind("\"has_delta\":true"), 16, "\"has_delta\":false");
  });
  expect_load_error({"layer 3 is dense, but its D is said to be dropped"});
}

TEST_F(ModelForms, ManyLayersInTheMetadataTakeNoMemory) {
  rewrite([](auto& metadata) { metadata["layers"] = "9000000000000000000"; });
  expect_load_error({"'layers' is no list of 9000000000000000000"});
  rewrite([](auto& metadata) { metadata["layers"] = "-1"; });
  expect_load_error({"-1 layers"});
}

TEST_F(ModelForms, TruncatedFileIsAnErrorAtEveryLength) {
  nn::save_model(path_, network(), {.drop_dense = true});
  const Bytes whole = read_bytes(path_);
  for (size_t kept = 0; kept < whole.size(); kept += 97) {
    write_bytes(path_, Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(kept)));
    expect_error([&] { nn::load_model(context_, path_); }, {path_});
  }
}

TEST_F(ModelForms, FormsOfOtherParametersAreNotSaved) {
  nn::Network one = network(), other = network();
  std::vector<float> delta = other.delta(1);
  delta[0] += 1;
  other.set_layer(1, delta, other.bias(1));
  other.set_forms(nn::compress(other, {.rank = 2}, {}));
  const nn::Network& donor = other;
  nn::Network mixed = network();
  mixed.set_forms(std::make_shared<const nn::Forms>(context_, 19, 0.9f, std::vector<nn::Form>{donor.forms()->form(0)},
                                                    donor.forms()->layers()));
  expect_error([&] { nn::save_model(path_, mixed); }, {path_, "other parameters in layer 2", "compress it again"});
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST(Hash, EveryWordAndItsPlaceCount) {
  const std::vector<float> values = {1, 2, 3};
  EXPECT_EQ(nn::hash_of(values), nn::hash_of(std::vector<float>{1, 2, 3}));
  EXPECT_NE(nn::hash_of(values), nn::hash_of(std::vector<float>{2, 1, 3}));
  EXPECT_NE(nn::hash_of(values), nn::hash_of(std::vector<float>{1, 2}));
  EXPECT_NE(nn::hash_of(std::vector<float>{0.0f}), nn::hash_of(std::vector<float>{-0.0f}));
  EXPECT_EQ("00000000000000ff", nn::hex(255));
  EXPECT_NE(nn::metadata_hash({{"a", "bc"}}), nn::metadata_hash({{"ab", "c"}}));
  EXPECT_EQ(nn::metadata_hash({{"a", "b"}}), nn::metadata_hash({{"a", "b"}, {"hash", "c"}}));
}

}  // namespace
}  // namespace idelta_test
