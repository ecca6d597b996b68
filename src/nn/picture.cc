// Drawing into a byte array, and libpng's simplified writer.
#include "picture.h"

#include <png.h>

#include <algorithm>

#include "error.h"
#include "files/output_file.h"
#include "font.h"

namespace idelta::nn {
namespace {

// libpng writes sides of at most a million; 100 MB of pixels is more than a viewer shows.
constexpr int64_t kMaxSide = 1'000'000;
constexpr int64_t kMaxPixels = 100'000'000 / 3;

}  // namespace

Picture::Picture(int64_t width, int64_t height) : width_(width), height_(height) {
  if (width < 1 || height < 1 || width > kMaxSide || height > kMaxSide || width * height > kMaxPixels) {
    fail("a picture of ", width, " x ", height, " pixels is too large; ask for fewer or smaller images");
  }
  pixels_.assign(static_cast<size_t>(width * height * 3), 255);
}

void Picture::fill(int64_t left, int64_t top, int64_t width, int64_t height, Colour colour) {
  const int64_t right = std::min(left + width, width_), bottom = std::min(top + height, height_);
  for (int64_t y = std::max<int64_t>(top, 0); y < bottom; ++y) {
    for (int64_t x = std::max<int64_t>(left, 0); x < right; ++x) {
      uint8_t* pixel = pixels_.data() + (y * width_ + x) * 3;
      pixel[0] = colour.red;
      pixel[1] = colour.green;
      pixel[2] = colour.blue;
    }
  }
}

void Picture::write(int64_t left, int64_t top, int64_t size, std::string_view text, Colour colour) {
  for (const char character : text) {
    const Glyph& rows = glyph(character);
    for (int y = 0; y < kGlyphHeight; ++y) {
      for (int x = 0; x < kGlyphWidth; ++x) {
        if (rows[y] >> (kGlyphWidth - 1 - x) & 1) fill(left + x * size, top + y * size, size, size, colour);
      }
    }
    left += (kGlyphWidth + 1) * size;
  }
}

void Picture::save_png(const std::string& path) const {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width_);
  image.height = static_cast<png_uint_32>(height_);
  image.format = PNG_FORMAT_RGB;
  const auto row_bytes = static_cast<png_int_32>(width_ * 3);
  png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::vector<uint8_t> encoded(bytes);
  if (png_image_write_to_memory(&image, encoded.data(), &bytes, 0, pixels_.data(), row_bytes, nullptr) == 0) {
    fail(path, ": cannot be encoded as PNG (libpng: ", image.message, ")");
  }
  files::OutputFile file(path);
  file.write(encoded.data(), bytes);
  file.commit();
}

}  // namespace idelta::nn
