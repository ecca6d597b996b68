// An RGB picture in memory: rectangles, text, and a PNG file of it.
#ifndef IDELTA_NN_PICTURE_H
#define IDELTA_NN_PICTURE_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "nn/colours.h"

namespace idelta::nn {

class Picture {
 public:
  Picture(int64_t width, int64_t height);  // white

  int64_t width() const { return width_; }
  int64_t height() const { return height_; }

  // What lies outside the picture is not drawn.
  void fill(int64_t left, int64_t top, int64_t width, int64_t height, Colour colour);

  // In the font of font.h, each of its dots size x size pixels.
  void write(int64_t left, int64_t top, int64_t size, std::string_view text, Colour colour);

  // Whole or not at all (files/output_file.h).
  void save_png(const std::string& path) const;

 private:
  int64_t width_, height_;
  std::vector<uint8_t> pixels_;  // height x width x 3
};

}  // namespace idelta::nn

#endif  // IDELTA_NN_PICTURE_H
