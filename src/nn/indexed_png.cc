// libpng's simplified interface picks the fewest bits a pixel; its row interface keeps eight, and lets zlib work
// hardest.
#include "indexed_png.h"

#include <png.h>

#include "error.h"

namespace idelta::nn {
namespace {

// Lets go of libpng's structures however the work ends.
struct Writer {
  png_structp png = nullptr;
  png_infop info = nullptr;
  ~Writer() { png_destroy_write_struct(&png, &info); }
};

// libpng reports errors by a call that must not return.
[[noreturn]] void on_error(png_structp, png_const_charp message) {
  fail("a sprite sheet cannot be encoded as PNG (libpng: ", message, ")");
}
void on_warning(png_structp, png_const_charp) {}

void append(png_structp png, png_bytep bytes, size_t count) {
  auto* const file = static_cast<std::vector<uint8_t>*>(png_get_io_ptr(png));
  file->insert(file->end(), bytes, bytes + count);
}

}  // namespace

std::vector<uint8_t> indexed_png(int64_t width, int64_t height, std::span<const uint8_t> indices,
                                 std::span<const Colour> palette) {
  if (width < 1 || height < 1 || palette.size() > 256 || indices.size() != static_cast<size_t>(width * height)) {
    fail("a sprite sheet of ", width, " x ", height, " has ", indices.size(), " pixels and ", palette.size(),
         " colours; give a pixel for each place and at most 256 colours");
  }
  std::vector<uint8_t> file;
  Writer writer;
  writer.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, on_error, on_warning);
  if (writer.png == nullptr) fail("libpng gives no writer; is the memory used up?");
  writer.info = png_create_info_struct(writer.png);
  png_set_write_fn(writer.png, &file, append, nullptr);
  png_set_IHDR(writer.png, writer.info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), 8,
               PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  std::vector<png_color> colours;
  for (const Colour& colour : palette) colours.push_back({colour.red, colour.green, colour.blue});
  png_set_PLTE(writer.png, writer.info, colours.data(), static_cast<int>(colours.size()));
  png_set_compression_level(writer.png, 9);
  png_write_info(writer.png, writer.info);
  for (int64_t y = 0; y < height; ++y) png_write_row(writer.png, indices.data() + y * width);
  png_write_end(writer.png, writer.info);
  return file;
}

}  // namespace idelta::nn
