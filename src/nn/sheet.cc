// The contribution-map sheet: a table of pictures with a row an image and a column a layer, all on one scale. Of deep
// networks it shows some layers, evenly spaced.
//
//     INPUT      LAYER 1    LAYER 2  ...
//     [grey]     [map]      [map]           maps: blue < 0, white 0, red > 0
//     #7 IS 9    9 97%      9 99%           under a map: prediction and its likelihood, red if wrong
//     ...
//     -0.412 BLUE   0 WHITE   +0.412 RED    the scale of all maps
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "error.h"
#include "font.h"
#include "idelta/nn.hpp"
#include "picture.h"
#include "sheet_columns.h"

namespace idelta::nn {
namespace {

constexpr Colour kInk = {32, 32, 32}, kWrong = {190, 20, 20}, kFrame = {200, 200, 200};

// Pictures are shown about this wide and high, by a whole factor: 28 x 28 pixels four times as large.
constexpr int64_t kPictureSide = 112;
constexpr int64_t kTextSize = 2;
constexpr int64_t kTextColumns = 10;  // characters a cell has room for
constexpr int64_t kLine = (kGlyphHeight + 3) * kTextSize;
constexpr int64_t kGap = 10;

struct Layout {
  int64_t factor, picture_width, picture_height, cell_width, row_height;

  explicit Layout(const NetworkOptions& options) {
    factor = std::max<int64_t>(1, kPictureSide / std::max(options.height, options.width));
    picture_width = factor * options.width;
    picture_height = factor * options.height;
    cell_width = std::max(picture_width, kTextColumns * (kGlyphWidth + 1) * kTextSize) + kGap;
    row_height = picture_height + 2 * kLine + 2 * kGap;
  }
  int64_t left(int64_t column) const { return kGap + column * cell_width; }
  int64_t top(int64_t row) const { return kGap + kLine + row * row_height; }
  int64_t text_top(int64_t row) const { return top(row) + picture_height + kGap / 2; }
};

Colour grey(float v) {
  const auto level = static_cast<uint8_t>(std::lround(255.0f * std::clamp(v, 0.0f, 1.0f)));
  return {level, level, level};
}

template <class ColourOf>
void draw(Picture& sheet, const Layout& at, const NetworkOptions& options, int64_t row, int64_t column,
          const std::vector<float>& values, const ColourOf& colour_of) {
  const int64_t left = at.left(column), top = at.top(row);
  sheet.fill(left - 1, top - 1, at.picture_width + 2, at.picture_height + 2, kFrame);
  for (int64_t y = 0; y < options.height; ++y) {
    for (int64_t x = 0; x < options.width; ++x) {
      sheet.fill(left + x * at.factor, top + y * at.factor, at.factor, at.factor,
                 colour_of(values[y * options.width + x]));
    }
  }
}

std::string three_digits(float v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", static_cast<double>(v));
  std::string upper(text);
  std::replace(upper.begin(), upper.end(), 'e', 'E');  // the font has capitals only
  return upper;
}

float largest(std::span<const ImageDecomposition> images, const std::vector<int64_t>& layers) {
  float scale = 0;
  for (const ImageDecomposition& d : images) {
    for (const int64_t layer : layers) {
      for (const float v : d.contribution_maps[layer - 1]) scale = std::max(scale, std::fabs(v));
    }
  }
  return scale;
}

void draw_row(Picture& sheet, const Layout& at, const NetworkOptions& options, int64_t row, const ImageDecomposition& d,
              const std::vector<int64_t>& layers, float scale) {
  draw(sheet, at, options, row, 0, d.image, grey);
  sheet.write(at.left(0), at.text_top(row), kTextSize, "#" + std::to_string(d.index) + " IS " + std::to_string(d.label),
              kInk);

  // An untrained network changes nothing: all white, not 0 / 0.
  const float unit = scale > 0 ? 1.0f / scale : 0.0f;
  for (size_t c = 0; c < layers.size(); ++c) {
    const auto column = static_cast<int64_t>(c) + 1;
    const int64_t l = layers[c] - 1;
    draw(sheet, at, options, row, column, d.contribution_maps[l], [unit](float v) { return diverging(v * unit); });
    const int predicted = d.predictions[l];
    const long percent = std::lround(100.0f * d.class_likelihoods[l][predicted]);
    sheet.write(at.left(column), at.text_top(row), kTextSize,
                std::to_string(predicted) + " " + std::to_string(percent) + "%", predicted == d.label ? kInk : kWrong);
  }
}

void check(const NetworkOptions& options, const ImageDecomposition& d) {
  const auto pixels = static_cast<size_t>(options.pixels());
  const auto layers = static_cast<size_t>(options.layers);
  bool fits = d.image.size() == pixels && d.contribution_maps.size() == layers &&
              d.class_likelihoods.size() == layers && d.predictions.size() == layers;
  for (size_t l = 0; fits && l < layers; ++l) {
    fits = d.contribution_maps[l].size() == pixels && d.predictions[l] >= 0 &&
           static_cast<size_t>(d.predictions[l]) < d.class_likelihoods[l].size();
  }
  if (!fits) {
    fail("contribution sheet: the decomposition of image ", d.index, " is not of a network of ", options.layers,
         " layers and ", options.height, " x ", options.width, " pixels; give the network's own options");
  }
}

}  // namespace

void write_contribution_sheet(const std::string& path, const NetworkOptions& options,
                              std::span<const ImageDecomposition> images) {
  if (images.empty()) fail("contribution sheet: no images are given; give at least one");
  for (const ImageDecomposition& d : images) check(options, d);

  const Layout at(options);
  const std::vector<int64_t> layers = sheet_columns(options.layers);
  const auto rows = static_cast<int64_t>(images.size()), columns = static_cast<int64_t>(layers.size());
  Picture sheet(at.left(columns + 1), at.top(rows) + kLine + kGap);
  sheet.write(at.left(0), kGap, kTextSize, "INPUT", kInk);
  for (int64_t c = 0; c < columns; ++c) {
    sheet.write(at.left(c + 1), kGap, kTextSize, "LAYER " + std::to_string(layers[c]), kInk);
  }
  const float scale = largest(images, layers);
  for (int64_t row = 0; row < rows; ++row) draw_row(sheet, at, options, row, images[row], layers, scale);
  const std::string limit = three_digits(scale);
  sheet.write(at.left(0), at.top(rows), kTextSize, "-" + limit + " BLUE   0 WHITE   +" + limit + " RED", kInk);
  sheet.save_png(path);
}

}  // namespace idelta::nn
