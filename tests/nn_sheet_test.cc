// The contribution-map sheet, read back with libpng.
#include <png.h>

#include "nn_support.h"

namespace idelta_test {
namespace {

struct Png {
  int64_t width = 0, height = 0;
  Bytes pixels;

  std::array<int, 3> at(int64_t x, int64_t y) const {
    const uint8_t* p = pixels.data() + (y * width + x) * 3;
    return {p[0], p[1], p[2]};
  }
};

Png read_png(const std::string& path) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  EXPECT_NE(0, png_image_begin_read_from_file(&image, path.c_str())) << image.message;
  image.format = PNG_FORMAT_RGB;
  Png png;
  png.width = image.width;
  png.height = image.height;
  png.pixels.resize(PNG_IMAGE_SIZE(image));
  EXPECT_NE(0, png_image_finish_read(&image, nullptr, png.pixels.data(), 0, nullptr)) << image.message;
  return png;
}

// A decomposition whose first map is +1 at pixel 0, -1 at pixel 1, and 0 elsewhere, and whose second is half of it.
nn::ImageDecomposition made(int label) {
  nn::ImageDecomposition d;
  d.label = label;
  d.image.assign(64, 0.0f);
  d.image[0] = 1.0f;
  std::vector<float> map(64, 0.0f);
  map[0] = 1.0f;
  map[1] = -1.0f;
  d.contribution_maps.push_back(map);
  for (float& v : map) v /= 2;
  d.contribution_maps.push_back(map);
  d.class_likelihoods.assign(2, std::vector<float>(10, 0.1f));
  d.predictions = {0, 9};
  return d;
}

// Where sheet.cc puts things for 8 x 8 images: gap 10, lines of 20, pixels 14 times as large, cells 130 apart.
constexpr int64_t kLeft = 10, kTop = 30, kCell = 130, kFactor = 14, kRow = 8 * kFactor + 2 * 20 + 2 * 10;
constexpr std::array<int, 3> kWhite = {255, 255, 255}, kBlack = {0, 0, 0};

class Sheet : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  std::string path_ = folder_ / "maps.png";
};

TEST_F(Sheet, HasARowAnImageAndAColumnALayer) {
  const nn::ImageDecomposition images[] = {made(0), made(1), made(2)};
  nn::write_contribution_sheet(path_, pattern_options(2), images);
  EXPECT_EQ(1u, folder_.entries());
  const Png png = read_png(path_);
  EXPECT_EQ(kLeft + 3 * kCell, png.width);
  EXPECT_EQ(kTop + 3 * kRow + 20 + 10, png.height) << "a line for the scale stands below";
}

TEST_F(Sheet, OfADeepNetworkHasTwelveLayers) {
  nn::ImageDecomposition deep = made(0);
  while (deep.contribution_maps.size() < 30) {
    deep.contribution_maps.push_back(deep.contribution_maps[0]);
    deep.class_likelihoods.push_back(deep.class_likelihoods[0]);
    deep.predictions.push_back(0);
  }
  nn::write_contribution_sheet(path_, pattern_options(30), {&deep, 1});
  EXPECT_EQ(kLeft + 13 * kCell, read_png(path_).width);
}

TEST_F(Sheet, ColoursAreCentredOnZeroWithOneScaleForAllRows) {
  nn::ImageDecomposition images[] = {made(0), made(0)};
  for (float& v : images[1].contribution_maps[0]) v /= 2;
  nn::write_contribution_sheet(path_, pattern_options(2), images);
  const Png png = read_png(path_);
  // A pixel of column c (0 the input), at its last enlarged dot.
  const auto pixel = [&](int64_t c, int64_t x) {
    return png.at(kLeft + c * kCell + (x + 1) * kFactor - 1, kTop + kFactor - 1);
  };
  EXPECT_EQ(kWhite, pixel(0, 0));
  EXPECT_EQ(kBlack, pixel(0, 1));
  EXPECT_EQ((std::array<int, 3>{178, 24, 43}), pixel(1, 0)) << "the largest value is full red";
  EXPECT_EQ((std::array<int, 3>{33, 102, 172}), pixel(1, 1)) << "its negative is full blue";
  EXPECT_EQ(kWhite, pixel(1, 2)) << "zero is white";
  const auto half = pixel(2, 0);
  EXPECT_NEAR((255 + 178) / 2, half[0], 1);
  EXPECT_NEAR((255 + 24) / 2, half[1], 1);
  EXPECT_EQ(half, png.at(kLeft + kCell + kFactor - 1, kTop + kRow + kFactor - 1))
      << "the second row's scale is the first's";
}

TEST_F(Sheet, HeaderAndCaptionsAreWritten) {
  const nn::ImageDecomposition images[] = {made(0)};
  nn::write_contribution_sheet(path_, pattern_options(2), images);
  const Png png = read_png(path_);
  // Ink in a box below or above a picture; `red` counts only the colour of wrong predictions.
  const auto ink = [&](int64_t column, int64_t top, bool red) {
    int dots = 0;
    for (int64_t y = top; y < top + 14; ++y) {
      for (int64_t x = kLeft + column * kCell; x < kLeft + column * kCell + 120; ++x) {
        const auto p = png.at(x, y);
        dots += p != kWhite && (!red || p[0] > 2 * p[1] + 50);
      }
    }
    return dots;
  };
  const int64_t caption = kTop + 8 * kFactor + 5;
  for (int64_t column = 0; column < 3; ++column) {
    EXPECT_GT(ink(column, 10, false), 50) << "the header of column " << column;
    EXPECT_GT(ink(column, caption, false), 50) << "the caption of column " << column;
  }
  EXPECT_EQ(0, ink(1, caption, true)) << "a right prediction is not red";
  EXPECT_GT(ink(2, caption, true), 50) << "a wrong one is";
}

TEST_F(Sheet, OfAnUntrainedNetworkIsWhite) {
  const idelta::Context context = nn_context();
  const nn::Network network(context, pattern_options(2));
  const int64_t index = 3;
  const auto images = nn::decompose(network, patterns(4, 1), {&index, 1});
  nn::write_contribution_sheet(path_, network.options(), images);
  const Png png = read_png(path_);
  for (int64_t p = 0; p < 8 * kFactor; ++p) EXPECT_EQ(kWhite, png.at(kLeft + kCell + p, kTop + p));
}

TEST_F(Sheet, WrongArgumentsAreNamed) {
  std::vector<nn::ImageDecomposition> images = {made(0)};
  expect_error([&] { nn::write_contribution_sheet(path_, pattern_options(2), {}); }, {"no images"});
  expect_error([&] { nn::write_contribution_sheet(path_, pattern_options(3), images); }, {"3 layers"});
  expect_error([&] { nn::write_contribution_sheet(folder_ / "none/maps.png", pattern_options(2), images); },
               {folder_ / "none"});
  images.assign(10000, made(0));
  expect_error([&] { nn::write_contribution_sheet(path_, pattern_options(2), images); }, {"too large"});
  EXPECT_EQ(0u, folder_.entries());
}

}  // namespace
}  // namespace idelta_test
