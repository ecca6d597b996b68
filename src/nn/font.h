// A 5 x 7 bitmap font of digits, capitals and the few signs that picture labels need.
#ifndef IDELTA_NN_FONT_H
#define IDELTA_NN_FONT_H

#include <array>
#include <cstdint>

namespace idelta::nn {

inline constexpr int kGlyphWidth = 5, kGlyphHeight = 7;

// A byte a row, top first; bit kGlyphWidth - 1 is the left column.
using Glyph = std::array<uint8_t, kGlyphHeight>;

const Glyph& glyph(char character);  // an empty box for what the font lacks

}  // namespace idelta::nn

#endif  // IDELTA_NN_FONT_H
