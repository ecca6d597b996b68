// The benchmark of predict is honest: every implementation gives the labels it claims on a small network, wrong ones
// get no figure, and figures are what the times say. Nothing is timed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <string>
#include <vector>

#include "bench/network.h"
#include "bench/trained.h"
#include "nn_support.h"

namespace idelta::bench {
namespace {

using idelta_test::TemporaryFolder;

constexpr int64_t kImages = 300;  // two batches and a part of one
const RoundRobinOptions kShort = {.sample_seconds = 1e-6, .participant_seconds = 1e-5, .least_rounds = 1};

// A random network with forms, in a file, and its test images, in the same folder.
class SmallModel {
 public:
  explicit SmallModel(nn::NetworkOptions options = idelta_test::pattern_options(4)) {
    nn::Network network(Context::with(IDELTA_ISA_AUTO, 1), options);
    idelta_test::randomise(network, 7);
    const nn::Dataset data = idelta_test::patterns(kImages, 11);
    nn::CompressOptions how;
    how.rank = 16;
    network.set_forms(nn::compress(network, how, data));
    nn::save_model(path(), network);
    std::vector<uint8_t> images;
    for (const float value : data.images) images.push_back(static_cast<uint8_t>(std::lround(255.0f * value)));
    idelta_test::write_bytes(folder_ / "t10k-images-idx3-ubyte", idelta_test::idx_bytes({kImages, 8, 8}, images));
    idelta_test::write_bytes(folder_ / "t10k-labels-idx1-ubyte", idelta_test::idx_bytes({kImages}, data.labels));
  }
  std::string path() const { return folder_ / "compressed.safetensors"; }
  std::string data() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
};

std::vector<NetworkEntry> all_of(const TrainedModel& network) {
  std::vector<NetworkEntry> all = network.entries();
  for (NetworkEntry& peer : network_peers()) all.push_back(std::move(peer));
  return all;
}

NetworkResult measure(const SmallModel& model, int threads) {
  const TrainedModel network(model.path(), model.data(), threads);
  const NetworkProblem problem = network.network_problem();
  return measure_network(problem, all_of(network), kShort);
}

TEST(Network, EveryImplementationGivesTheLabelsItClaims) {
  const SmallModel model;
  for (const int threads : {1, 2}) {
    const NetworkResult result = measure(model, threads);
    EXPECT_EQ(result.images, kImages);
    std::vector<std::string> titles;
    for (const NetworkImplementation& implementation : result.implementations) {
      titles.push_back(implementation.title);
      EXPECT_EQ(implementation.failure, "") << implementation.title;
      EXPECT_FALSE(implementation.seconds.empty()) << implementation.title;
      for (const char* exact : {"idelta", "idelta_guarantee", "idelta_calls", "idelta_chain"}) {
        if (implementation.title == exact) {
          EXPECT_EQ(implementation.differ, 0) << exact;
        }
      }
      EXPECT_EQ(implementation.settled.empty(), implementation.title != "idelta_guarantee");
      if (implementation.settled.empty()) continue;
      EXPECT_EQ(std::accumulate(implementation.settled.begin(), implementation.settled.end(), int64_t{0},
                                [](int64_t sum, const SettledRows& rows) { return sum + rows.settled; }),
                kImages);
    }
    const std::vector<std::string> first(titles.begin(), titles.begin() + 7);
    EXPECT_EQ(first, (std::vector<std::string>{"idelta", "idelta_bf16", "idelta_first_form", "idelta_guarantee",
                                               "idelta_calls", "idelta_chain", "openblas"}));
  }
}

TEST(Network, PeersKnowEveryActivationScaleAndPadding) {
  for (const idelta_activation activation :
       {idelta_activation{IDELTA_ACTIVATION_IDENTITY, 0.0f}, idelta_activation{IDELTA_ACTIVATION_RELU, 0.0f},
        idelta_activation{IDELTA_ACTIVATION_LEAKY_RELU, 0.3f}, idelta_activation{IDELTA_ACTIVATION_HARD_TANH, 0.0f}}) {
    nn::NetworkOptions options = idelta_test::pattern_options(3);
    options.activation = activation;
    options.identity_scale = 0.9f;
    options.class_padding = 0.25f;
    for (const NetworkImplementation& implementation : measure(SmallModel(options), 1).implementations) {
      EXPECT_EQ(implementation.failure, "") << implementation.title << " " << idelta_activation_name(activation.kind);
      if (!implementation.rival || !implementation.f32) continue;
      EXPECT_LE(implementation.differ, 1) << implementation.title;
    }
  }
}

TEST(Network, AnActivationWithoutAFastLoopIsSaid) {
  nn::NetworkOptions options = idelta_test::pattern_options(2);
  options.activation = {IDELTA_ACTIVATION_TANH, 0.0f};
  const NetworkResult result = measure(SmallModel(options), 1);
  EXPECT_NE(result.implementations[6].failure.find("tanh"), std::string::npos);
  EXPECT_NE(to_report({result}).find("openblas            WRONG: there is no fast loop of tanh"), std::string::npos);
}

// Two images of three classes: one is clear, the other nearly a tie.
NetworkProblem two_images() {
  NetworkProblem problem;
  problem.layers = 2;
  problem.classes = 3;
  problem.images = 2;
  problem.logits = Buffer(6);
  const float logits[] = {1.0f, 3.0f, 2.0f, 4.0f, 1.0f, 4.00001f};
  std::copy(std::begin(logits), std::end(logits), problem.logits.data());
  return problem;
}

TEST(NetworkLabels, DifferOnlyWhereTheClaimLetsThem) {
  const NetworkProblem problem = two_images();
  struct Case {
    Claim claim;
    std::vector<uint8_t> labels;
    int64_t differ;
    bool right;
  };
  for (const Case& c : {Case{Claim::kExact, {1, 2}, 0, true}, Case{Claim::kExact, {1, 0}, 1, false},
                        Case{Claim::kRounded, {1, 0}, 1, true}, Case{Claim::kRounded, {2, 2}, 1, false},
                        Case{Claim::kRounded, {1, 1}, 1, false}, Case{Claim::kRounded, {1, 3}, 1, false},
                        Case{Claim::kNone, {0, 0}, 2, true}, Case{Claim::kNone, {1}, 0, false}}) {
    NetworkEntry entry;
    entry.claim = c.claim;
    entry.rounding = kNetworkRounding;
    int64_t differ = 0;
    EXPECT_EQ(check_labels(problem, entry, c.labels, differ) == "", c.right) << int(c.claim) << int(c.labels[0]);
    EXPECT_EQ(differ, c.differ);
  }
}

TEST(NetworkLabels, OfEqualLogitsAreTheLowest) {
  const float ties[] = {1.0f, 2.0f, 2.0f};
  EXPECT_EQ(argmax(ties, 3), 1);
}

NetworkImplementation timed(const char* title, bool rival, bool f32, const std::vector<double>& seconds) {
  return {.title = title, .variant = "", .rival = rival, .f32 = f32, .batch = 512, .seconds = seconds};
}

TEST(NetworkReport, FiguresAreWhatTheTimesSay) {
  NetworkResult result{.layers = 3, .n = 100, .images = 1000, .threads = 2};
  result.implementations = {
      timed("idelta", false, true, {0.5, 0.5, 0.5}),    timed("idelta_guarantee", false, false, {0.1, 0.1, 0.1}),
      timed("slow", true, true, {1.0, 2.0, 0.5}),       timed("fast", true, true, {0.6, 0.6, 0.6}),
      timed("fast_bf16", true, false, {0.3, 0.3, 0.3}), timed("wrong", true, true, {0.01, 0.01, 0.01})};
  result.implementations[1].settled = {{"rank 8", 1000, 900}, {"dense", 100, 100}};
  result.implementations.back().failure = "label of image 3 is 2, not 1";
  const std::string report = to_report({result});
  EXPECT_EQ(best_rival(result, true)->title, "fast");
  EXPECT_EQ(best_rival(result, false)->title, "fast_bf16");
  for (const char* text :
       {"\npredict, 3 layers of n 100, m 1000, 2 threads\n",
        "\nidelta_guarantee             512     10000   0.0   5.00 (5.00-5.00)   6.00 (6.00-6.00)   3.00 (3.00-3.00)   "
        "    0\n",
        "\nslow                         512      1000  75.0   0.50 (0.38-0.75)   0.60 (0.45-0.90)   0.30 (0.22-0.45)   "
        "    0\n",
        "\nwrong               WRONG: label of image 3 is 2, not 1\n",
        "\n  idelta_guarantee: settled by rank 8 900 of 1000 (90.00 % of all), dense 100 of 100 (10.00 % of all)\n"}) {
    EXPECT_NE(report.find(text), std::string::npos) << text << report;
  }
  EXPECT_EQ(to_report(std::vector<NetworkResult>{}), "");
}

TEST(NetworkNames, SayEverythingThatWasChosen) {
  NetworkEntry entry;
  entry.name = "idelta";
  entry.format = "first_form";
  entry.isa = "avx512";
  EXPECT_EQ(benchmark_name(entry, 794, 10000, 2), "predict/idelta/first_form/avx512/n:794/m:10000/threads:2");
}

TEST(TrainedModel, RefusesImagesOfAnotherSize) {
  const SmallModel model;
  nn::NetworkOptions options = idelta_test::pattern_options(2);
  options.height = 9;
  TemporaryFolder folder;
  nn::save_model(folder / "other.safetensors", nn::Network(Context::with(IDELTA_ISA_AUTO, 1), options));
  idelta_test::expect_error([&] { TrainedModel(folder / "other.safetensors", model.data(), 1); }, {"72", "64"});
}

}  // namespace
}  // namespace idelta::bench
