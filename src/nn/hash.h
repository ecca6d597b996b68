// A 64-bit hash that tells a damaged or mixed-up file. It is no defence against malice: whoever can change a number can
// compute it anew.
#ifndef IDELTA_NN_HASH_H
#define IDELTA_NN_HASH_H

#include <bit>
#include <charconv>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace idelta::nn {

// FNV-1a, by words of 32 bits where the data are floats: every step is a bijection, so one changed word always shows.
class Hash {
 public:
  void add(std::span<const float> values) {
    for (const float v : values) step(std::bit_cast<uint32_t>(v));
  }
  void add(std::span<const int8_t> values) {
    for (const int8_t v : values) step(static_cast<unsigned char>(v));
  }
  void add(std::string_view text) {
    for (const char c : text) step(static_cast<unsigned char>(c));
    step(0);  // "ab", "c" is not "a", "bc"
  }
  uint64_t value() const { return value_; }

 private:
  void step(uint32_t word) { value_ = (value_ ^ word) * 0x100000001b3u; }

  uint64_t value_ = 0xcbf29ce484222325u;
};

// A hash in files is so many hexadecimal digits; 16 is also the base of to_chars and from_chars.
inline constexpr int kHexDigits = 16;

inline std::string hex(uint64_t hash) {
  char digits[kHexDigits];
  const auto [end, error] = std::to_chars(digits, digits + kHexDigits, hash, kHexDigits);
  const std::string found(digits, end);
  return std::string(static_cast<size_t>(kHexDigits) - found.size(), '0') + found;
}

inline uint64_t hash_of(std::span<const float> values) {
  Hash hash;
  hash.add(values);
  return hash.value();
}

}  // namespace idelta::nn

#endif  // IDELTA_NN_HASH_H
