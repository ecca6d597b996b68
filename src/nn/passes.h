// A set on its way through a network, a chunk of images at a time and a layer at a time.
#ifndef IDELTA_NN_PASSES_H
#define IDELTA_NN_PASSES_H

#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

#include "check_data.h"
#include "error.h"
#include "finite.h"
#include "idelta/nn.hpp"

namespace idelta::nn {

// above = act(a below + below D + b) of one layer, 0 .. L-1, rows x n; contribution, if wanted, is z - a below. `above`
// may be `below`.
void forward_layer(const Network& network, int64_t layer, int64_t rows, const float* below, float* above,
                   float* contribution = nullptr);

// Images first .. first + rows - 1 of a set, with h^0 of their rows (rows x n).
struct Chunk {
  int64_t first, rows;
  const uint8_t* labels;
  float* h0;  // may be written over
};

// Checks the set and `batch`, in sentences that begin with `caller`; then see(Chunk) for at most `batch` images at a
// time. A see() that returns bool ends the pass with false.
template <class See>
void each_chunk(const char* caller, const Network& network, const Dataset& data, int64_t batch, const See& see) {
  check_data(caller, data, network.options());
  if (batch < 1) fail(caller, ": batch is ", batch, "; give 1 or more");
  batch = std::min(batch, data.count);
  const int64_t pixels = data.pixels();
  std::vector<float> h0(static_cast<size_t>(batch * network.n()));
  for (int64_t first = 0; first < data.count; first += batch) {
    const int64_t rows = std::min(batch, data.count - first);
    network.pad({data.images.data() + first * pixels, static_cast<size_t>(rows * pixels)}, rows, h0.data());
    const Chunk chunk{first, rows, data.labels.data() + first, h0.data()};
    if constexpr (std::is_void_v<decltype(see(chunk))>) {
      see(chunk);
    } else if (!see(chunk)) {
      return;
    }
  }
}

// Throws NotFinite unless all values of h, rows x n in some layer of a chunk, are finite.
void check_finite(const char* caller, const Network& network, const Dataset& data, const Chunk& chunk, const float* h);

// One chunk in one layer: h^l, and where it came from.
struct LayerChunk {
  int64_t layer;              // 0: the input, 1 .. L
  const float* below;         // rows x n: h^{l-1}; null for the input
  const float* contribution;  // rows x n: Delta^l; null for the input
  const float* above;         // rows x n: h^l
};

// Memory for the layers of a chunk: two outputs in turn, and a contribution where wanted.
class LayerWalk {
 public:
  LayerWalk(const Network& network, bool contributions) : network_(network), contributions_(contributions) {}

  // see(LayerChunk) for the input and layers 1 .. last.
  template <class See>
  void run(int64_t rows, const float* h0, int64_t last, const See& see) {
    reserve(static_cast<size_t>(rows * network_.n()));
    see(LayerChunk{0, nullptr, nullptr, h0});
    const float* below = h0;
    for (int64_t l = 0; l < last; ++l) {
      float* const above = h_[l % 2].data();
      float* const contribution = contributions_ ? contribution_.data() : nullptr;
      forward_layer(network_, l, rows, below, above, contribution);
      see(LayerChunk{l + 1, below, contribution, above});
      below = above;
    }
  }

 private:
  void reserve(size_t size);

  const Network& network_;
  bool contributions_;
  std::vector<float> h_[2], contribution_;
};

// The whole set through all layers: see(Chunk, LayerChunk), h^0 .. h^L of a chunk before the next chunk.
template <class See>
void each_layer(const char* caller, const Network& network, const Dataset& data, int64_t batch, bool contributions,
                const See& see) {
  LayerWalk walk(network, contributions);
  each_chunk(caller, network, data, batch, [&](const Chunk& chunk) {
    walk.run(chunk.rows, chunk.h0, network.layers(), [&](const LayerChunk& layer) { see(chunk, layer); });
  });
}

}  // namespace idelta::nn

#endif  // IDELTA_NN_PASSES_H
