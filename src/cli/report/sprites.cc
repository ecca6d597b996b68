#include "sprites.h"

#include <algorithm>
#include <cmath>

#include "html.h"
#include "nn/colours.h"
#include "nn/indexed_png.h"

namespace idelta::cli::report {
namespace {

// Levels of signed values: 0 .. 254, of which 127 is zero, so that both sides have the same steps.
constexpr int kZero = 127;

}  // namespace

Sprites::Sprites(int64_t rows, int64_t columns, int64_t height, int64_t width)
    : rows_(rows),
      columns_(columns),
      height_(height),
      width_(width),
      levels_(static_cast<size_t>(rows * columns * height * width), kZero) {}

template <class Level>
void Sprites::draw(int64_t row, int64_t column, std::span<const float> values, const Level& level) {
  const int64_t stride = columns_ * width_;
  uint8_t* const cell = levels_.data() + row * height_ * stride + column * width_;
  for (int64_t y = 0; y < height_; ++y) {
    for (int64_t x = 0; x < width_; ++x) cell[y * stride + x] = level(values[static_cast<size_t>(y * width_ + x)]);
  }
}

void Sprites::draw_signed(int64_t row, int64_t column, std::span<const float> values, double limit) {
  const double unit = limit > 0 ? 1 / limit : 0;
  draw(row, column, values, [unit](float v) {
    return static_cast<uint8_t>(kZero + std::lround(kZero * std::clamp(double(v) * unit, -1.0, 1.0)));
  });
}

void Sprites::draw_grey(int64_t row, int64_t column, std::span<const float> values) {
  draw(row, column, values, [](float v) { return static_cast<uint8_t>(std::lround(255 * std::clamp(v, 0.f, 1.f))); });
}

std::string Sprites::signed_png() const {
  std::vector<nn::Colour> palette;
  for (int level = 0; level <= 2 * kZero; ++level) palette.push_back(nn::diverging(float(level - kZero) / kZero));
  return data_uri("image/png", nn::indexed_png(columns_ * width_, rows_ * height_, levels_, palette));
}

std::string Sprites::grey_png() const {
  std::vector<nn::Colour> palette;
  for (int level = 0; level < 256; ++level) {
    const auto v = static_cast<uint8_t>(level);
    palette.push_back({v, v, v});
  }
  return data_uri("image/png", nn::indexed_png(columns_ * width_, rows_ * height_, levels_, palette));
}

}  // namespace idelta::cli::report
