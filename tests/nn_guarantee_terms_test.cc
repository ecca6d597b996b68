// The guarantee of predict() on networks in which a term of its bound is all there is, ties, and denormals: each fails
// where that term is left out. Runs once an instruction set.
#include <limits>
#include <string>
#include <vector>

#include "nn/layer_factors.h"
#include "nn_guarantee_support.h"

namespace idelta_test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kUlp = 0x1p-23f;  // of 1

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

// D = u u^T / 2 twice, in int8 or most of it in factors, and rows whose integers all lie below them, in both layers:
// what rounding them changes lies along the only direction that the layers stretch. Pixel 0 sets the scale of every
// row.
TEST(Guarantee, WhatIntegersRoundMayLieWhereTheNextLayerStretches) {
  nn::Network network(nn_context(), small_options(3, 1));
  const float of_pixel = 1 / std::sqrt(13 + 2 * std::pow(34.0f / 63, 2.0f)), of_class = of_pixel * 34 / 63;
  std::vector<float> u(kWidth, of_pixel);
  u[0] = 0, u[kY] = of_class, u[kC] = -of_class;
  Square D(kWidth * kWidth), last(D);
  std::vector<float> V(kWidth);
  for (int64_t k = 0; k < kSide; ++k) {
    for (int64_t j = 0; j < kSide; ++j) D[at(k, j)] = 0.5f * u[size_t(k)] * u[size_t(j)];
    last[at(k, kY)] = 50 * u[size_t(k)], last[at(k, kC)] = -50 * u[size_t(k)];
    V[size_t(k)] = 0.45f * u[size_t(k)];
  }
  for (const int64_t l : {0, 1}) network.set_layer(l, D, std::vector<float>(kWidth));
  network.set_layer(2, last, std::vector<float>(kWidth));
  nn::Dataset data = one_image(std::vector<float>(14, 1));
  data.images.clear(), data.labels.clear();
  for (int whole = 10; whole < 80; ++whole) {
    data.images.push_back(1);
    data.images.insert(data.images.end(), 13, (static_cast<float>(whole) + 0.49f) / 127);
    data.labels.push_back(0);
  }
  data.count = static_cast<int64_t>(data.labels.size());
  for (const nn::LayerFactors& factors : {nn::LayerFactors{}, nn::LayerFactors{1, u, V, {}, false, {}}}) {
    LayerParts part{factors.rank, factors.U, factors.V, nn::tail_of(network, D, factors, factors.rank)};
    set_made_form(network, {part, part, {}});
    EXPECT_GT(expect_guaranteed(network, data).of_bound, 0.95) << "rank " << factors.rank;
  }
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
