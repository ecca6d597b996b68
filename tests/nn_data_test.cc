// Data sets as people have them: EMNIST's and KMNIST's files, pairs of .npy files, names of classes.
#include "nn_support.h"
#include "support/npy_bytes.h"

namespace idelta_test {
namespace {

using Names = std::vector<std::string>;
using Floats = std::vector<float>;

class DataSets : public ::testing::Test {
 protected:
  // Files of a set of EMNIST: two images of 2 x 3, stored column by column, for each split.
  void write_emnist(const std::string& prefix, const Bytes& labels) {
    const Bytes pixels = {0, 255, 51, 102, 153, 204, 0, 255, 51, 102, 153, 204};
    for (const char* split : {"train", "test"}) {
      const std::string start = folder_ / (prefix + "-" + split);
      write_gz(start + "-images-idx3-ubyte.gz", idx_bytes({2, 3, 2}, pixels));
      write_gz(start + "-labels-idx1-ubyte.gz", idx_bytes({2}, labels));
    }
  }

  void write_npy_pair(const std::string& images, const Bytes& image_bytes, const std::string& labels,
                      const Bytes& label_bytes) {
    write_bytes(folder_ / (images + ".npy"), image_bytes);
    write_bytes(folder_ / (labels + ".npy"), label_bytes);
  }

  TemporaryFolder folder_;
};

TEST_F(DataSets, EmnistLettersAreTurnedAndNumberedFromZero) {
  write_emnist("emnist-letters", {1, 26});
  for (const std::string& place : {folder_.path(), folder_ / "emnist-letters"}) {
    for (const nn::Split split : {nn::Split::kTrain, nn::Split::kTest}) {
      const nn::Dataset data = nn::load_dataset(place, split);
      EXPECT_EQ(place, data.name);
      EXPECT_EQ(2, data.height);
      EXPECT_EQ(3, data.width);
      const Floats image = {0.0f, 51.0f / 255, 153.0f / 255, 1.0f, 102.0f / 255, 204.0f / 255};
      EXPECT_EQ(image, Floats(data.images.begin(), data.images.begin() + 6));
      EXPECT_EQ((Bytes{0, 25}), data.labels);
      EXPECT_EQ(26, data.classes);
      ASSERT_EQ(26u, data.class_names.size());
      EXPECT_EQ("A", data.class_names[0]);
      ASSERT_EQ(2u, data.notes.size());
      EXPECT_NE(std::string::npos, data.notes[0].find("turned")) << data.notes[0];
      EXPECT_NE(std::string::npos, data.notes[1].find("lowered by 1")) << data.notes[1];
    }
  }
  write_emnist("emnist-letters", {0, 26});
  expect_error([&] { nn::load_dataset(folder_.path(), nn::Split::kTrain); },
               {folder_ / "emnist-letters-train-labels-idx1-ubyte.gz", "label 0", "from 1"});
}

TEST_F(DataSets, OtherEmnistSetsKeepTheirLabels) {
  write_emnist("emnist-balanced", {0, 46});
  const nn::Dataset data = nn::load_dataset(folder_.path(), nn::Split::kTrain);
  EXPECT_EQ((Bytes{0, 46}), data.labels);
  ASSERT_EQ(47u, data.class_names.size());
  EXPECT_EQ("t", data.class_names[46]);
  EXPECT_EQ(1u, data.notes.size());
}

TEST_F(DataSets, SeveralSetsInAFolderAreListed) {
  write_emnist("emnist-letters", {1, 26});
  write_emnist("emnist-digits", {0, 9});
  expect_error([&] { nn::load_dataset(folder_.path(), nn::Split::kTrain); },
               {folder_.path(), "2 data sets", "emnist-digits, emnist-letters", folder_ / "emnist-digits"});
  EXPECT_EQ(10, nn::load_dataset(folder_ / "emnist-digits", nn::Split::kTest).classes);
  expect_error([&] { nn::load_dataset(folder_ / "emnist-byclass", nn::Split::kTest); },
               {folder_ / "emnist-byclass", "does not exist"});
  std::filesystem::remove(folder_ / "emnist-digits-test-labels-idx1-ubyte.gz");
  expect_error([&] { nn::load_dataset(folder_ / "emnist-digits", nn::Split::kTest); },
               {folder_.path(), "emnist-digits-test-labels-idx1-ubyte.gz"});
}

TEST_F(DataSets, KmnistArchivesAreRead) {
  const Bytes pixels = {0, 255, 51, 102, 153, 204, 0, 1};
  for (const char* split : {"train", "test"}) {
    const std::string start = folder_ / (std::string("kmnist-") + split);
    write_bytes(start + "-imgs.npz", zip_bytes({{"arr_0.npy", npy_bytes("|u1", "(2, 2, 2)", pixels), true}}));
    write_bytes(start + "-labels.npz", zip_bytes({{"arr_0.npy", npy_bytes("|u1", "(2,)", {9, 0}), true}}));
  }
  const nn::Dataset data = nn::load_dataset(folder_.path(), nn::Split::kTest);
  EXPECT_EQ(2, data.height);
  EXPECT_EQ((Bytes{9, 0}), data.labels);
  EXPECT_EQ(1.0f, data.images[1]);
  ASSERT_EQ(10u, data.class_names.size());
  EXPECT_EQ("tsu", data.class_names[3]);
  std::filesystem::remove(folder_ / "kmnist-test-labels.npz");
  expect_error([&] { nn::load_dataset(folder_.path(), nn::Split::kTest); }, {folder_.path(), "kmnist-test-labels.npz"});
}

TEST_F(DataSets, ArchiveOfFourArraysIsRead) {
  write_bytes(folder_ / "mnist.npz", zip_bytes({{"x_train.npy", npy_bytes("|u1", "(2, 1, 2)", {0, 255, 255, 0}), true},
                                                {"y_train.npy", npy_bytes("|u1", "(2,)", {1, 0}), true}}));
  EXPECT_EQ((Floats{0, 1, 1, 0}), nn::load_dataset(folder_ / "mnist.npz", nn::Split::kTrain).images);
  expect_error([&] { nn::load_dataset(folder_ / "mnist.npz", nn::Split::kTest); },
               {folder_ / "mnist.npz", "test_images", "x_test"});
}

TEST_F(DataSets, NpyBytesBecomePixels) {
  write_npy_pair("train_images", npy_bytes("|u1", "(2, 1, 3)", {0, 51, 255, 1, 2, 3}), "train_labels",
                 npy_bytes("<i8", "(2, 1)", {2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  const nn::Dataset data = nn::load_dataset(folder_.path(), nn::Split::kTrain);
  EXPECT_EQ(1, data.height);
  EXPECT_EQ(3, data.width);
  EXPECT_EQ((Floats{0, 51.0f / 255, 1}), Floats(data.images.begin(), data.images.begin() + 3));
  EXPECT_EQ((Bytes{2, 0}), data.labels);
  EXPECT_EQ(3, data.classes);
  EXPECT_TRUE(data.scaling.empty());
  const nn::Dataset centred = nn::load_dataset(folder_.path(), nn::Split::kTrain, {.scale = nn::Scale::kMinusOneToOne});
  EXPECT_EQ(-1.0f, centred.images[0]);
  EXPECT_EQ(1.0f, centred.images[2]);
  EXPECT_EQ(3u, centred.scaling.factors.size());
  EXPECT_EQ(3, nn::load_dataset(folder_.path(), nn::Split::kTrain, 1).classes) << "those of the whole set";
}

TEST_F(DataSets, NpyFloatsAreTakenAsTheyAreOrScaledAsTheTrainingRows) {
  const Bytes labels = npy_bytes("|u1", "(2,)", {0, 1});
  write_npy_pair("x_train", npy_bytes("<f4", "(2, 2)", bytes_of<float>({0, 10, 4, 30})), "y_train", labels);
  write_npy_pair("X_test", npy_bytes("<f4", "(2, 2)", bytes_of<float>({8, 10, 1, 20})), "Y_test", labels);
  EXPECT_EQ((Floats{8, 10, 1, 20}), nn::load_dataset(folder_.path(), nn::Split::kTest).images);
  const nn::LoadOptions unit{.scale = nn::Scale::kZeroToOne};
  EXPECT_EQ((Floats{0, 0, 1, 1}), nn::load_dataset(folder_.path(), nn::Split::kTrain, unit).images);
  const nn::Dataset test = nn::load_dataset(folder_.path(), nn::Split::kTest, unit);
  EXPECT_EQ((Floats{2, 0, 0.25f, 0.5f}), test.images);
  nn::NetworkOptions network{.height = 1, .width = 2, .classes = 2};
  network.scaling = {{0, 0}, {1, 10}};
  EXPECT_EQ((Floats{8, 100, 1, 200}), nn::load_dataset(folder_.path(), nn::Split::kTest, {.network = &network}).images);
  network.scaling = {{0}, {1}};
  expect_error([&] { nn::load_dataset(folder_.path(), nn::Split::kTest, {.network = &network}); },
               {folder_ / "X_test.npy", "2 inputs", "trained with 1"});
  nn::LoadOptions one = unit;
  one.most = 1;
  EXPECT_EQ(test.scaling, nn::load_dataset(folder_.path(), nn::Split::kTrain, one).scaling) << "of all training rows";
  EXPECT_EQ((Floats{2, 0}), nn::load_dataset(folder_.path(), nn::Split::kTest, one).images);
}

TEST_F(DataSets, NpyFaultsAreNamed) {
  const Bytes images = npy_bytes("<f4", "(2, 2)", bytes_of<float>({0, 10, 4, 30}));
  const auto load = [&] { nn::load_dataset(folder_.path(), nn::Split::kTrain); };
  const auto labels = [&](const Bytes& bytes, std::initializer_list<std::string> parts) {
    write_npy_pair("x_train", images, "y_train", bytes);
    expect_error(load, parts);
    expect_error(load, {folder_ / "y_train.npy"});
  };
  labels(npy_bytes("|u1", "(3,)", {0, 1, 1}), {"3 labels", folder_ / "x_train.npy", "2 images"});
  labels(npy_bytes("|u1", "(2, 2)", {0, 1, 1, 0}), {"[2, 2]", "[m]"});
  labels(npy_bytes("<f4", "(2,)", bytes_of<float>({0, 1})), {"floats", "astype"});
  labels(npy_bytes("<i2", "(2,)", {0, 1, 5, 0}), {"label 0 is 256", "0 to 255"});
  labels(npy_bytes("|i1", "(2,)", {0, 0xff}), {"label 1 is -1", "from 0"});
  const auto pictures = [&](const Bytes& bytes, std::initializer_list<std::string> parts) {
    write_npy_pair("x_train", bytes, "y_train", npy_bytes("|u1", "(2,)", {0, 1}));
    expect_error(load, parts);
    expect_error(load, {folder_ / "x_train.npy"});
  };
  pictures(npy_bytes("|u1", "(2,)", {0, 1}), {"[2]", "[m, h, w]"});
  pictures(npy_bytes("|u1", "(2, 1, 1, 3)", Bytes(6)), {"[2, 1, 1, 3]"});
  pictures(npy_bytes("|u1", "(2, 0)", {}), {"[2, 0]", "no images"});
  pictures(npy_bytes("|u1", "(0, 9000000000, 9000000000)", {}), {"more values"});
  pictures(npy_bytes("<f4", "(2, 2)", bytes_of<float>({0, 1, NAN, 0})), {"entry 0 of row 1 is nan", "not finite"});
  std::filesystem::remove(folder_ / "y_train.npy");
  expect_error(load, {folder_.path(), "neither train_labels.npy nor y_train.npy"});
}

TEST_F(DataSets, ClassNamesAreThoseOfTheFolderOrOfTheFileGiven) {
  for (const char* split : {"train", "t10k"}) {
    write_bytes(folder_ / (std::string(split) + "-images-idx3-ubyte"), idx_bytes({2, 1, 1}, {0, 1}));
  }
  write_bytes(folder_ / "train-labels-idx1-ubyte", idx_bytes({2}, {0, 2}));
  write_bytes(folder_ / "t10k-labels-idx1-ubyte", idx_bytes({2}, {0, 1}));
  const auto train = [&] { return nn::load_dataset(folder_.path(), nn::Split::kTrain); };
  EXPECT_TRUE(train().class_names.empty());
  write_text(folder_ / "classes.txt", "cat\ndog\nbird\n");
  EXPECT_EQ((Names{"cat", "dog", "bird"}), train().class_names);
  const nn::Dataset test = nn::load_dataset(folder_.path(), nn::Split::kTest);
  EXPECT_EQ(3, test.classes) << "of which the test split shows two";
  EXPECT_EQ(3u, test.class_names.size());
  write_text(folder_ / "others",
             "\xef\xbb\xbf"
             "Katze\r\nHund\r\nV\xc3\xb6gel");
  EXPECT_EQ((Names{"Katze", "Hund", "V\xc3\xb6gel"}),
            nn::load_dataset(folder_.path(), nn::Split::kTrain, {.classes_path = folder_ / "others"}).class_names);
  const auto fails = [&](const std::string& text, std::initializer_list<std::string> parts) {
    write_text(folder_ / "classes.txt", text);
    expect_error(train, parts);
    expect_error(train, {folder_ / "classes.txt"});
  };
  fails("cat\ndog\n", {"2 class names", "3 classes"});
  fails("cat\n\nbird\n", {"line 2 is empty"});
  fails("cat\ncat\nbird\n", {"'cat' twice"});
  fails("cat\n\xff\nbird\n", {"line 2 is not UTF-8"});
  fails("cat\nd\tog\nbird\n", {"line 2 holds a control character"});
  fails("\n\n", {"no class names"});
  expect_error([&] { nn::load_dataset(folder_.path(), nn::Split::kTrain, {.label = "x"}); },
               {folder_.path(), "no CSV", "'x'"});
}

TEST_F(DataSets, FashionMnistHasItsNames) {
  std::filesystem::create_directory(folder_ / "fashion-mnist");
  const std::string start = folder_ / "fashion-mnist/train-";
  write_bytes(start + "images-idx3-ubyte", idx_bytes({2, 1, 1}, {0, 1}));
  write_bytes(start + "labels-idx1-ubyte", idx_bytes({2}, {0, 9}));
  const std::string before = std::getenv("IDELTA_DATA") ? std::getenv("IDELTA_DATA") : "";
  setenv("IDELTA_DATA", folder_.path().c_str(), 1);
  const nn::Dataset data = nn::load_dataset("fashion-mnist", nn::Split::kTrain);
  before.empty() ? unsetenv("IDELTA_DATA") : setenv("IDELTA_DATA", before.c_str(), 1);
  ASSERT_EQ(10u, data.class_names.size());
  EXPECT_EQ("T-shirt/top", data.class_names[0]);
  EXPECT_EQ("Ankle boot", data.class_names[9]);
  EXPECT_EQ(data.class_names, nn::head(data, 1).class_names);
}

}  // namespace
}  // namespace idelta_test
