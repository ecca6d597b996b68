// Attacks on the guarantee of predict(): images on the decision boundary and of absurd sizes. Runs once an
// instruction set.
#include <limits>
#include <map>
#include <ostream>
#include <string>

#include "nn_guarantee_support.h"

namespace idelta_test {
namespace {

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
    {"leaky_relu_with_tails", kLeaky, 10, 0, {.rank = 8, .tail = IDELTA_TAIL_INT8}},
    {"hard_tanh_with_tails", kHardTanh, 3, 0.6, {.sigma = 0.1, .tail = IDELTA_TAIL_INT8}, 1.1f, 0.1f},
    {"tanh_int8", kTanh, 3, 0.3, {.tail = IDELTA_TAIL_INT8}, 0.9f},
    {"linear_mirrored_with_tails", kIdentity, 3, 0.4, {.rank = 20, .tail = IDELTA_TAIL_INT8}, -1.0f},
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
  const nn::Form& form = network.forms()->form(0);
  const double R = form.has_tail(size_t(l)) ? proof.tail : 0, delta = std::sqrt(n) / 254;
  const double reach = proof.reverse_overlap + (R > 0 ? delta * layer.tail->reverse_overlap : 0);
  const double r = double(form.ranks[size_t(l)]), V = layer.bounds.delta_norm + proof.dropped + R;
  double bias = 0;
  for (const float b : network.bias(l)) bias += double(b) * double(b);
  const double omega =
      kUnit * ((n * std::sqrt(r) + (r + 3) * std::sqrt(r)) * V + 5 * R + a) * norm + 2 * kUnit * std::sqrt(bias);
  const double inner = e * ((a + R + proof.dropped) * (rho + omega) + reach * norm + layer.bounds.norm * omega);
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
    // With a tail so large that the bound of what is not stretched is the smaller one, though V reaches more of q.
    const float error = attacked.forms()->form(0).has_tail(size_t(l)) ? 1e-3f : 3e-7f;
    const float rho = l % 2 == 0 ? 0.0f : error, norm = l % 3 == 0 ? 0.0f : 1.5f;
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

}  // namespace
}  // namespace idelta_test
