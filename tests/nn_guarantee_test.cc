// Attacks on the guarantee of predict(): images on the decision boundary, of absurd sizes, with ties, and networks in
// which each term of the bound is needed. Runs once an instruction set.
#include <limits>
#include <map>
#include <ostream>
#include <string>

#include "nn_guarantee_support.h"

namespace idelta_test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kUlp = 0x1p-23f;  // of 1

std::shared_ptr<const nn::Forms> compressed(const nn::Network& network, const nn::CompressOptions& options = {}) {
  return nn::compress(network, options, patterns(60, 5));
}

// ---- Attacks on networks as they are --------------------------------------------------------------------------------

struct Attacked {
  const char* name;
  idelta_activation activation;
  int64_t layers;
  double norm;  // of random deltas; 0: trained
  nn::CompressOptions forms = {};
  float identity_scale = 1.0f, class_padding = 0.0f;
};
void PrintTo(const Attacked& attacked, std::ostream* out) { *out << attacked.name; }

constexpr idelta_activation kLeaky = {IDELTA_ACTIVATION_LEAKY_RELU, 0.1f};
constexpr idelta_activation kRelu = {IDELTA_ACTIVATION_RELU, 0.0f};
constexpr idelta_activation kHardTanh = {IDELTA_ACTIVATION_HARD_TANH, 0.0f};
constexpr idelta_activation kTanh = {IDELTA_ACTIVATION_TANH, 0.0f};

const Attacked kAttacked[] = {
    {"leaky_relu_trained", kLeaky, 3, 0},
    {"leaky_relu_trained_by_rank", kLeaky, 10, 0, {.rank = 24}},
    {"leaky_relu_deep", kLeaky, 30, 0.1, {.sigma = 0.002}, 1.0f, 0.1f},
    {"leaky_relu_with_dense_layers", kLeaky, 3, 0, {.rank = 34}},
    {"relu_trained", kRelu, 3, 0, {.rank = 16}, 1.0f, 0.1f},
    {"hard_tanh_trained", kHardTanh, 3, 0},
    {"hard_tanh_saturated", kHardTanh, 10, 0.6, {.sigma = 0.01}, 1.1f},
    {"tanh_trained", kTanh, 3, 0, {}, 1.0f, 0.1f},
    {"tanh_shrinking", kTanh, 10, 0.3, {.sigma = 0.003}, 0.9f},
    {"linear_mirrored", kIdentity, 3, 0.4, {.sigma = 0.01}, -1.0f},
    {"linear_without_identity", kIdentity, 3, 0.8, {.rank = 33}, 0.0f},
    {"linear_nearly_exact", kIdentity, 3, 0.3, {.sigma = 3e-4}, 1.0f, 0.1f},
    {"linear_all_dense", kIdentity, 3, 0.3, {.sigma = 1e-4}, 1.0f, 0.1f},
};

class GuaranteeTest : public ::testing::TestWithParam<Attacked> {
 protected:
  // Made once for all tests.
  static const nn::Network& network() {
    static std::map<std::string, nn::Network> made;
    const Attacked& p = GetParam();
    if (const auto found = made.find(p.name); found != made.end()) return found->second;
    nn::NetworkOptions options = pattern_options(p.layers);
    options.activation = p.activation;
    options.identity_scale = p.identity_scale;
    options.class_padding = p.class_padding;
    const idelta::Context context = nn_context();
    nn::Network network = p.norm > 0 ? random_network(context, options, p.norm, 7) : trained_network(context, options);
    network.set_forms(compressed(network, p.forms));
    return made.emplace(p.name, std::move(network)).first->second;
  }

  // The same on so many threads.
  static nn::Network on_threads(int32_t threads) {
    nn::Network copy(nn_context(threads), network().options());
    for (int64_t l = 0; l < copy.layers(); ++l) copy.set_layer(l, network().delta(l), network().bias(l));
    copy.set_forms(compressed(copy, GetParam().forms));
    return copy;
  }
};

INSTANTIATE_TEST_SUITE_P(All, GuaranteeTest, ::testing::ValuesIn(kAttacked),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(GuaranteeTest, HoldsOnTheDecisionBoundary) {
  const nn::Network& attacked = network();
  const nn::Dataset stages = towards_the_boundary(attacked, patterns(reduced() ? 20 : 84, 11), 5);
  const Closest closest = expect_guaranteed(attacked, stages);
  EXPECT_GT(closest.uncertified, 0) << "the attack did not reach the boundary";
  RecordProperty("of_bound", std::to_string(closest.of_bound));
  RecordProperty("of_exact", std::to_string(closest.of_exact));
  RecordProperty("flipped_at", std::to_string(closest.flipped));
}

TEST_P(GuaranteeTest, HoldsForImagesThatAreNone) {
  const nn::Network& attacked = network();
  nn::Dataset data = patterns(reduced() ? 20 : 60, 12);
  Random random(13);
  for (size_t i = 0; i < data.images.size(); ++i) {
    float& pixel = data.images[i];
    switch (i / 64 % 6) {
      case 0:
        pixel = 0;
        break;
      case 1:
        pixel *= 1e30f;
        break;
      case 2:
        pixel *= 1e-30f;
        break;
      case 3:
        pixel = random.uniform(-1, 1);
        break;
      case 4:
        pixel = 100 - 300 * pixel;
        break;
      default:
        pixel *= 1e-40f;
        break;
    }
  }
  expect_guaranteed(attacked, data);
}

TEST_P(GuaranteeTest, BatchesAndThreadsChangeNoBit) {
  const nn::Dataset data = towards_the_boundary(network(), patterns(reduced() ? 12 : 90, 14), 5);
  const nn::Predictions expected = nn::predict(network(), data, {.guarantee = true});
  for (const int32_t threads : {1, 2, 3}) {
    const nn::Network same = on_threads(threads);
    for (const int64_t batch : {1, 7, 512}) {
      const nn::Predictions actual = nn::predict(same, data, {.guarantee = true, .batch = batch});
      EXPECT_EQ(expected.labels, actual.labels) << threads << " threads, batches of " << batch;
      EXPECT_EQ(expected.margins, actual.margins) << threads << " threads, batches of " << batch;
      EXPECT_EQ(expected.bounds, actual.bounds) << threads << " threads, batches of " << batch;
      EXPECT_EQ(expected.settled_by, actual.settled_by) << threads << " threads, batches of " << batch;
      EXPECT_EQ(expected.tried, actual.tried) << threads << " threads, batches of " << batch;
    }
  }
}

// || (h - H) W + r || of the first form's pass, as src/nn/guarantee.cc bounds it.
double least_moved(const nn::Network& network, int64_t l, double e, double rho, double norm) {
  const nn::Forms::Layer& layer = network.forms()->layers()[size_t(l)];
  const idelta::LowRankProof& proof = layer.proofs[0];
  const double sum = layer.bounds.norm * e + rho;
  if (!network.forms()->packed(0, l)) return sum;
  const double a = std::fabs(double(network.options().identity_scale)), n = double(network.n());
  const double r = double(network.forms()->form(0).ranks[size_t(l)]), V = layer.bounds.delta_norm + proof.dropped;
  double bias = 0;
  for (const float b : network.bias(l)) bias += double(b) * double(b);
  const double omega =
      kUnit * ((n * std::sqrt(r) + (r + 2) * std::sqrt(r)) * V + a) * norm + 2 * kUnit * std::sqrt(bias);
  const double inner =
      e * ((a + proof.dropped) * (rho + omega) + proof.reverse_overlap * norm + layer.bounds.norm * omega);
  return std::min(sum, std::sqrt(std::pow(layer.bounds.norm * e, 2) + 2 * inner + rho * rho));
}

// The bound as src/nn/guarantee.cc proves it, written once more, from below: no term may be left out.
TEST_P(GuaranteeTest, BoundHasEveryTermOfTheProof) {
  const nn::Network& attacked = network();
  const double u = kUnit, a = std::fabs(double(attacked.options().identity_scale));
  const double act = GetParam().activation.kind == IDELTA_ACTIVATION_TANH         ? 4 * u
                     : GetParam().activation.kind == IDELTA_ACTIVATION_LEAKY_RELU ? u
                                                                                  : 0;
  const int64_t n = attacked.n(), first = n - 10, L = attacked.layers();
  const std::vector<float> last = attacked.delta(L - 1);
  nn::Guarantee guarantee(attacked, 0);
  guarantee.start(1);
  double e = 0, own = 0;
  for (int64_t l = 0; l < L; ++l) {
    const nn::LayerBounds& bounds = attacked.forms()->layers()[size_t(l)].bounds;
    double bias = 0;
    for (const float b : attacked.bias(l)) bias += double(b) * double(b);
    const float rho = l % 2 == 0 ? 0.0f : 3e-7f, norm = l % 3 == 0 ? 0.0f : 1.5f;
    guarantee.after(l, {&rho, 1}, {&norm, 1});
    if (l > 0) e += act * (2 * double(norm) + e);
    const double sums = (bounds.dense_error + u * bounds.delta_norm) * (double(norm) + e) + 2 * u * std::sqrt(bias);
    const double phi = sums + std::sqrt(double(n)) * (double(n) + a) * 0x1p-126;
    own = double(rho) + phi;
    if (l + 1 < L) e = least_moved(attacked, l, e, double(rho), double(norm)) + phi;
  }
  for (int64_t y = 0; y < 10; ++y) {
    for (int64_t c = 0; c < y; ++c) {
      double squares = 0;
      for (int64_t k = 0; k < n; ++k) {
        const double identity = double(attacked.options().identity_scale) * ((k == first + y) - (k == first + c));
        squares +=
            std::pow(double(last[size_t(k * n + first + y)]) - double(last[size_t(k * n + first + c)]) + identity, 2);
      }
      const double least = std::sqrt(squares) * e + std::sqrt(2.0) * own;
      EXPECT_GE(guarantee.bound(0, y, c), least * (1 - 1e-12));
      EXPECT_LE(guarantee.bound(0, y, c), least * (1 + 1e-5)) << "and no more than that";
    }
  }
}

// ---- The guarantee is worth something ------------------------------------------------------------------------------

TEST(Guarantee, MostImagesAreSettledByTheFirstForm) {
  const idelta::Context context = nn_context();
  nn::Network network = trained_network(context, pattern_options(3));
  const nn::Dataset test = patterns(1000, 2);
  network.set_forms(compressed(network, {.rank = 24}));
  const nn::Predictions predictions = nn::predict(network, test, {.guarantee = true});
  RecordProperty("settled", std::to_string(predictions.settled[0]));
  EXPECT_GT(predictions.settled[0], 500) << "of 1000";
  EXPECT_EQ(1000, predictions.settled[0] + predictions.settled[1]);
}

// ---- Networks in which a term of the bound is all there is ---------------------------------------------------------

// 14 pixels and classes y and c, or 13 and another class before them: n = 16.
constexpr int64_t kSide = 16, kOther = 13, kY = 14, kC = 15;
constexpr size_t kWidth = kSide;
using Square = std::vector<float>;
const LayerParts kNothing{0, {}, {}};  // of D

nn::NetworkOptions small_options(int64_t layers, float identity_scale, float class_padding = 0, int64_t classes = 2) {
  nn::NetworkOptions options;
  options.layers = layers;
  options.height = 1, options.width = kSide - classes, options.classes = classes;
  options.identity_scale = identity_scale, options.class_padding = class_padding;
  options.activation = kIdentity;
  return options;
}
size_t at(int64_t k, int64_t j) { return static_cast<size_t>(k * kSide + j); }
nn::Dataset one_image(std::vector<float> pixels) {
  const auto width = static_cast<int64_t>(pixels.size());
  return {"made", 1, 1, width, kSide - width, std::move(pixels), {0}};
}

// What layer 1 drops goes straight into logit y - logit c, through identities that are not 1 and a last layer whose
// columns are further apart than those of the identity.
TEST(Guarantee, DroppedPartTakesTheWorstWayThroughTheLayers) {
  for (const float a : {1.1f, -1.1f, 1.0f}) {
    nn::Network network(nn_context(), small_options(5, a));
    const double w_y = double(a) + 3, w_c = -double(a), length = std::sqrt(w_y * w_y + w_c * w_c);
    Square first(kWidth * kWidth), last(first);
    for (int64_t k = 0; k < 14; ++k) {
      first[at(k, kY)] = static_cast<float>(0.02 * w_y / length);
      first[at(k, kC)] = static_cast<float>(0.02 * w_c / length);
    }
    last[at(kY, kY)] = 3;
    const std::vector<float> bias(kWidth);
    network.set_layer(0, first, bias);
    network.set_layer(4, last, bias);
    set_made_form(network, {kNothing, kNothing, kNothing, kNothing, {}});
    EXPECT_GT(expect_guaranteed(network, one_image(std::vector<float>(14, 0.5f))).of_bound, 0.97);
  }
}

// D = u u^T / 2 twice, of which factors hold one half: what they drop lies along the only direction that the layers
// stretch, and V reaches all of it. The last layer reads that direction.
TEST(Guarantee, WhatIsDroppedMayLieWhereTheNextLayerStretches) {
  nn::Network network(nn_context(), small_options(3, 1));
  std::vector<float> u(kWidth, 0.98f / std::sqrt(14.0f));
  u[kY] = 0.14f, u[kC] = -0.14f;
  Square D(kWidth * kWidth), last(D);
  std::vector<float> V(kWidth);
  for (int64_t k = 0; k < kSide; ++k) {
    for (int64_t j = 0; j < kSide; ++j) D[at(k, j)] = 0.5f * u[size_t(k)] * u[size_t(j)];
    last[at(k, kY)] = 50 * u[size_t(k)], last[at(k, kC)] = -50 * u[size_t(k)];
    V[size_t(k)] = 0.25f * u[size_t(k)];
  }
  for (const int64_t l : {0, 1}) network.set_layer(l, D, std::vector<float>(kWidth));
  network.set_layer(2, last, std::vector<float>(kWidth));
  set_made_form(network, {{1, u, V}, {1, u, V}, {}});
  EXPECT_GT(expect_guaranteed(network, one_image(std::vector<float>(14, 0.5f))).of_bound, 0.95);
}

// Of the last layer's own change y has one part and c the other.
TEST(Guarantee, ChangeOfTheLastLayerCountsForBothClasses) {
  nn::Network network(nn_context(), small_options(1, 1));
  Square D(kWidth * kWidth);
  for (int64_t k = 0; k < 14; ++k) D[at(k, kY)] = 0.02f, D[at(k, kC)] = -0.02f;
  network.set_layer(0, D, std::vector<float>(kWidth));
  set_made_form(network, {kNothing});
  EXPECT_GT(expect_guaranteed(network, one_image(std::vector<float>(14, 0.5f))).of_bound, 0.97);
}

// b_y = 1. The form's sum is a little below half an ulp and the dense one a little above it, so that the bias rounds
// them apart; a x = half an ulp is then a tie, and rounds them apart again. 4 u come of nothing: neither pass' share of
// the roundings, 2 u, is enough alone, not even times sqrt(2).
TEST(Guarantee, RoundingsOfBothBiasesCount) {
  nn::Network network(nn_context(), small_options(1, 1, kUlp / 2));
  Square D(kWidth * kWidth);
  D[at(0, kY)] = 1.01f * kUlp / 2 * 1024;
  std::vector<float> bias(kWidth), U(kWidth), V(kWidth);
  bias[kY] = 1, U[0] = 1, V[kY] = 0.99f * kUlp / 2 * 1024;
  network.set_layer(0, D, bias);
  set_made_form(network, {{1, U, V}});
  std::vector<float> pixels(14);
  pixels[0] = 1.0f / 1024;
  const nn::Dataset data = one_image(pixels);
  const auto dense = logits_of(network, data, nn::kDense), form = logits_of(network, data, 0);
  EXPECT_EQ(1 + 2 * kUlp, dense[0][0]);
  EXPECT_EQ(1.0f, form[0][0]);
  EXPECT_GT(expect_guaranteed(network, data).of_bound, 0.65);
}

// a x = 1 + two ulps, and sums of half an ulp, a little below it in the form and a little above it in the dense
// network: y is rounded one way and c the other, by an ulp each.
TEST(Guarantee, RoundingsOfBothPassesCount) {
  nn::Network network(nn_context(), small_options(1, 1 + 2 * kUlp, 1));
  Square D(kWidth * kWidth);
  D[at(0, kY)] = 0.505f * kUlp * 4, D[at(0, kC)] = -D[at(0, kY)];
  std::vector<float> U(kWidth), V(kWidth);
  U[0] = 1, V[kY] = 0.495f * kUlp * 4, V[kC] = -V[kY];
  network.set_layer(0, D, std::vector<float>(kWidth));
  set_made_form(network, {{1, U, V}});
  std::vector<float> pixels(14);
  pixels[0] = 0.25f;
  EXPECT_GT(expect_guaranteed(network, one_image(pixels)).of_bound, 0.9);
}

// Layer 1 is dense in the form, and every sum of y is rounded up: the dense network says y, exact arithmetic says c.
TEST(Guarantee, DenseLayersThatComeFirstCountTheirRoundings) {
  nn::Network network(nn_context(), small_options(2, 1));
  Square D(kWidth * kWidth);
  D[at(0, kY)] = 1, D[at(0, kC)] = 1 + 10 * kUlp;
  for (int64_t k = 1; k < 14; ++k) D[at(k, kY)] = 1.01f * kUlp / 2 * 1024;
  network.set_layer(0, D, std::vector<float>(kWidth));
  set_made_form(network, {{}, kNothing});
  std::vector<float> pixels(14, 1.0f / 1024);
  pixels[0] = 1;
  const nn::Dataset data = one_image(pixels);
  EXPECT_EQ(0u, largest(logits_of(network, data, nn::kDense)[0]));
  EXPECT_EQ(1u, largest(ExactNetwork(network).logits(padded(network, data))));
  EXPECT_EQ(1, expect_guaranteed(network, data).uncertified);
}

// Nothing of layer 1 survives layer 2 but that it overflowed, in the dense network alone.
TEST(Guarantee, OverflowIsNotForgottenWhereANormIsZero) {
  nn::Network network(nn_context(), small_options(3, 0));
  Square D(kWidth * kWidth);
  for (int64_t k = 0; k < 14; ++k) D[at(k, kY)] = 1e9f;
  std::vector<float> bias(kWidth);
  network.set_layer(0, D, bias);
  bias[kY] = 1;
  network.set_layer(2, Square(kWidth * kWidth), bias);
  set_made_form(network, {kNothing, kNothing, kNothing});
  const nn::Dataset data = one_image(std::vector<float>(14, 1e30f));
  EXPECT_THROW(nn::predict(network, data, {.guarantee = true}), nn::NotFinite);
  nn::Guarantee guarantee(network, 0);
  const auto form = logits_of(network, data, 0, &guarantee);
  EXPECT_EQ(kInfinity, guarantee.label(0, form[0].data()).bound);
  EXPECT_EQ(1, nn::predict(network, one_image(std::vector<float>(14, 1)), {.guarantee = true}).settled[0]);
}

// The form's factors cancel before they are multiplied by 1e30.
TEST(Guarantee, OverflowOfTheDenseNetworkAloneIsNotCertified) {
  nn::Network network(nn_context(), small_options(1, 1));
  Square D(kWidth * kWidth);
  D[at(0, kY)] = 1e30f, D[at(1, kY)] = -1e30f;
  std::vector<float> bias(kWidth), U(kWidth), V(kWidth), pixels(14);
  bias[kY] = 1e36f;
  network.set_layer(0, D, bias);
  U[0] = static_cast<float>(std::sqrt(0.5)), U[1] = -U[0], V[kY] = 1e30f / U[0];
  set_made_form(network, {{1, U, V}});
  pixels[0] = pixels[1] = 1e6f;
  EXPECT_EQ(1, nn::predict(network, one_image(pixels), {.guarantee = true}).settled[0]);
  pixels[0] = pixels[1] = 1e9f;
  EXPECT_THROW(nn::predict(network, one_image(pixels), {.guarantee = true}), nn::NotFinite);
}

TEST(Guarantee, MarginThatEqualsTheBoundCertifiesNothing) {
  EXPECT_FALSE((nn::FormLabel{0, 1.0f, 1.0f}.certified()));
  EXPECT_FALSE((nn::FormLabel{0, 0.0f, 0.0f}.certified()));
  EXPECT_FALSE((nn::FormLabel{0, kInfinity, kInfinity}.certified()));
  EXPECT_TRUE((nn::FormLabel{0, 1.0f, std::nextafter(1.0f, 0.0f)}.certified()));
}

// The class that comes nearest is not the one that can overtake.
TEST(Guarantee, ClassThatIsFurtherAwayMayBeTheOneInDoubt) {
  nn::Network network(nn_context(), small_options(2, 1, 0, 3));
  Square first(kWidth * kWidth), last(first);
  for (int64_t k = 0; k < 13; ++k) first[at(k, kY)] = -0.0005f, first[at(k, kC)] = 0.005f;
  last[at(kC, kC)] = 9;
  std::vector<float> bias(kWidth);
  network.set_layer(0, first, bias);
  bias[kOther] = 0.95f, bias[kY] = 1, bias[kC] = 0.9f;
  network.set_layer(1, last, bias);
  set_made_form(network, {kNothing, {}});
  const nn::Dataset data = one_image(std::vector<float>(13, 0.3f));
  EXPECT_EQ(1u, largest(logits_of(network, data, 0)[0]));
  EXPECT_EQ(2u, largest(logits_of(network, data, nn::kDense)[0]));
  EXPECT_EQ(1, expect_guaranteed(network, data).uncertified);
}

// An image of nothing, D of almost nothing: results below 2^-126 become 0 in one pass or the other.
TEST(Guarantee, WhatDenormalsLoseCounts) {
  nn::Network network(nn_context(), small_options(2, 1));
  set_made_form(network, {kNothing, kNothing});
  nn::Guarantee guarantee(network, 0);
  guarantee.start(1);
  const float none = 0, tiny = 0x1p-126f;
  guarantee.after(0, {&tiny, 1}, {&none, 1});
  guarantee.after(1, {&tiny, 1}, {&none, 1});
  // Of 16 entries each: a chain of 16, and 4 more; two outputs of the activation. Roundings may double what is lost.
  const double of_layer = 2 * 4 * (16 + 4) + 1, of_activation = 2 * 4;
  EXPECT_GE(guarantee.bound(0, 1, 0), std::sqrt(2.0) * (2 * of_layer + of_activation) * 0x1p-126);
}

// Classes 3 and 6 have the same columns in every layer and are far above all others.
TEST(Guarantee, TieIsSettledByTheDenseNetworkForTheLowerClass) {
  nn::Network network = random_network(nn_context(), pattern_options(3), 0.3, 21);
  const int64_t n = network.n(), y = n - 10 + 3, c = n - 10 + 6;
  for (int64_t l = 0; l < 3; ++l) {
    std::vector<float> D = network.delta(l), bias(network.bias(l).begin(), network.bias(l).end());
    for (int64_t j = 0; j < n; ++j) D[size_t(y * n + j)] = D[size_t(c * n + j)] = 0;
    for (int64_t k = 0; k < n; ++k) D[size_t(k * n + c)] = D[size_t(k * n + y)];
    bias[size_t(y)] = bias[size_t(c)] = 5;
    network.set_layer(l, D, bias);
  }
  network.set_forms(compressed(network, {.rank = 33}));
  const nn::Dataset data = patterns(50, 22);
  const nn::Predictions predictions = nn::predict(network, data, {.guarantee = true});
  EXPECT_EQ(std::vector<uint8_t>(50, 3), predictions.labels);
  EXPECT_EQ(50, predictions.settled.back());
  expect_guaranteed(network, data);
}

}  // namespace
}  // namespace idelta_test
