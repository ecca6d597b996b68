// Moments of the features of a set, as many layers in a pass over it as memory allows.
#include "moments.h"

#include <algorithm>
#include <numeric>

#include "passes.h"

namespace idelta::nn {
namespace {

// Images whose products are summed in F32, in one fused chain an entry, before they go into fp64: random roundings of
// so long a chain grow to some 2e-6 of its sum, and shorter ones make the additions in fp64 cost as much as the
// products.
constexpr int64_t kGramRows = 512;

// Moments of one layer while they are summed.
class Sums {
 public:
  Sums(const Network& network, Moments wanted)
      : network_(network), gram_wanted_(wanted == Moments::kClassSumsAndGram), n_(network.n()) {
    const auto n = static_cast<size_t>(n_), classes = static_cast<size_t>(network.options().classes);
    moments_.counts.resize(classes);
    moments_.class_sums.resize(classes * n);
    if (!gram_wanted_) return;
    moments_.gram.resize(n * n);
    block_.resize(n * n);
  }

  void add(const Chunk& chunk, const float* h) {
    for (int64_t i = 0; i < chunk.rows; ++i) {
      double* const sums = moments_.class_sums.data() + chunk.labels[i] * n_;
      for (int64_t j = 0; j < n_; ++j) sums[j] += h[i * n_ + j];
      ++moments_.counts[chunk.labels[i]];
    }
    if (!gram_wanted_) return;
    // Blocks begin at multiples of kGramRows images, wherever chunks do; one in pieces has the bits of one in whole.
    for (int64_t i = 0; i < chunk.rows;) {
      const int64_t rows = std::min(chunk.rows - i, kGramRows - in_block_);
      backward_weights(network_.context(), {.m = rows,
                                            .n = n_,
                                            .x = h + i * n_,
                                            .ldx = n_,
                                            .dz = h + i * n_,
                                            .lddz = n_,
                                            .beta = in_block_ == 0 ? 0.0f : 1.0f,
                                            .dD = block_.data(),
                                            .lddD = n_,
                                            .format = IDELTA_FORMAT_F32});
      in_block_ += rows;
      i += rows;
      if (in_block_ == kGramRows) end_block();
    }
  }

  const LayerMoments& finish() {
    if (in_block_ > 0) end_block();
    return moments_;
  }

 private:
  void end_block() {
    for (size_t i = 0; i < block_.size(); ++i) moments_.gram[i] += block_[i];
    in_block_ = 0;
  }

  const Network& network_;
  bool gram_wanted_;
  int64_t n_, in_block_ = 0;
  LayerMoments moments_;
  std::vector<float> block_;
};

int64_t layers_a_pass(const Network& network, Moments wanted, double most_bytes) {
  const auto n = static_cast<double>(network.n()), classes = static_cast<double>(network.options().classes);
  const double bytes = classes * n * sizeof(double) +
                       (wanted == Moments::kClassSumsAndGram ? n * n * (sizeof(double) + sizeof(float)) : 0);
  return std::max<int64_t>(1, static_cast<int64_t>(std::min(most_bytes / bytes, 1e9)));
}

}  // namespace

double LayerMoments::count() const {
  return static_cast<double>(std::accumulate(counts.begin(), counts.end(), int64_t{0}));
}

std::vector<double> LayerMoments::mean() const {
  std::vector<double> mean(class_sums.size() / counts.size());
  const double images = count();
  for (size_t i = 0; i < class_sums.size(); ++i) mean[i % mean.size()] += class_sums[i] / images;
  return mean;
}

void each_layers_moments(const char* caller, const Network& network, const Dataset& data, int64_t batch, Moments wanted,
                         const std::function<void(int64_t, const LayerMoments&)>& see, double most_bytes) {
  const int64_t group = layers_a_pass(network, wanted, most_bytes), count = network.layers() + 1;
  LayerWalk walk(network, false);
  for (int64_t first = 0; first < count; first += group) {
    const int64_t last = std::min(first + group, count) - 1;
    std::vector<Sums> sums;
    for (int64_t l = first; l <= last; ++l) sums.emplace_back(network, wanted);
    each_chunk(caller, network, data, batch, [&](const Chunk& chunk) {
      walk.run(chunk.rows, chunk.h0, last, [&](const LayerChunk& layer) {
        if (layer.layer < first) return;
        check_finite(caller, network, data, chunk, layer.above);
        sums[layer.layer - first].add(chunk, layer.above);
      });
    });
    for (int64_t l = first; l <= last; ++l) see(l, sums[l - first].finish());
  }
}

}  // namespace idelta::nn
