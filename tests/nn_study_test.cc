// Studies: what is said of several networks together, and the files that say it.
#include <tuple>

#include "nn_support.h"

namespace idelta_test {
namespace {

// A network whose layers have these accuracies; the other quantities are told by them.
nn::StudyNetwork network_of(const std::string& file, std::vector<double> accuracies,
                            nn::StudyLabels labels = nn::StudyLabels::kTrue) {
  nn::StudyNetwork network;
  network.file = file;
  network.layers = static_cast<int64_t>(accuracies.size());
  network.labels = labels;
  network.seconds = 10 * accuracies.back();
  network.parameters_hash = "0123456789abcdef";
  for (const double a : accuracies) {
    nn::LayerReport& report = network.reports.emplace_back();
    report.accuracy = a;
    report.cross_entropy = 1 - a;
    report.spectral_norm = a / 2;
    report.frobenius_ratio = a / 4;
  }
  return network;
}

nn::Study small_study() {
  nn::Study study;
  study.data = "patterns";
  study.training_images = 100;
  study.test_images = 50;
  study.network = pattern_options(1);
  study.networks = {network_of("a", {0.2, 0.4, 0.8}), network_of("b", {0.4, 0.395, 0.6}),
                    network_of("c", {0.1, 0.1, 0.1}, nn::StudyLabels::kShuffled), network_of("d", {0.5, 0.4})};
  study.networks[0].train.learning_rate = 0.003f;
  study.networks[1].train.seed = UINT64_MAX;
  study.networks[2].train.shuffled_labels = 3;
  study.networks[3].train.optimizer = IDELTA_OPTIMIZER_ADAMW;
  study.networks[3].train.compute = IDELTA_FORMAT_BF16;
  return study;
}

void expect_spread(const nn::Spread& s, double mean, double deviation, double least, double most) {
  EXPECT_NEAR(mean, s.mean, 1e-12);
  EXPECT_NEAR(deviation, s.deviation, 1e-12);
  EXPECT_EQ(least, s.least);
  EXPECT_EQ(most, s.most);
}

TEST(Study, BandsAreMeanAndSpreadOfOneDepthAndOneKindOfLabels) {
  const nn::Study study = small_study();
  const nn::StudyBands bands = nn::summarise(study, 3);
  EXPECT_EQ(2, bands.networks);
  ASSERT_EQ(3u, bands.accuracy.size());
  expect_spread(bands.accuracy[0], 0.3, std::sqrt(0.02), 0.2, 0.4);
  expect_spread(bands.test_accuracy, 0.7, std::sqrt(0.02), 0.6, 0.8);
  expect_spread(bands.cross_entropy[2], 0.3, std::sqrt(0.02), 1 - 0.8, 1 - 0.6);
  expect_spread(bands.spectral_norm[2], 0.35, std::sqrt(0.005), 0.3, 0.4);
  expect_spread(bands.frobenius_ratio[0], 0.075, std::sqrt(0.00125), 0.05, 0.1);
  expect_spread(bands.seconds, 7, std::sqrt(2.0), 6, 8);
  EXPECT_EQ(0.2, bands.largest_hidden_norm) << "the last layer does not count";
  EXPECT_EQ(0.2, bands.largest_inner_norm) << "nor does the first";
  EXPECT_TRUE(bands.rises) << "half a point less than the layer below is within a point";
  EXPECT_EQ((std::vector<int64_t>{2, 3}), nn::depths(study));

  const nn::StudyBands control = nn::summarise(study, 3, nn::StudyLabels::kShuffled);
  EXPECT_EQ(1, control.networks);
  expect_spread(control.test_accuracy, 0.1, 0, 0.1, 0.1);
  EXPECT_EQ(0, nn::summarise(study, 4).networks);
  EXPECT_EQ(0, nn::summarise(study, 2, nn::StudyLabels::kShuffled).networks);
}

TEST(Study, AllBandsAreOfEachDepthAndKindOfLabelsThatIsThere) {
  std::vector<std::tuple<int64_t, nn::StudyLabels, int64_t>> all;
  for (const nn::StudyBands& bands : nn::summarise(small_study())) {
    all.emplace_back(bands.layers, bands.labels, bands.networks);
  }
  const std::vector<std::tuple<int64_t, nn::StudyLabels, int64_t>> expected = {
      {2, nn::StudyLabels::kTrue, 1}, {3, nn::StudyLabels::kTrue, 2}, {3, nn::StudyLabels::kShuffled, 1}};
  EXPECT_EQ(expected, all);
}

TEST(Study, AccuracyRisesOnlyIfItDoesInEveryNetwork) {
  nn::Study study = small_study();
  EXPECT_FALSE(nn::summarise(study, 2).rises);
  EXPECT_TRUE(nn::summarise(study, 2).hidden_rise);
  study.networks[1].reports[1].accuracy = 0.38;
  EXPECT_FALSE(nn::summarise(study, 3).rises);
  EXPECT_FALSE(nn::summarise(study, 3).hidden_rise);
}

TEST(Study, FilesGiveBackWhatWasWritten) {
  const TemporaryFolder folder;
  const nn::Study study = small_study();
  nn::write_study(folder.path(), study);
  for (const std::string& path : {folder.path(), folder / "study.json"}) {
    const nn::Study read = nn::read_study(path);
    EXPECT_EQ(study.data, read.data);
    EXPECT_EQ(study.training_images, read.training_images);
    EXPECT_EQ(study.test_images, read.test_images);
    nn::Settings network = nn::settings(study.network);
    network.erase("layers");  // which each network has for itself
    EXPECT_EQ("", nn::difference(nn::settings(read.network), network));
    ASSERT_EQ(study.networks.size(), read.networks.size());
    for (size_t i = 0; i < study.networks.size(); ++i) {
      const nn::StudyNetwork &wrote = study.networks[i], &got = read.networks[i];
      EXPECT_EQ(wrote.file, got.file);
      EXPECT_EQ(wrote.layers, got.layers);
      EXPECT_EQ(wrote.labels, got.labels);
      EXPECT_EQ(wrote.seconds, got.seconds);
      EXPECT_EQ(wrote.parameters_hash, got.parameters_hash);
      EXPECT_TRUE(wrote.train == got.train) << nn::difference(nn::settings(wrote.train), nn::settings(got.train));
      for (size_t l = 0; l < wrote.reports.size(); ++l) {
        EXPECT_EQ(wrote.reports[l].accuracy, got.reports[l].accuracy);
        EXPECT_EQ(wrote.reports[l].cross_entropy, got.reports[l].cross_entropy);
        EXPECT_EQ(wrote.reports[l].spectral_norm, got.reports[l].spectral_norm);
        EXPECT_EQ(wrote.reports[l].frobenius_ratio, got.reports[l].frobenius_ratio);
      }
    }
  }
  const Bytes csv = read_bytes(folder / "study.csv");
  EXPECT_EQ(1 + 3 + 3 + 3 + 2, std::count(csv.begin(), csv.end(), '\n')) << "a row a network and layer";
  EXPECT_EQ(2u, folder.entries());
}

TEST(Study, FilesThatAreNoneAreRefusedByName) {
  const TemporaryFolder folder;
  nn::write_study(folder.path(), small_study());
  const std::string path = folder / "study.json";
  const Bytes whole = read_bytes(path);
  const std::string text(whole.begin(), whole.end());
  const auto refused = [&](const std::string& from, const std::string& to, std::initializer_list<std::string> parts) {
    std::string changed = text;
    const size_t at = changed.find(from);
    ASSERT_NE(std::string::npos, at) << from;
    changed.replace(at, from.size(), to);
    write_text(path, changed);
    expect_error([&] { nn::read_study(path); }, parts);
  };
  refused("idelta-study", "idelta-other", {path, "schema"});
  refused("\"version\": 1", "\"version\": 2", {path, "'version' is 2; only 1 is read"});
  refused("\"networks\"", "\"network5\"", {path, "networks"});
  refused("\"momentum\",", "\"sgdd\",", {path, "optimizer", "sgdd", "adamw"});
  refused("\"epochs\": 3", "\"epochs\": 3.5", {path, "epochs", "3.5"});
  refused("\"layers\": 3", "\"layers\": 4", {path, "4 layers, but 3"});
  refused("\"true\"", "\"maybe\"", {path, "labels", "maybe"});
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  refused("\"epochs\": 3", "\"epochs\": " + deep, {path, "nests deeper"});
  for (const size_t size : {size_t{0}, size_t{1}, whole.size() / 2, whole.size() - 2}) {
    write_bytes(path, Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    expect_error([&] { nn::read_study(folder.path()); }, {path});
  }
  expect_error([&] { nn::read_study(folder / "missing"); }, {"missing"});
}

TEST(Study, DefaultsGiveDeeperNetworksLowerRates) {
  EXPECT_EQ(0.003f, nn::study_defaults(10).learning_rate);
  EXPECT_EQ(0.0015f, nn::study_defaults(30).learning_rate);
  EXPECT_EQ(0.0005f, nn::study_defaults(100).learning_rate);
  EXPECT_EQ(IDELTA_FORMAT_F32, nn::study_defaults(1).compute);
  EXPECT_EQ(IDELTA_FORMAT_BF16, nn::study_defaults(100).compute);
  expect_error([] { nn::study_defaults(0); }, {"layers is 0"});
}

TEST(Study, ParametersHashTellsNetworksApart) {
  nn::Network a(nn_context(), pattern_options(2)), b(nn_context(), pattern_options(2));
  EXPECT_EQ(nn::parameters_hash(a), nn::parameters_hash(b));
  EXPECT_EQ(16u, nn::parameters_hash(a).size());
  randomise(b, 1);
  EXPECT_NE(nn::parameters_hash(a), nn::parameters_hash(b));
}

}  // namespace
}  // namespace idelta_test
