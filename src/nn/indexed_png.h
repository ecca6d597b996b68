// PNG files of a byte a pixel and a palette, in memory.
#ifndef IDELTA_NN_INDEXED_PNG_H
#define IDELTA_NN_INDEXED_PNG_H

#include <cstdint>
#include <span>
#include <vector>

#include "nn/colours.h"

namespace idelta::nn {

// indices: height x width, each below the palette's size, which is at most 256.
std::vector<uint8_t> indexed_png(int64_t width, int64_t height, std::span<const uint8_t> indices,
                                 std::span<const Colour> palette);

}  // namespace idelta::nn

#endif  // IDELTA_NN_INDEXED_PNG_H
