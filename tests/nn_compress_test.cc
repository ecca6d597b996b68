// Forms of a network: their ranks are what was asked for, their factors are prefixes of each other, what was proved
// holds, the choice is the cheapest, and a network never keeps forms of a D that it no longer has.
#include <algorithm>
#include <cmath>
#include <limits>

#include "nn/choose_forms.h"
#include "nn/layer_factors.h"
#include "nn_support.h"

namespace idelta_test {
namespace {

// A trained network of n = 74, whose D fall off like those of large ones.
nn::Network trained(const idelta::Context& context, int64_t layers = 3, float identity_scale = 1.0f) {
  nn::NetworkOptions options = pattern_options(layers);
  options.identity_scale = identity_scale;
  nn::Network network(context, options);
  const nn::Dataset data = patterns(400, 1);
  nn::TrainOptions how;
  how.epochs = 3;
  how.batch = 32;
  how.learning_rate = 0.02f;
  nn::Trainer(network, data, how).run();
  return network;
}

// With a tail of singular values besides, so that candidates differ in more than a panel's width.
nn::Network with_tail(const idelta::Context& context) {
  nn::Network network = trained(context);
  Random random(11);
  for (int64_t l = 0; l < network.layers(); ++l) {
    std::vector<float> delta = network.delta(l);
    for (float& v : delta) v += random.uniform(-0.006f, 0.006f);
    network.set_layer(l, delta, network.bias(l));
  }
  return network;
}

std::shared_ptr<const nn::Forms> compressed(const nn::Network& network, const nn::CompressOptions& options) {
  return nn::compress(network, options, nn::Dataset());
}

double certificate(const nn::Forms& forms, size_t f, size_t l) {
  const idelta::Delta* const packed = forms.packed(f, static_cast<int64_t>(l));
  return packed ? packed->info().certificate : forms.layers()[l].bounds.dense_error;
}

// Parts of which Forms can be made: two layers of width 4, forms of ranks {1, 0} and {2, dense}.
struct Parts {
  std::vector<nn::Form> forms = {{"one", {1, 0}}, {"two", {2, nn::kDense}}};
  std::vector<nn::Forms::Layer> layers;

  Parts() {
    const idelta::LowRankProof proof = IDELTA_LOW_RANK_PROOF_INIT;
    for (const int64_t rank : {2, 0}) {
      const std::vector<float> values(static_cast<size_t>(4 * rank), 0.25f);
      layers.push_back({rank, values, values, {1, 0.5, 1e-6}, {proof, proof}});
    }
  }
};

TEST(Forms, PrefixOfTheFactorsIsTheFormOfThatRank) {
  const idelta::Context context = nn_context();
  const nn::Network network = trained(context);
  const int64_t n = network.n();
  const std::shared_ptr<const nn::Forms> wide = compressed(network, {.rank = 24});
  std::vector<nn::Forms::Layer> layers = wide->layers();
  const std::vector<nn::Form> both = {{"few", {5, 9, 4}}, wide->form(0)};
  for (nn::Forms::Layer& layer : layers) layer.proofs.push_back(layer.proofs[0]);
  const nn::Forms forms(context, n, 1.0f, both, layers);
  for (size_t l = 0; l < layers.size(); ++l) {
    const int64_t rank = both[0].ranks[l], R = layers[l].rank;
    ASSERT_GT(R, rank);
    std::vector<float> U(static_cast<size_t>(n * rank)), V(U.size());
    forms.packed(0, static_cast<int64_t>(l))->unpack_factors(U.data(), rank, V.data(), n);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t r = 0; r < rank; ++r) {
        EXPECT_EQ(layers[l].U[static_cast<size_t>(i * R + r)], U[static_cast<size_t>(i * rank + r)]);
        EXPECT_EQ(layers[l].V[static_cast<size_t>(r * n + i)], V[static_cast<size_t>(r * n + i)]);
      }
    }
    // And it is computed: x U V + x of a unit vector is a row of the product.
    std::vector<float> x(static_cast<size_t>(n)), y(x.size());
    x[3] = 1;
    forms.packed(0, static_cast<int64_t>(l))->forward({.m = 1, .x = x.data(), .ldx = n, .y = y.data(), .ldy = n});
    for (int64_t j = 0; j < n; ++j) {
      double sum = x[static_cast<size_t>(j)];
      for (int64_t r = 0; r < rank; ++r) {
        sum += double(U[static_cast<size_t>(3 * rank + r)]) * V[static_cast<size_t>(r * n + j)];
      }
      EXPECT_NEAR(sum, y[static_cast<size_t>(j)], 1e-6);
    }
  }
}

TEST(Forms, PartsThatDoNotAgreeAreNamed) {
  const idelta::Context context = nn_context();
  const auto refused = [&](const char* part, const auto& change) {
    Parts parts;
    change(parts);
    expect_error([&] { nn::Forms(context, 4, 1.0f, parts.forms, parts.layers); }, {"forms: ", part});
  };
  const Parts sound;
  EXPECT_NO_THROW(nn::Forms(context, 4, 1.0f, sound.forms, sound.layers));
  refused("0 of them; give 1 to 8", [](Parts& p) { p.forms.clear(); });
  refused("9 of them", [](Parts& p) { p.forms.resize(9, p.forms[0]); });
  refused("no layers", [](Parts& p) { p.layers.clear(); });
  refused("form 'one' has ranks of 1 layers; give 2", [](Parts& p) { p.forms[0].ranks.pop_back(); });
  refused("rank 3 in layer 1; give 0 to 2", [](Parts& p) { p.forms[1].ranks[0] = 3; });
  refused("rank -2 in layer 1", [](Parts& p) { p.forms[0].ranks[0] = -2; });
  refused("'two' has a lower rank than 'one'", [](Parts& p) { p.forms[0].ranks[0] = nn::kDense; });
  refused("in layer 1 form 'two' has a lower rank", [](Parts& p) { p.forms[1].ranks[0] = 0; });
  refused("factors of rank 5; give 0 to 4", [](Parts& p) { p.layers[0].rank = 5; });
  refused("layer 2 has 1 proofs", [](Parts& p) { p.layers[1].proofs.pop_back(); });
  refused("U and V of layer 1 have 8 and 7", [](Parts& p) { p.layers[0].V.pop_back(); });
  refused("norm of layer 1 is -1", [](Parts& p) { p.layers[0].bounds.norm = -1; });
  refused("norm of D of layer 2 is nan", [](Parts& p) { p.layers[1].bounds.delta_norm = std::nan(""); });
  refused("dense certificate of layer 2 is inf", [](Parts& p) { p.layers[1].bounds.dense_error = HUGE_VAL; });
  refused("dropped of layer 1 is -1", [](Parts& p) { p.layers[0].proofs[1].dropped = -1; });
  refused("departure of layer 2 is nan", [](Parts& p) { p.layers[1].proofs[0].departure = std::nan(""); });
  refused("overlap of layer 1 is inf", [](Parts& p) { p.layers[0].proofs[0].overlap = HUGE_VAL; });
  refused("reverse overlap of layer 1 is -1", [](Parts& p) { p.layers[0].proofs[0].reverse_overlap = -1; });
}

TEST(Forms, MultiplicationsAreASharePerLayer) {
  EXPECT_EQ(0.75, (nn::Form{"half", {10, nn::kDense}}).multiplications(40));
  EXPECT_EQ(0.0, (nn::Form{"none", {0}}).multiplications(40));
}

TEST(Compress, RankIsTheOneAskedForOrWhatThereIs) {
  const nn::Network network = trained(nn_context());
  const std::shared_ptr<const nn::Forms> forms = compressed(network, {.rank = 12});
  EXPECT_EQ("rank 12", forms->form(0).name);
  EXPECT_EQ((std::vector<int64_t>{12, 12, 9}), forms->form(0).ranks) << "only class columns of the last D are trained";
  EXPECT_EQ(12, forms->layers()[0].rank);
  // 2 * 27 = 54 of 74 is below three quarters, 2 * 28 is not.
  EXPECT_EQ(27, compressed(network, {.rank = 27})->form(0).ranks[0]);
  const std::shared_ptr<const nn::Forms> large = compressed(network, {.rank = 28});
  EXPECT_EQ((std::vector<int64_t>{nn::kDense, nn::kDense, 9}), large->form(0).ranks);
  EXPECT_EQ(0, large->layers()[0].rank) << "a dense layer keeps no factors";
  EXPECT_EQ(nullptr, large->packed(0, 0));
}

TEST(Compress, SigmaKeepsWhatIsAboveIt) {
  const nn::Network network = trained(nn_context());
  const std::vector<double> sigma = nn::factors_of_rank(network, network.delta(0), 33).sigma;
  EXPECT_TRUE(std::is_sorted(sigma.rbegin(), sigma.rend()));
  const double between = (sigma[19] + sigma[20]) / 2;
  EXPECT_EQ(20, compressed(network, {.sigma = between})->form(0).ranks[0]);
  EXPECT_EQ(16, compressed(network, {.sigma = 1e3})->form(0).ranks[0]) << "a panel's width costs nothing";
  EXPECT_EQ(nn::kDense, compressed(network, {.sigma = sigma[32] / 2})->form(0).ranks[0]);
}

TEST(Compress, ToleranceIsKeptWithTheLeastRank) {
  const nn::Network network = trained(nn_context());
  const double tolerance = nn::factors_of_rank(network, network.delta(0), 33).sigma[12];
  const std::shared_ptr<const nn::Forms> forms = compressed(network, {.tolerance = tolerance});
  for (size_t l = 0; l < 3; ++l) EXPECT_LE(certificate(*forms, 0, l), tolerance) << l;
  const std::shared_ptr<const nn::Forms> less = compressed(network, {.rank = forms->form(0).ranks[0] - 2});
  EXPECT_GT(certificate(*less, 0, 0), tolerance);
  // What no rank reaches is dense; what not even dense reaches is refused.
  double tight = 0;
  for (const nn::Forms::Layer& layer : forms->layers()) tight = std::max(tight, 1.01 * layer.bounds.dense_error);
  EXPECT_EQ(nn::kDense, compressed(network, {.tolerance = tight})->form(0).ranks[0]);
  // All layers are told that cannot keep it, and the mend is one: the largest of their certificates.
  try {
    compressed(network, {.tolerance = 1e-12});
    ADD_FAILURE() << "nothing was thrown";
  } catch (const idelta::Error& error) {
    EXPECT_EQ(IDELTA_TOLERANCE_NOT_MET, error.status());
    const std::string what = error.what(), before_mend = "give no less than ";
    for (const char* part : {"tolerance is 1e-12", "layers 1, 2, 3"}) {
      EXPECT_NE(std::string::npos, what.find(part)) << what;
    }
    const size_t mend = what.find(before_mend);
    ASSERT_NE(std::string::npos, mend) << what;
    const double least = std::stod(what.substr(mend + before_mend.size()));
    EXPECT_NO_THROW(compressed(network, {.tolerance = least}));
    EXPECT_ANY_THROW(compressed(network, {.tolerance = std::nextafter(least, 0.0)}));
  }
}

TEST(Compress, BoundsHoldAndGoWithTheIdentityScale) {
  const nn::Network network = trained(nn_context(), 2, 0.9f);
  const std::shared_ptr<const nn::Forms> forms = compressed(network, {.rank = 8});
  const nn::Evaluation evaluation = nn::evaluate(network, patterns(50, 2));
  for (size_t l = 0; l < 2; ++l) {
    const nn::LayerBounds& bounds = forms->layers()[l].bounds;
    const double norm = evaluation.layers[l].spectral_norm;
    EXPECT_GE(bounds.delta_norm, norm * (1 - 1e-6));
    EXPECT_LE(bounds.delta_norm, 2 * norm);
    EXPECT_GE(bounds.norm, 0.9 - norm);
    EXPECT_LE(bounds.norm, 0.9f + bounds.delta_norm + 1e-6);
    EXPECT_EQ(network.packed(static_cast<int64_t>(l)).info().certificate, bounds.dense_error);
    EXPECT_EQ(0.9f, forms->packed(0, static_cast<int64_t>(l))->info().identity_scale);
    EXPECT_GT(forms->layers()[l].proofs[0].dropped, 0.0);
  }
}

TEST(Compress, UntrainedNetworkHasRankZero) {
  nn::Network network(nn_context(), pattern_options(2));
  const nn::Dataset data = patterns(20, 3);
  const std::vector<uint8_t> dense = nn::predict(network, data).labels;
  for (const nn::CompressOptions& options :
       {nn::CompressOptions{}, nn::CompressOptions{.rank = 4}, nn::CompressOptions{.sigma = 0.1},
        nn::CompressOptions{.tolerance = 0.1}}) {
    const std::shared_ptr<const nn::Forms> forms = nn::compress(network, options, data);
    EXPECT_EQ((std::vector<int64_t>{0, 0}), forms->form(0).ranks);
    EXPECT_EQ(0.0, forms->form(0).multiplications(network.n()));
    network.set_forms(forms);
    EXPECT_EQ(dense, nn::predict(network, data, {.form = 0}).labels);
  }
}

TEST(Compress, OneLayerIsEnough) {
  nn::Network network = trained(nn_context(), 1);
  std::vector<nn::Considered> considered;
  const std::shared_ptr<const nn::Forms> forms = nn::compress(network, {}, patterns(60, 4), &considered);
  EXPECT_EQ(9, forms->form(0).ranks[0]);
}

TEST(Compress, SampleChoosesAndEveryCandidateHasItsVerdict) {
  const nn::Network network = with_tail(nn_context());
  const nn::Dataset sample = patterns(100, 5);
  std::vector<nn::Considered> considered;
  int64_t done = 0, of = 0;
  const std::shared_ptr<const nn::Forms> forms =
      nn::compress(network, {}, sample, &considered, [&](int64_t now, int64_t all) {
        EXPECT_EQ(done + 1, now);
        done = now;
        of = all;
      });
  EXPECT_EQ(of, done);
  ASSERT_GE(forms->count(), 1u);
  ASSERT_LE(forms->count(), 4u);
  EXPECT_EQ(21u + 7 * 2 + 1, considered.size()) << "by singular values, with tails to layers 1 and 2, and in all";
  size_t winners = 0, tried = 0;
  for (const nn::Considered& c : considered) {
    EXPECT_FALSE(c.verdict.empty()) << c.name;
    tried += c.settled >= 0;
    if (c.verdict.find(" form: labels take ") != std::string::npos) {
      ASSERT_LT(winners, forms->count());
      EXPECT_EQ(forms->form(winners).name, c.name);
      EXPECT_EQ(forms->form(winners).multiplications(network.n()), c.multiplications);
      ++winners;
    }
  }
  EXPECT_EQ(forms->count(), winners);
  EXPECT_GE(tried, 2u);
  for (size_t f = 1; f < forms->count(); ++f) {
    EXPECT_LT(nn::expected_time(network.context(), forms->form(f - 1), network.n()),
              nn::expected_time(network.context(), forms->form(f), network.n()));
  }
  // The name of a candidate, given as sigma, is that candidate.
  for (const nn::Considered& c : considered) {
    if (c.name.find("int8") != std::string::npos) continue;
    const auto alone = compressed(network, {.sigma = std::stod(c.name.substr(std::string("sigma ").size()))});
    EXPECT_EQ(c.name, alone->form(0).name);
    EXPECT_EQ(c.multiplications, alone->form(0).multiplications(network.n()));
  }
}

TEST(Compress, SameFormsAtAnyThreadCount) {
  const nn::Network one = with_tail(nn_context(1)), two = with_tail(nn_context(2));
  const nn::Dataset sample = patterns(60, 5);
  const auto a = nn::compress(one, {}, sample), b = nn::compress(two, {}, sample);
  ASSERT_EQ(a->count(), b->count());
  for (size_t f = 0; f < a->count(); ++f) EXPECT_EQ(a->form(f).ranks, b->form(f).ranks);
  for (size_t l = 0; l < a->layers().size(); ++l) {
    EXPECT_EQ(a->layers()[l].U, b->layers()[l].U);
    EXPECT_EQ(a->layers()[l].V, b->layers()[l].V);
    EXPECT_EQ(a->layers()[l].proofs[0].dropped, b->layers()[l].proofs[0].dropped);
    EXPECT_EQ(a->layers()[l].bounds.norm, b->layers()[l].bounds.norm);
  }
}

TEST(Compress, ComputingInAnotherFormatChangesNothing) {
  nn::Network network = trained(nn_context());
  const auto before = compressed(network, {.rank = 8});
  network.set_compute(IDELTA_FORMAT_BF16);
  const auto after = compressed(network, {.rank = 8});
  EXPECT_EQ(before->layers()[1].U, after->layers()[1].U);
  EXPECT_EQ(before->layers()[1].bounds.dense_error, after->layers()[1].bounds.dense_error) << "that of F32";
  EXPECT_EQ(before->layers()[1].delta_hash, after->layers()[1].delta_hash);
}

TEST(Compress, OptionsThatCannotBeAreNamed) {
  const nn::Network network(nn_context(), pattern_options(2));
  expect_error([&] { compressed(network, {.rank = 1, .sigma = 0.1}); }, {"one of rank, sigma and tolerance"});
  expect_error([&] { compressed(network, {.rank = -1}); }, {"rank is -1"});
  expect_error([&] { compressed(network, {.sigma = std::nan("")}); }, {"sigma is nan"});
  expect_error([&] { compressed(network, {.tolerance = -1}); }, {"tolerance is -1"});
  expect_error([&] { compressed(network, {}); }, {"compress: "});
}

TEST(Compress, NetworkDropsFormsOnceALayerChanges) {
  nn::Network network = trained(nn_context());
  const auto forms = compressed(network, {.rank = 4});
  network.set_forms(forms);
  network.set_compute(IDELTA_FORMAT_BF16);
  EXPECT_NE(nullptr, network.forms()) << "D is what it was";
  network.set_compute(IDELTA_FORMAT_F32);
  network.set_layer(1, network.delta(1), network.bias(1));
  EXPECT_EQ(nullptr, network.forms());
  network.set_forms(forms);
  const nn::Dataset data = patterns(40, 6);
  nn::Trainer trainer(network, data, {.epochs = 1, .batch = 20});
  EXPECT_NE(nullptr, network.forms());
  trainer.step({data.images.data(), 64}, {data.labels.data(), 1}, 0.01f);
  EXPECT_EQ(nullptr, network.forms());
}

TEST(Compress, FormsOfOtherSizesOrAnotherNetworkAreRefused) {
  const idelta::Context context = nn_context();
  nn::Network network = trained(context), deeper(context, pattern_options(4)), same(context, pattern_options(3));
  network.set_forms(compressed(network, {.rank = 4}));
  expect_error([&] { deeper.set_forms(compressed(network, {.rank = 4})); }, {"3 layers of width 74", "4 of 74"});
  expect_error([&] { nn::attach_forms(network, deeper); }, {"attach_forms", "other sizes"});
  expect_error([&] { nn::attach_forms(same, network); }, {"attach_forms", "no forms"});
  expect_error([&] { nn::attach_forms(network, same); }, {"attach_forms", "layer 1"});
  for (int64_t l = 0; l < 3; ++l) same.set_layer(l, network.delta(l), network.bias(l));
  nn::attach_forms(network, same);
  EXPECT_EQ(network.forms(), same.forms());
  std::vector<float> bias(network.bias(2).begin(), network.bias(2).end());
  bias[70] += 1e-6f;
  same.set_layer(2, network.delta(2), bias);
  expect_error([&] { nn::attach_forms(network, same); }, {"attach_forms", "layer 3"});
}

// ---- The choice among candidates ------------------------------------------------------------------------------------

// Settles the first `count` of ten rows.
nn::Candidate settling(double cost, size_t count) {
  nn::Candidate candidate{cost, std::vector<uint8_t>(10)};
  std::fill_n(candidate.settles.begin(), count, uint8_t{1});
  return candidate;
}

TEST(ChooseForms, TakesTheLeastExpectedMultiplications) {
  const nn::Choice choice =
      nn::choose_forms({settling(0.09, 1), settling(0.1, 5), settling(0.22, 7), settling(0.3, 9)});
  EXPECT_EQ((std::vector<size_t>{1, 2, 3}), choice.forms);
  EXPECT_NEAR(0.1 + 0.2 * 0.22 + 0.2 * 0.3 + 0.1 * 1, choice.cost, 1e-12);
  EXPECT_NEAR(0.09 + 0.4 * 0.1 + 0.2 * 0.22 + 0.2 * 0.3 + 0.1 * 1, choice.best[0], 1e-12);
  EXPECT_NEAR(0.9, settling(0.1, 9).settled(), 1e-12);
  // Without the first of the choice: {0, 2, 3}, which settles 1, 7 and 9 of 10.
  EXPECT_NEAR(0.22 + 0.2 * 0.3 + 0.1 * 1, choice.other[1], 1e-12);
}

TEST(ChooseForms, FirstFormSettlesMostRowsWhereACheapOneDoes) {
  // Alone by cost {0, 1} would win: 0.01 + 0.5 * 0.2 = 0.11 against 0.2.
  EXPECT_EQ((std::vector<size_t>{1}), nn::choose_forms({settling(0.01, 5), settling(0.2, 10)}).forms);
  EXPECT_EQ((std::vector<size_t>{0, 1}), nn::choose_forms({settling(0.01, 5), settling(0.21, 10)}).forms);
}

TEST(ChooseForms, FormThatSavesLittleIsLeftOutAndNoMoreThanFourAreTaken) {
  // 0.1 + 0.4 * 0.3 + 0.1 = 0.32; with a form between that takes one row, 0.1 + 0.1 * 0.28 + 0.3 * 0.3 + 0.1 = 0.318.
  EXPECT_EQ((std::vector<size_t>{0, 2}),
            nn::choose_forms({settling(0.1, 5), settling(0.28, 6), settling(0.3, 9)}).forms);
  EXPECT_EQ((std::vector<size_t>{0}), nn::choose_forms({settling(0.1, 0), settling(0.2, 0)}).forms);
  std::vector<nn::Candidate> many;
  for (size_t i = 0; i < 10; ++i) many.push_back(settling(0.3 + 0.01 * double(i), i + 1));
  EXPECT_LE(nn::choose_forms(many).forms.size(), 4u);
}

TEST(Compress, LayerWhoseSingularValuesNoFloatHoldsIsNamed) {
  const idelta::Context context = nn_context();
  nn::Network network(context, pattern_options(3));
  const size_t n = 74;
  network.set_layer(1, std::vector<float>(n * n, 3e38f), std::vector<float>(n));
  for (const nn::CompressOptions& options : {nn::CompressOptions{.rank = 4}, nn::CompressOptions{.sigma = 0.1},
                                             nn::CompressOptions{.tolerance = 0.1}, nn::CompressOptions{}}) {
    expect_error([&] { nn::compress(network, options, patterns(20, 1)); }, {"compress: layer 2: ", "singular values"});
  }
}

// Names of forms are what --sigma takes.
TEST(Compress, UntrainedNetworkHasAFormWhoseNameCanBeAskedFor) {
  const idelta::Context context = nn_context();
  const nn::Network network(context, pattern_options(3));
  const std::shared_ptr<const nn::Forms> forms = nn::compress(network, {}, patterns(20, 1));
  const std::string name = forms->form(0).name;
  ASSERT_EQ("sigma ", name.substr(0, 6));
  const double sigma = std::stod(name.substr(6));
  ASSERT_GT(sigma, 0);
  EXPECT_EQ(forms->form(0).ranks, compressed(network, {.sigma = sigma})->form(0).ranks);

  // Also where only the last layer has learned.
  nn::Network last(context, pattern_options(3));
  last.set_layer(2, std::vector<float>(74 * 74, 0.01f), std::vector<float>(74));
  EXPECT_NE("sigma 0", nn::compress(last, {}, patterns(20, 1))->form(0).name);
}

}  // namespace
}  // namespace idelta_test
