// Colours of pictures: one diverging scale for every signed value.
#ifndef IDELTA_NN_COLOURS_H
#define IDELTA_NN_COLOURS_H

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace idelta::nn {

struct Colour {
  uint8_t red, green, blue;
};

// Full strength of either sign: the ends of ColorBrewer's RdBu, which colour-blind readers tell apart.
inline constexpr Colour kNegative = {33, 102, 172}, kPositive = {178, 24, 43};

// v in [-1, 1]: blue through white to red, linear on both sides.
inline Colour diverging(float v) {
  const Colour full = v < 0 ? kNegative : kPositive;
  const float strength = std::min(std::fabs(v), 1.0f);
  const auto mix = [strength](int end) {
    return static_cast<uint8_t>(std::lround(255 + strength * static_cast<float>(end - 255)));
  };
  return {mix(full.red), mix(full.green), mix(full.blue)};
}

}  // namespace idelta::nn

#endif  // IDELTA_NN_COLOURS_H
