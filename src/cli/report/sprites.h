// Pictures of the page: many small ones in one sprite sheet a kind, as 8-bit indexed PNG in a data URI.
#ifndef IDELTA_CLI_REPORT_SPRITES_H
#define IDELTA_CLI_REPORT_SPRITES_H

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace idelta::cli::report {

// A table of cells, each `height` x `width` values.
class Sprites {
 public:
  Sprites(int64_t rows, int64_t columns, int64_t height, int64_t width);

  // values in [-limit, limit], larger ones are drawn as the limit; zero is the middle of the palette.
  void draw_signed(int64_t row, int64_t column, std::span<const float> values, double limit);
  // values in [0, 1]
  void draw_grey(int64_t row, int64_t column, std::span<const float> values);

  std::string signed_png() const;  // data URIs
  std::string grey_png() const;

 private:
  template <class Level>
  void draw(int64_t row, int64_t column, std::span<const float> values, const Level& level);

  int64_t rows_, columns_, height_, width_;
  std::vector<uint8_t> levels_;
};

}  // namespace idelta::cli::report

#endif  // IDELTA_CLI_REPORT_SPRITES_H
