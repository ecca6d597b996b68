// What the suites of the nn layer share: a folder that goes away, files of bytes, IDX files made to order, a small data
// set that no linear classifier can learn, and the check that a call fails with a useful sentence.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>
#include <idelta/nn.hpp>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <string>
#include <vector>

#include "support/fixture.h"
#include "support/random.h"

namespace idelta_test {

namespace nn = idelta::nn;
using Bytes = std::vector<uint8_t>;

// A context of the forced ISA.
inline idelta::Context nn_context(int32_t threads = 0) { return idelta::Context::with(forced_isa(), threads); }

// Calls `call` and expects an exception whose sentence has all the parts.
template <class Call>
void expect_error(const Call& call, std::initializer_list<std::string> parts) {
  try {
    call();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::exception& e) {
    const std::string what = e.what();
    for (const std::string& part : parts) {
      EXPECT_NE(std::string::npos, what.find(part)) << "'" << part << "' is not in '" << what << "'";
    }
  }
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "idelta-nn-").string();
    pattern.append(6, 'X');  // which mkdtemp replaces
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = pattern;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }
  size_t entries() const { return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(path_), {})); }

 private:
  std::filesystem::path path_;
};

inline void write_bytes(const std::string& path, const Bytes& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(file.good()) << path;
}

inline void write_text(const std::string& path, const std::string& text) {
  write_bytes(path, Bytes(text.begin(), text.end()));
}

inline Bytes read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

inline void write_gz(const std::string& path, const Bytes& bytes) {
  gzFile file = gzopen(path.c_str(), "wb");
  ASSERT_NE(nullptr, file);
  EXPECT_EQ(static_cast<int>(bytes.size()), gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())));
  EXPECT_EQ(Z_OK, gzclose(file));
}

// An IDX file of unsigned bytes.
inline Bytes idx_bytes(std::initializer_list<uint32_t> sizes, const Bytes& values) {
  Bytes bytes = {0, 0, 8, static_cast<uint8_t>(sizes.size())};
  for (const uint32_t size : sizes) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<uint8_t>(size >> shift));
  }
  bytes.insert(bytes.end(), values.begin(), values.end());
  return bytes;
}

// Ten classes of noisy 8 x 8 pictures. A class is a random black and white pattern *and its negative*: the values of
// an affine function at a pattern and at its negative have the same sum for every pattern, so no linear classifier
// gets both of two classes right. Different `seed`s draw other pictures of the same classes.
inline nn::Dataset patterns(int64_t count, uint64_t seed) {
  constexpr int64_t kClasses = 10, kPixels = 64;
  Random random_pattern(42), random(seed);
  std::vector<float> pattern(kClasses * kPixels);
  for (float& p : pattern) p = random_pattern.uniform(0.0f, 1.0f) < 0.5f ? 0.2f : 0.8f;
  nn::Dataset data = {"patterns", count, 8, 8, kClasses, {}, {}};
  for (int64_t i = 0; i < count; ++i) {
    const int64_t label = random.below(kClasses);
    const bool negative = random.below(2) != 0;
    data.labels.push_back(static_cast<uint8_t>(label));
    for (int64_t p = 0; p < kPixels; ++p) {
      const float v = pattern[static_cast<size_t>(label * kPixels + p)];
      data.images.push_back((negative ? 1.0f - v : v) + random.uniform(-0.2f, 0.2f));
    }
  }
  return data;
}

// Options of a network for patterns().
inline nn::NetworkOptions pattern_options(int64_t layers) {
  nn::NetworkOptions options;
  options.layers = layers;
  options.height = options.width = 8;
  options.classes = 10;
  return options;
}

// Gives every layer a random D and b of about the size that training gives them.
inline void randomise(nn::Network& network, uint64_t seed, float magnitude = 0.05f) {
  Random random(seed);
  const auto n = static_cast<size_t>(network.n());
  std::vector<float> delta(n * n), bias(n);
  for (int64_t l = 0; l < network.layers(); ++l) {
    for (float& v : delta) v = random.uniform(-magnitude, magnitude);
    for (float& v : bias) v = random.uniform(-magnitude, magnitude);
    network.set_layer(l, delta, bias);
  }
}

// h^0 .. h^L of one image, forwarded alone.
inline std::vector<std::vector<float>> outputs_of(const nn::Network& network, const nn::Dataset& data, int64_t image) {
  const int64_t pixels = data.pixels();
  std::vector<std::vector<float>> h(static_cast<size_t>(network.layers()) + 1,
                                    std::vector<float>(static_cast<size_t>(network.n())));
  std::vector<float*> outputs;
  for (size_t l = 1; l < h.size(); ++l) outputs.push_back(h[l].data());
  network.pad(std::span(data.images).subspan(image * pixels, pixels), 1, h[0].data());
  network.forward(1, h[0].data(), outputs);
  return h;
}

// What a singular value in fp32 may err by: p(n) 2^-24 times the largest, with p a modest polynomial (LAPACK Users'
// Guide, section 4.9); 4 n is allowed here. n: of the matrix without its rows and columns of zeros.
inline double singular_value_error(int64_t n, double largest) { return 4 * static_cast<double>(n) * 0x1p-24 * largest; }

}  // namespace idelta_test
