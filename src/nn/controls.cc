// Networks whose maps have nothing to say: untrained, or with random numbers of the size that training gave.
#include <lapacke.h>

#include <random>

#include "error.h"
#include "finite.h"
#include "idelta/nn.hpp"
#include "map_similarity.h"
#include "norms.h"
#include "passes.h"

namespace idelta::nn {
namespace {

// Gaussian numbers of LAPACK's slarnv, which depend on the seed and the layer alone.
class Gaussians {
 public:
  Gaussians(uint64_t seed, int64_t layer) {
    std::seed_seq words = {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32),
                           static_cast<uint32_t>(layer)};
    std::mt19937 random(words);
    for (lapack_int& word : state_) word = static_cast<lapack_int>(random() % 4096);
    state_[3] |= 1;  // LAPACK wants the last one odd
  }

  std::vector<float> draw(size_t count) {
    constexpr lapack_int kNormal = 3;
    std::vector<float> values(count);
    LAPACKE_slarnv(kNormal, state_, static_cast<lapack_int>(count), values.data());
    return values;
  }

 private:
  lapack_int state_[4];
};

double norm_of(std::span<const float> matrix, int64_t n, MatchedNorm norm) {
  return norm == MatchedNorm::kFrobenius ? frobenius_norm(matrix) : spectral_norm(matrix, n);
}

// Scales random values that have the norm `from` to the norm `to`.
void scale(std::vector<float>& values, double from, double to) {
  for (float& v : values) v = static_cast<float>(v * (to / from));
}

// Random parameters of the size of those of layer `l`.
LayerParameters random_layer(const Network& network, int64_t l, uint64_t seed, MatchedNorm norm) {
  const int64_t n = network.n();
  Gaussians gaussians(seed, l);
  std::vector<float> D = gaussians.draw(static_cast<size_t>(n * n)), b = gaussians.draw(static_cast<size_t>(n));
  scale(D, norm_of(D, n, norm), norm_of(network.delta(l), n, norm));
  scale(b, frobenius_norm(b), frobenius_norm(network.bias(l)));
  return {std::move(D), std::move(b)};
}

// From h, the trained network's output of `kept` layers, through the layers of `random` to h^L, in place.
void finish_randomised(const Network& random, int64_t kept, int64_t rows, std::vector<float>& h) {
  for (int64_t l = kept; l < random.layers(); ++l) forward_layer(random, l, rows, h.data(), h.data());
}

void check_outputs(int64_t randomised, const Dataset& data, std::span<const int64_t> indices,
                   const std::vector<float>& h) {
  const size_t n = h.size() / indices.size();
  for (size_t i = 0; i < indices.size(); ++i) {
    if (all_finite({h.data() + i * n, n})) continue;
    throw NotFinite(sentence("randomise_from_top: with the last ", randomised,
                             " layers randomised the output of the network is not finite for image ", indices[i],
                             " of ", data.name, "; train the network with a lower learning rate"));
  }
}

}  // namespace

const char* matched_norm_name(MatchedNorm norm) { return norm == MatchedNorm::kFrobenius ? "Frobenius" : "spectral"; }

Network untrained_control(const Network& network) { return Network(network.context(), network.options()); }

Network random_control(const Network& network, uint64_t seed, MatchedNorm norm) {
  return randomised_from_top(network, network.layers(), seed, norm);
}

Network randomised_from_top(const Network& network, int64_t count, uint64_t seed, MatchedNorm norm) {
  if (count < 0 || count > network.layers()) {
    fail("randomised_from_top: count is ", count, "; give 0 to ", network.layers());
  }
  return Network(network.context(), network.options(), [&](int64_t l) {
    return l < network.layers() - count ? network.parameters(l) : random_layer(network, l, seed, norm);
  });
}

std::vector<Similarity> ReferenceMaps::randomise_from_top(uint64_t seed, MatchedNorm norm) const {
  const auto rows = static_cast<int64_t>(indices_.size());
  const Network random = random_control(network_, seed, norm);
  const std::vector<float> original = maps(static_cast<size_t>(network_.layers()));
  std::vector<Similarity> steps;
  for (int64_t kept = network_.layers(); kept >= 0; --kept) {
    std::vector<float> h = h_[kept];
    finish_randomised(random, kept, rows, h);
    check_outputs(network_.layers() - kept, data_, indices_, h);
    steps.push_back(similarity_of(original, contribution_maps(network_, images_, h.data())));
  }
  return steps;
}

}  // namespace idelta::nn
