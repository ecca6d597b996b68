// Tails of int8 in a network's forms: what compress() gives them, what Forms refuses, and that a model file keeps every
// bit of them and shows every damaged one.
#include <algorithm>
#include <cmath>
#include <limits>

#include "nn/layer_factors.h"
#include "nn_model_file.h"
#include "support/low_rank.h"

namespace idelta_test {
namespace {

// n = 74; of random D whose singular values fall, but the last, which has rank 9.
nn::Network network_of(const idelta::Context& context, int64_t layers = 3) {
  nn::Network network(context, pattern_options(layers));
  const int64_t n = network.n();
  Random random(31);
  for (int64_t l = 0; l < layers; ++l) {
    const Matrix D(n, n);
    fill_spectrum(D, falling_spectrum(n, 0.3), random);
    std::vector<float> delta = elements(D);
    for (size_t i = 0; l + 1 == layers && i < delta.size(); ++i) {
      if (static_cast<int64_t>(i) % n < n - 9) delta[i] = 0;
    }
    network.set_layer(l, delta, std::vector<float>(static_cast<size_t>(n)));
  }
  return network;
}

std::shared_ptr<const nn::Forms> compressed(const nn::Network& network, const nn::CompressOptions& options) {
  return nn::compress(network, options, nn::Dataset());
}

constexpr idelta_tail kNone = IDELTA_TAIL_NONE, kInt8 = IDELTA_TAIL_INT8;

double certificate(const nn::Forms& forms, int64_t l) { return forms.packed(0, l)->info().certificate; }

// ---- What compress() makes -----------------------------------------------------------------------------------------

TEST(Tails, HoldWhatTheRankLeaves) {
  const nn::Network network = network_of(nn_context());
  const int64_t n = network.n();
  const auto without = compressed(network, {.rank = 12}), with = compressed(network, {.rank = 12, .tail = kInt8});
  EXPECT_EQ("rank 12 + int8", with->form(0).name);
  EXPECT_EQ(without->form(0).ranks, with->form(0).ranks);
  EXPECT_EQ((std::vector{kInt8, kInt8, kNone}), with->form(0).tails) << "U V is all of the last D";
  EXPECT_FALSE(with->layers()[2].tail.has_value());
  for (const int64_t l : {0, 1}) {
    EXPECT_LT(certificate(*with, l), certificate(*without, l) / 3);
    EXPECT_LT(with->layers()[size_t(l)].proofs[0].dropped, without->layers()[size_t(l)].proofs[0].dropped / 10);
    EXPECT_EQ(12, with->layers()[size_t(l)].tail->rank);
    std::vector<float> values(static_cast<size_t>(n * n));
    with->packed(0, l)->unpack(values.data(), n);
    const std::vector<float> D = network.delta(l);
    for (size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(D[i], values[i], 2e-3) << i;
  }
}

// U then reaches nothing of what is dropped, and a row's bound profits from its t.
TEST(Tails, VIsMadeOfWhatTheTailLeaves) {
  const nn::Network network = network_of(nn_context(), 2);
  const auto forms = compressed(network, {.rank = 12, .tail = kInt8});
  const idelta::LowRankProof& proof = forms->layers()[0].proofs[0];
  EXPECT_LT(proof.overlap, proof.dropped / 50);
  EXPECT_NE(forms->layers()[0].V, forms->layers()[0].tail->V);
}

// ||V R^T|| in fp64, by its Frobenius norm, which is at most sqrt(r) times as large.
TEST(Tails, ReverseOverlapIsABound) {
  const nn::Network network = network_of(nn_context(), 2);
  const auto forms = compressed(network, {.rank = 12, .tail = kInt8});
  const nn::Forms::Tail& tail = *forms->layers()[0].tail;
  const auto n = static_cast<size_t>(network.n());
  double squares = 0;
  for (size_t r = 0; r < 12; ++r) {
    for (size_t i = 0; i < n; ++i) {
      double sum = 0;
      for (size_t j = 0; j < n; ++j) sum += double(tail.V[r * n + j]) * double(tail.scales[j]) * tail.q[i * n + j];
      squares += sum * sum;
    }
  }
  EXPECT_GE(tail.reverse_overlap, std::sqrt(squares / 12));
  EXPECT_LE(tail.reverse_overlap, std::sqrt(squares) * 1.05);
}

TEST(Tails, AloneTheyAreFormatInt8) {
  const nn::Network network = network_of(nn_context());
  const int64_t n = network.n();
  const auto forms = compressed(network, {.tail = kInt8});
  EXPECT_EQ("int8", forms->form(0).name);
  EXPECT_EQ(std::vector<int64_t>(3, 0), forms->form(0).ranks);
  EXPECT_EQ(std::vector(3, kInt8), forms->form(0).tails);
  EXPECT_EQ(0.0, forms->form(0).multiplications(n));
  const std::vector<float> D = network.delta(1);
  idelta::DeltaOptions options = idelta::kDeltaOptions;
  options.format = IDELTA_FORMAT_INT8;
  const idelta::Delta int8(network.context(), n, D.data(), n, options);
  std::vector<float> x, expected(static_cast<size_t>(5 * n)), actual(expected);
  Random random(3);
  for (size_t i = 0; i < expected.size(); ++i) x.push_back(random.uniform(-1, 1));
  int8.forward({.m = 5, .x = x.data(), .ldx = n, .y = expected.data(), .ldy = n});
  forms->packed(0, 1)->forward({.m = 5, .x = x.data(), .ldx = n, .y = actual.data(), .ldy = n});
  EXPECT_EQ(expected, actual);
}

TEST(Tails, GoWithSigmaAndWithATolerance) {
  const nn::Network network = network_of(nn_context());
  const auto sigma = compressed(network, {.sigma = 0.1, .tail = kInt8});
  EXPECT_EQ("sigma 0.1 + int8", sigma->form(0).name);
  EXPECT_EQ(16, sigma->form(0).ranks[0]);
  EXPECT_EQ(kInt8, sigma->form(0).tails[0]);
  const double tolerance = 1.5 * certificate(*sigma, 0);
  const auto within = compressed(network, {.tolerance = tolerance, .tail = kInt8});
  EXPECT_LE(certificate(*within, 0), tolerance);
  EXPECT_GT(within->form(0).ranks[0], 0);
  EXPECT_EQ(nn::kDense, compressed(network, {.tolerance = tolerance})->form(0).ranks[0]) << "without a tail";
}

TEST(Tails, NothingIsLeftOfAnUntrainedNetwork) {
  nn::Network network(nn_context(), pattern_options(2));
  for (const nn::CompressOptions& options :
       {nn::CompressOptions{.tail = kInt8}, nn::CompressOptions{.rank = 4, .tail = kInt8}}) {
    const auto forms = compressed(network, options);
    EXPECT_EQ(std::vector<int64_t>(2, 0), forms->form(0).ranks);
    EXPECT_EQ(std::vector(2, kNone), forms->form(0).tails);
  }
}

TEST(Tails, SameBitsAtAnyThreadCount) {
  const auto one = compressed(network_of(nn_context(1)), {.rank = 8, .tail = kInt8});
  const auto two = compressed(network_of(nn_context(2)), {.rank = 8, .tail = kInt8});
  EXPECT_EQ(one->layers()[1].tail->q, two->layers()[1].tail->q);
  EXPECT_EQ(one->layers()[1].tail->scales, two->layers()[1].tail->scales);
  EXPECT_EQ(one->layers()[1].tail->V, two->layers()[1].tail->V);
}

TEST(Tails, TimeOfAFormGrowsWithItsTails) {
  const idelta::Context context = nn_context();
  const nn::Form none{"none", {16, 16}, {}}, one{"one", {16, 16}, {kInt8, kNone}},
      both{"both", {16, 16}, {kInt8, kInt8}}, dense{"dense", {-1, -1}, {}}, half{"half", {-1, 16}, {}};
  const auto time = [&](const nn::Form& form) { return nn::expected_time(context, form, 256); };
  EXPECT_EQ(1.0, time(dense));
  EXPECT_LT(time(none), time(one));
  EXPECT_LT(time(both), 1.0);
  EXPECT_DOUBLE_EQ((time(none) + time(both)) / 2, time(one));
  EXPECT_DOUBLE_EQ((time(none) + 1) / 2, time(half));
  EXPECT_EQ(none.multiplications(256), one.multiplications(256));
  EXPECT_EQ(time(one), nn::expected_time(nn_context(3), one, 256))
      << "what is chosen by it is the same for any threads";
}

// Two forms, of which the file names the slower one first.
TEST(Tails, TheFastestFormGoesFirst) {
  nn::Network network = network_of(nn_context());
  const auto with = compressed(network, {.rank = 20, .tail = kInt8}), without = compressed(network, {.rank = 20});
  std::vector<nn::Forms::Layer> layers = with->layers();
  for (size_t l = 0; l < layers.size(); ++l) layers[l].proofs.push_back(without->layers()[l].proofs[0]);
  network.set_forms(std::make_shared<const nn::Forms>(network.context(), network.n(), 1.0f,
                                                      std::vector{with->form(0), without->form(0)}, layers));
  EXPECT_EQ((std::vector<size_t>{1, 0}), network.forms()->fastest_first());
  EXPECT_EQ(nn::expected_time(network.context(), with->form(0), network.n()), network.forms()->time(0));
  const int64_t rows = 200;
  Random random(32);
  std::vector<float> images(static_cast<size_t>(rows * network.options().pixels()));
  for (float& pixel : images) pixel = random.uniform(0, 1);
  const nn::Predictions found = nn::predict(network, rows, images.data(), {.guarantee = true});
  EXPECT_EQ(nn::predict(network, rows, images.data()).labels, found.labels);
  EXPECT_EQ(rows, found.tried[1]);
  EXPECT_GT(found.settled[1], 0);
  EXPECT_GT(found.settled[0], 0) << "of those that the first left";
  EXPECT_EQ(rows, found.settled[0] + found.settled[1] + found.settled[2]);
}

// ---- What Forms refuses --------------------------------------------------------------------------------------------

// Two layers of width 4, forms {1 + tail, 0} and {2, dense}.
struct Parts {
  std::vector<nn::Form> forms = {{"one", {1, 0}, {kInt8, kNone}}, {"two", {2, nn::kDense}, {}}};
  std::vector<nn::Forms::Layer> layers;

  Parts() {
    const idelta::LowRankProof proof = IDELTA_LOW_RANK_PROOF_INIT;
    for (const int64_t rank : {2, 0}) {
      const std::vector<float> values(static_cast<size_t>(4 * rank), 0.25f);
      layers.push_back({rank, values, values, {1, 0.5, 1e-6}, {proof, proof}});
    }
    layers[0].tail = nn::Forms::Tail{1, std::vector<int8_t>(16, -63), std::vector<float>(4, 1e-3f),
                                     std::vector<float>(4, 0.25f), 1e-6};
  }
};

TEST(Tails, PartsThatDoNotAgreeAreNamed) {
  const idelta::Context context = nn_context();
  const auto refused = [&](const char* part, const auto& change) {
    Parts parts;
    change(parts);
    expect_error([&] { nn::Forms(context, 4, 1.0f, parts.forms, parts.layers); }, {part});
  };
  const Parts sound;
  const nn::Forms forms(context, 4, 1.0f, sound.forms, sound.layers);
  EXPECT_EQ(std::vector(2, kNone), forms.form(1).tails) << "programs may read them";
  refused("form 'one' has tails of 1 layers; give 2, or none", [](Parts& p) { p.forms[0].tails.pop_back(); });
  refused("'one' has a tail in layer 2, which has none", [](Parts& p) { p.forms[0].tails[1] = kInt8; });
  refused("tail in layer 1, whose tail belongs to rank 1", [](Parts& p) { p.forms[0].ranks[0] = 2; });
  refused("'two' has rank -1 and a tail in layer 2", [](Parts& p) {
    p.layers[1].tail = p.layers[0].tail;
    p.forms[1].tails = {kNone, kInt8};
  });
  refused("15 integers, 4 scales and 4 entries of V; give 16, 4 and 4",
          [](Parts& p) { p.layers[0].tail->q.pop_back(); });
  refused("3 scales", [](Parts& p) { p.layers[0].tail->scales.pop_back(); });
  refused("3 entries of V", [](Parts& p) { p.layers[0].tail->V.pop_back(); });
  refused("norm of the tail of layer 1 is -1", [](Parts& p) { p.layers[0].proofs[0].tail = -1; });
  refused("tail's reverse overlap of layer 1 is nan",
          [](Parts& p) { p.layers[0].tail->reverse_overlap = std::nan(""); });
  refused("-64 is not in -63 .. 63", [](Parts& p) { p.layers[0].tail->q[5] = -64; });
  refused("neither 0 nor a normal number", [](Parts& p) { p.layers[0].tail->scales[1] = -1; });
}

// Which of two forms is the more precise is not told by ranks where one has a tail. Those without are compared still.
TEST(Tails, RankMayFallWhereOneOfTwoFormsHasATail) {
  const idelta::Context context = nn_context();
  Parts parts;
  std::swap(parts.forms[0], parts.forms[1]);
  parts.forms[0].ranks[1] = 0;
  EXPECT_NO_THROW(nn::Forms(context, 4, 1.0f, parts.forms, parts.layers));
  parts.forms[1].tails.clear();
  expect_error([&] { nn::Forms(context, 4, 1.0f, parts.forms, parts.layers); }, {"lower rank than 'two'"});
}

// ---- set_compute ---------------------------------------------------------------------------------------------------

TEST(Tails, NetworkComputesWithThem) {
  nn::Network network = network_of(nn_context());
  network.set_compute(IDELTA_FORMAT_LOW_RANK, 8);
  const double without = network.packed(0).info().certificate;
  network.set_compute(IDELTA_FORMAT_LOW_RANK, 8, kInt8);
  EXPECT_EQ(kInt8, network.packed(0).info().tail);
  EXPECT_LT(network.packed(0).info().certificate, without);
  network.set_compute(IDELTA_FORMAT_LOW_RANK, 8);
  EXPECT_EQ(kNone, network.packed(0).info().tail);
  expect_error([&] { network.set_compute(IDELTA_FORMAT_F32, 0, kInt8); }, {"a tail in format f32", "only low_rank"});
}

// ---- Model files ---------------------------------------------------------------------------------------------------

class TailsInFiles : public ::testing::Test {
 protected:
  static constexpr int64_t kN = 74;

  nn::Network network() {
    nn::Network made = network_of(context_);
    made.set_forms(compressed(made, {.rank = 12, .tail = kInt8}));
    return made;
  }

  void expect_same_tails(const nn::Forms& a, const nn::Forms& b) {
    for (size_t l = 0; l < 3; ++l) {
      const auto &p = a.layers()[l].tail, &q = b.layers()[l].tail;
      ASSERT_EQ(p.has_value(), q.has_value());
      EXPECT_EQ(a.form(0).tails[l], b.form(0).tails[l]);
      EXPECT_EQ(a.layers()[l].proofs[0].tail, b.layers()[l].proofs[0].tail);
      if (!p) continue;
      EXPECT_EQ(p->rank, q->rank);
      EXPECT_EQ(p->q, q->q);
      EXPECT_EQ(p->scales, q->scales);
      EXPECT_EQ(p->V, q->V);
      EXPECT_EQ(p->reverse_overlap, q->reverse_overlap);
    }
  }

  // In the text of the forms, which is then sealed anew, `from` becomes `to`.
  void expect_refused(const std::string& from, const std::string& to, std::initializer_list<std::string> parts) {
    nn::save_model(path_, network());
    rewrite_metadata(
        path_, [&](Metadata& metadata) { replace_in_forms(metadata, from, to); }, /*sealed=*/true);
    expect_error([&] { nn::load_model(context_, path_); }, {path_, "damaged"});
    expect_error([&] { nn::load_model(context_, path_); }, parts);
  }

  idelta::Context context_ = nn_context();
  TemporaryFolder folder_;
  std::string path_ = folder_ / "model.safetensors";
};

TEST_F(TailsInFiles, RoundTripKeepsEveryBit) {
  const nn::Network saved = network();
  nn::save_model(path_, saved);
  const nn::SafetensorsFile file(path_);
  const auto& tensors = file.header().tensors;
  EXPECT_EQ((std::vector<int64_t>{kN, kN}), tensors.at("layers.0.tail").shape);
  EXPECT_EQ(nn::TensorType::kInt8, tensors.at("layers.0.tail").type);
  EXPECT_EQ((std::vector<int64_t>{kN}), tensors.at("layers.0.tail_scales").shape);
  EXPECT_EQ(0u, tensors.count("layers.2.tail"));
  for (const auto& [name, info] : tensors) {
    if (info.type != nn::TensorType::kFloat) continue;
    EXPECT_EQ(0u, info.begin % sizeof(float)) << name << " is not aligned";
  }
  const nn::Network loaded = nn::load_model(context_, path_);
  expect_same_tails(*saved.forms(), *loaded.forms());
  const nn::Dataset data = patterns(40, 6);
  EXPECT_EQ(nn::predict(saved, data, {.guarantee = true}).bounds,
            nn::predict(loaded, data, {.guarantee = true}).bounds);
  nn::save_model(folder_ / "again", loaded);
  EXPECT_EQ(read_bytes(path_), read_bytes(folder_ / "again"));
}

TEST_F(TailsInFiles, DroppedDenseComputesWithTails) {
  const nn::Network dense = network();
  nn::save_model(path_, dense, {.drop_dense = true});
  const nn::Network loaded = nn::load_model(context_, path_);
  EXPECT_FALSE(loaded.has_dense());
  EXPECT_EQ(kInt8, loaded.packed(0).info().tail);
  const nn::Dataset data = patterns(40, 6);
  EXPECT_EQ(nn::predict(dense, data, {.form = 0}).labels, nn::predict(loaded, data, {.form = 0}).labels);
  EXPECT_NO_THROW(nn::evaluate(loaded, data));
  nn::Network other = network_of(context_);
  nn::attach_forms(loaded, other);
  expect_same_tails(*dense.forms(), *other.forms());
}

// Where forms have tails, one that is dense in a layer may come before one that is not.
TEST_F(TailsInFiles, DroppedDenseKeepsDOfAnyFormThatMultipliesIt) {
  nn::Network dense = network();
  const nn::Form with = dense.forms()->form(0);
  const auto without = compressed(dense, {.rank = 12});
  std::vector<nn::Forms::Layer> layers = dense.forms()->layers();
  for (size_t l = 0; l < layers.size(); ++l) {
    layers[l].proofs.insert(layers[l].proofs.begin(), without->layers()[l].proofs[0]);
  }
  const std::vector<nn::Form> forms = {{"first dense", {nn::kDense, 12, with.ranks[2]}, {}}, with};
  dense.set_forms(std::make_shared<const nn::Forms>(context_, kN, dense.options().identity_scale, forms, layers));
  nn::save_model(path_, dense, {.drop_dense = true});
  EXPECT_EQ(1u, nn::SafetensorsFile(path_).header().tensors.count("layers.0.delta"));
  EXPECT_EQ(0u, nn::SafetensorsFile(path_).header().tensors.count("layers.1.delta"));
  const nn::Network loaded = nn::load_model(context_, path_);
  EXPECT_EQ(dense.delta(0), loaded.delta(0));
  const nn::Dataset data = patterns(40, 6);
  EXPECT_EQ(nn::predict(dense, data, {.form = 0}).labels, nn::predict(loaded, data, {.form = 0}).labels);
  nn::save_model(folder_ / "again", loaded);
  EXPECT_EQ(read_bytes(path_), read_bytes(folder_ / "again"));
}

TEST_F(TailsInFiles, OneChangedBitIsFound) {
  for (const char* const tensor : {"layers.0.tail", "layers.1.tail_scales", "layers.0.tail_V"}) {
    nn::save_model(path_, network());
    flip_bit(path_, tensor);
    expect_error([&] { nn::load_model(context_, path_); },
                 {path_, "the tail of layer", "damaged", "compress the dense"});
  }
}

// Under a hash that is right: only a program that wants to could write these.
TEST_F(TailsInFiles, TailsThatCannotBeAreRefused) {
  expect_refused(",\"tail\":0", ",\"x\":0", {"tensors", "promises"});
  expect_refused(",\"tail\":0", ",\"tail\":-0", {"norm of the tail of layer 1 is -"});
  expect_refused(",\"tail\":0", ",\"tail\":\"int8\",\"x\":0", {"'tail' is no number"});
  expect_refused("\"tail_reverse_overlap\"", "\"x\"", {"'tail_reverse_overlap' is missing"});
  expect_refused("\"tail_reverse_overlap\":", "\"tail_reverse_overlap\":-",
                 {"the tail's reverse overlap of layer 1 is -"});
  expect_refused(",\"tail\":\"", ",\"tail\":\"g", {"'tail' is no hash"});
  expect_refused("{\"rank\":12,\"dropped\"", "{\"rank\":11,\"dropped\"",
                 {"'layers.0.tail_V'", "r x n with n = 74 and r = 11"});
}

TEST_F(TailsInFiles, TruncatedFileIsAnErrorAtEveryLength) {
  nn::save_model(path_, network(), {.drop_dense = true});
  const Bytes whole = read_bytes(path_);
  for (size_t kept = 0; kept < whole.size(); kept += 997) {
    write_bytes(path_, Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(kept)));
    expect_error([&] { nn::load_model(context_, path_); }, {path_});
  }
}

}  // namespace
}  // namespace idelta_test
