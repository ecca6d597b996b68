// IDX files and data sets: sound ones in every packing, and every damage with its sentence.
#include <cstdlib>

#include "nn_support.h"

namespace idelta_test {
namespace {

const Bytes kPixels = {0, 51, 102, 153, 204, 255, 1, 2, 3, 4, 5, 6};  // two images of 2 x 3
const Bytes kLabels = {3, 1};

Bytes images() { return idx_bytes({2, 2, 3}, kPixels); }
Bytes labels() { return idx_bytes({2}, kLabels); }

void expect_the_set(const nn::Dataset& data) {
  EXPECT_EQ(2, data.count);
  EXPECT_EQ(2, data.height);
  EXPECT_EQ(3, data.width);
  EXPECT_EQ(4, data.classes) << "the largest label and one";
  EXPECT_EQ(kLabels, data.labels);
  ASSERT_EQ(kPixels.size(), data.images.size());
  for (size_t i = 0; i < kPixels.size(); ++i) EXPECT_EQ(static_cast<float>(kPixels[i]) / 255.0f, data.images[i]);
}

// The environment as it was, afterwards.
class DataVariable {
 public:
  explicit DataVariable(const char* value) {
    if (const char* old = std::getenv("IDELTA_DATA")) old_ = old;
    setenv("IDELTA_DATA", value, 1);
  }
  ~DataVariable() { old_.empty() ? unsetenv("IDELTA_DATA") : setenv("IDELTA_DATA", old_.c_str(), 1); }

 private:
  std::string old_;
};

class Idx : public ::testing::Test {
 protected:
  // load_idx of these bytes fails with a sentence that has the name of the file and all the parts.
  void expect_images_error(const Bytes& bytes, std::initializer_list<std::string> parts) {
    write_bytes(folder_ / "images", bytes);
    write_bytes(folder_ / "labels", labels());
    expect_error([&] { nn::load_idx(folder_ / "images", folder_ / "labels"); }, parts);
    expect_error([&] { nn::load_idx(folder_ / "images", folder_ / "labels"); }, {folder_ / "images"});
  }

  TemporaryFolder folder_;
};

TEST_F(Idx, PlainFilesAreRead) {
  write_bytes(folder_ / "images", images());
  write_bytes(folder_ / "labels", labels());
  expect_the_set(nn::load_idx(folder_ / "images", folder_ / "labels"));
}

TEST_F(Idx, GzippedFilesAreReadWhateverTheirNames) {
  write_gz(folder_ / "images", images());
  write_gz(folder_ / "labels.bin", labels());
  expect_the_set(nn::load_idx(folder_ / "images", folder_ / "labels.bin"));
}

TEST_F(Idx, FolderIsReadWithAnyMixOfPackings) {
  write_gz(folder_ / "train-images-idx3-ubyte.gz", images());
  write_bytes(folder_ / "train-labels-idx1-ubyte", labels());
  write_bytes(folder_ / "t10k-images-idx3-ubyte", images());
  write_gz(folder_ / "t10k-labels-idx1-ubyte.gz", labels());
  for (const nn::Split split : {nn::Split::kTrain, nn::Split::kTest}) {
    const nn::Dataset data = nn::load_dataset(folder_.path(), split);
    expect_the_set(data);
    EXPECT_EQ(folder_.path(), data.name);
  }
}

TEST_F(Idx, DataVariableSaysWhereFashionMnistIs) {
  std::filesystem::create_directory(folder_ / "fashion-mnist");
  write_bytes(folder_ / "fashion-mnist/train-images-idx3-ubyte", images());
  write_bytes(folder_ / "fashion-mnist/train-labels-idx1-ubyte", labels());
  const DataVariable variable(folder_.path().c_str());
  expect_the_set(nn::load_dataset("fashion-mnist", nn::Split::kTrain));
}

TEST_F(Idx, MissingFashionMnistNamesFolderVariableAndPackage) {
  const std::string missing = folder_ / "no-such-folder";
  const DataVariable variable(missing.c_str());
  expect_error([] { nn::load_dataset("fashion-mnist", nn::Split::kTrain); },
               {missing + "/fashion-mnist", "does not exist", "IDELTA_DATA", "dataset-fashion-mnist"});
}

TEST_F(Idx, MissingFolderAndFileAreNamed) {
  const std::string missing = folder_ / "no-such-folder";
  expect_error([&] { nn::load_dataset(missing, nn::Split::kTest); }, {missing, "does not exist"});
  expect_error([&] { nn::load_dataset(folder_.path(), nn::Split::kTest); },
               {folder_.path(), "t10k-images-idx3-ubyte.gz"});
  write_bytes(folder_ / "t10k-images-idx3-ubyte", images());
  expect_error([&] { nn::load_dataset(folder_.path(), nn::Split::kTest); },
               {folder_.path(), "t10k-labels-idx1-ubyte.gz"});
  expect_error([&] { nn::load_dataset(folder_ / "t10k-images-idx3-ubyte", nn::Split::kTest); }, {"is not a folder"});
  expect_error([&] { nn::load_idx(missing, missing); }, {missing, "does not exist"});
  expect_error([&] { nn::load_idx(folder_.path(), folder_.path()); }, {folder_.path(), "is a folder"});
}

TEST_F(Idx, GzCutShortAnywhereIsAnError) {
  write_gz(folder_ / "whole.gz", images());
  const Bytes whole = read_bytes(folder_ / "whole.gz");
  // From the mark of a gz file to one byte short: the last eight bytes are only the checksum and the length.
  for (size_t kept = 2; kept < whole.size(); ++kept) {
    SCOPED_TRACE(kept);
    expect_images_error(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(kept)), {"cut short"});
  }
}

TEST_F(Idx, GzWithAFlippedBitIsAnError) {
  write_gz(folder_ / "whole.gz", images());
  Bytes damaged = read_bytes(folder_ / "whole.gz");
  damaged[damaged.size() - 6] ^= 1;  // of the checksum
  expect_images_error(damaged, {"damaged"});
}

TEST_F(Idx, BytesBehindAGzStreamAreAnErrorAsBehindAPlainFile) {
  write_gz(folder_ / "whole.gz", images());
  const Bytes whole = read_bytes(folder_ / "whole.gz");
  for (const Bytes& extra : {Bytes{'x'}, Bytes{0}, Bytes(512, 0), Bytes{0x1f}, Bytes{'l', 'o', 'n', 'g', 'e', 'r'}}) {
    Bytes longer = whole, plain = images();
    longer.insert(longer.end(), extra.begin(), extra.end());
    expect_images_error(longer, {"goes on for " + std::to_string(extra.size()) + " bytes after the end"});
    plain.insert(plain.end(), extra.begin(), extra.end());
    expect_images_error(plain, {"goes on after the 12 values"});
  }
  // Something that only begins like another stream.
  Bytes longer = whole;
  for (const uint8_t byte : {0x1f, 0x8b, 0x08, 0x00}) longer.push_back(byte);
  expect_images_error(longer, {"cut short"});
  longer[whole.size() + 3] = 0x77;
  expect_images_error(longer, {"damaged"});
  // Or is one, of values that are too many.
  Bytes twice = whole;
  twice.insert(twice.end(), whole.begin(), whole.end());
  expect_images_error(twice, {"goes on after the 12 values"});
}

TEST_F(Idx, GzOfSeveralStreamsIsReadAsOne) {
  const Bytes all = images();
  Bytes joined;
  for (const auto& [begin, end] : {std::pair(0, 5), std::pair(5, 5), std::pair(5, 17), std::pair(17, 28)}) {
    write_gz(folder_ / "part.gz", Bytes(all.begin() + begin, all.begin() + end));
    const Bytes part = read_bytes(folder_ / "part.gz");
    joined.insert(joined.end(), part.begin(), part.end());
  }
  ASSERT_EQ(28u, all.size());
  write_bytes(folder_ / "images", joined);
  write_bytes(folder_ / "labels", labels());
  expect_the_set(nn::load_idx(folder_ / "images", folder_ / "labels"));
}

TEST_F(Idx, HeaderDamageIsNamed) {
  expect_images_error({}, {"holds 0 bytes"});
  expect_images_error({0, 0, 8}, {"holds 3 bytes"});
  expect_images_error({0, 0, 8, 3, 0, 0, 0, 2}, {"inside its header"});
  expect_images_error({0x89, 'P', 'N', 'G', 1, 2, 3, 4}, {"89 50 4e 47"});
  Bytes floats = images();
  floats[2] = 0x0d;
  expect_images_error(floats, {"type 0x0d", "unsigned bytes"});
  expect_images_error(labels(), {"rank 1", "rank 3", "exchanged"});
}

TEST_F(Idx, HeaderThatLiesAboutSizesIsAnError) {
  expect_images_error(idx_bytes({3, 2, 3}, kPixels), {"ends after 12 of the 18 values", "3 x 2 x 3"});
  expect_images_error(idx_bytes({1, 2, 3}, kPixels), {"goes on after the 6 values"});
  expect_images_error(idx_bytes({2, 0, 3}, {}), {"holds no pixels"});
  // Nothing near these sizes may be allocated.
  expect_images_error(idx_bytes({1u << 20, 1u << 10, 1u << 10}, kPixels), {"ends after 12 of"});
  expect_images_error(idx_bytes({0xffffffffu, 0xffffffffu, 0xffffffffu}, kPixels), {"more than any memory"});
}

TEST_F(Idx, AnotherNumberOfLabelsIsAnError) {
  write_bytes(folder_ / "images", images());
  write_bytes(folder_ / "labels", idx_bytes({3}, {1, 2, 3}));
  expect_error([&] { nn::load_idx(folder_ / "images", folder_ / "labels"); },
               {folder_ / "labels", "3 labels", folder_ / "images", "2 images"});
}

TEST_F(Idx, HeadTakesTheFirstImagesAndKeepsTheClasses) {
  write_bytes(folder_ / "images", images());
  write_bytes(folder_ / "labels", labels());
  const nn::Dataset whole = nn::load_idx(folder_ / "images", folder_ / "labels");
  const nn::Dataset one = nn::head(whole, 1);
  EXPECT_EQ(1, one.count);
  EXPECT_EQ(4, one.classes);
  EXPECT_EQ(std::vector<float>(whole.images.begin(), whole.images.begin() + 6), one.images);
  EXPECT_EQ(Bytes{3}, one.labels);
  expect_the_set(nn::head(whole, 100));
  expect_error([&] { nn::head(whole, -1); }, {"count is -1"});
}

// An array of a tebibyte, of which the first images are there and the rest is a hole in the file.
TEST_F(Idx, LimitReadsNoMoreThanItNeeds) {
  constexpr uint32_t kImages = 1u << 20, kSide = 1u << 10;
  write_bytes(folder_ / "images", idx_bytes({kImages, kSide, kSide}, Bytes(kSide, 255)));
  std::filesystem::resize_file(folder_ / "images", 16 + uint64_t{kImages} * kSide * kSide);
  Bytes all_labels(kImages);
  all_labels[1] = 3;
  all_labels.back() = 9;
  write_gz(folder_ / "labels", idx_bytes({kImages}, all_labels));
  const nn::Dataset data = nn::load_idx(folder_ / "images", folder_ / "labels", 2);
  EXPECT_EQ(2, data.count);
  EXPECT_EQ(10, data.classes) << "those of the whole set";
  EXPECT_EQ((Bytes{0, 3}), data.labels);
  ASSERT_EQ(size_t{2} * kSide * kSide, data.images.size());
  EXPECT_EQ(1.0f, data.images[kSide - 1]);
  EXPECT_EQ(0.0f, data.images[kSide]);
  // Whether such a file is whole is known without reading it.
  std::filesystem::resize_file(folder_ / "images", 15 + uint64_t{kImages} * kSide * kSide);
  expect_error([&] { nn::load_idx(folder_ / "images", folder_ / "labels", 2); }, {folder_ / "images", "ends after"});
}

TEST_F(Idx, LimitUnpacksNoMoreThanItNeeds) {
  Bytes pixels(20000);
  Random random(1);
  for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(random.below(256));
  write_gz(folder_ / "images", idx_bytes({2000, 2, 5}, pixels));
  write_bytes(folder_ / "labels", idx_bytes({2000}, Bytes(2000, 1)));
  Bytes cut = read_bytes(folder_ / "images");
  cut.resize(cut.size() / 2);
  write_bytes(folder_ / "images", cut);
  const nn::Dataset data = nn::load_idx(folder_ / "images", folder_ / "labels", 10);
  EXPECT_EQ(10, data.count);
  EXPECT_EQ(100u, data.images.size());
  EXPECT_EQ(static_cast<float>(pixels[99]) / 255.0f, data.images[99]);
  expect_error([&] { nn::load_idx(folder_ / "images", folder_ / "labels"); }, {folder_ / "images", "cut short"});
  expect_error([&] { nn::load_idx(folder_ / "images", folder_ / "labels", 0); }, {"most is 0"});
}

TEST_F(Idx, LimitBeyondTheSetIsTheSet) {
  write_bytes(folder_ / "images", images());
  write_bytes(folder_ / "labels", labels());
  expect_the_set(nn::load_idx(folder_ / "images", folder_ / "labels", 2));
  expect_the_set(nn::load_idx(folder_ / "images", folder_ / "labels", 3));
}

TEST_F(Idx, DottedNamesAreRead) {
  write_gz(folder_ / "train-images.idx3-ubyte.gz", images());
  write_bytes(folder_ / "train-labels.idx1-ubyte", labels());
  const nn::Dataset data = nn::load_dataset(folder_.path(), nn::Split::kTrain);
  expect_the_set(data);
  EXPECT_EQ(folder_ / "train-images.idx3-ubyte.gz", data.images_path);
  EXPECT_EQ(folder_ / "train-labels.idx1-ubyte", data.labels_path);
}

TEST_F(Idx, FolderOrLostLinkBesideTheFileIsPassedOver) {
  std::filesystem::create_directory(folder_ / "train-images-idx3-ubyte");
  std::filesystem::create_symlink("nowhere", folder_ / "train-labels-idx1-ubyte");
  const auto load = [&] { return nn::load_dataset(folder_.path(), nn::Split::kTrain); };
  expect_error(load, {folder_ / "train-images-idx3-ubyte", "is a folder"});
  write_gz(folder_ / "train-images-idx3-ubyte.gz", images());
  expect_error(load, {folder_ / "train-labels-idx1-ubyte", "link to nowhere"});
  write_gz(folder_ / "train-labels.idx1-ubyte.gz", labels());
  expect_the_set(load());
}

TEST_F(Idx, FileThatMayBeTheMissingOneIsNamed) {
  write_bytes(folder_ / "letters-test-images.gz", images());
  write_bytes(folder_ / "letters-train-images.gz", images());
  expect_error([&] { nn::load_dataset(folder_.path(), nn::Split::kTrain); }, {"letters-train-images.gz", "link it"});
  expect_error([&] { nn::load_dataset(folder_.path(), nn::Split::kTest); }, {"letters-test-images.gz", "link it"});
}

TEST_F(Idx, ExchangedFilesAreNamed) {
  write_bytes(folder_ / "train-images-idx3-ubyte", labels());
  write_bytes(folder_ / "train-labels-idx1-ubyte", images());
  expect_error([&] { nn::load_dataset(folder_.path(), nn::Split::kTrain); },
               {folder_ / "train-images-idx3-ubyte", "rank 1 where rank 3", "exchanged"});
}

TEST(DatasetWarnings, ClassesWithoutAnImageAreTold) {
  const auto warned = [](const Bytes& labels, int64_t classes) {
    nn::Dataset data = {"set",   static_cast<int64_t>(labels.size()), 1,     1,
                        classes, std::vector<float>(labels.size()),   labels};
    data.labels_path = "folder/labels";
    const std::vector<std::string> found = nn::warnings(data, classes);
    return found.empty() ? std::string() : found.front();
  };
  EXPECT_EQ("", warned({0, 1, 2}, 3));
  EXPECT_EQ("", warned({}, 3));
  const std::string letters =
      warned({1, 26, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25}, 27);
  for (const char* part : {"folder/labels", "from 1 to 26", "27 classes", "subtract 1 from every label"}) {
    EXPECT_NE(std::string::npos, letters.find(part)) << letters;
  }
  const std::string gaps = warned({0, 2}, 12);
  for (const char* part :
       {"folder/labels", "the label 1, 3, 4, 5, 6, 7, 8, 9, ...", "10 of 12 classes", "more images"}) {
    EXPECT_NE(std::string::npos, gaps.find(part)) << gaps;
  }
}

}  // namespace
}  // namespace idelta_test
