// Whether contribution maps say something about the trained network: controls that have nothing to say, the similarity
// of maps, and what becomes of the prediction when the pixels that a map names are taken away. Numbers, not judgements.
#ifndef IDELTA_NN_FAITHFULNESS_HPP
#define IDELTA_NN_FAITHFULNESS_HPP

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "idelta/nn/data.hpp"
#include "idelta/nn/network.hpp"

namespace idelta::nn {

// --- Controls. All compute in F32, whatever the trained network computes in.

// The same options with D = 0 and b = 0: with identity scale 1, and images in [0, 1] that the activation keeps, every
// contribution map is exactly zero.
Network untrained_control(const Network& network);

// Which norm of the trained D the random one keeps. A Gaussian matrix spreads over all directions, a trained D over
// few: with the Frobenius norm kept the spectral norm is lower, with the spectral norm kept the Frobenius norm higher.
enum class MatchedNorm { kFrobenius, kSpectral };
const char* matched_norm_name(MatchedNorm norm);  // "Frobenius", "spectral"

// Every D Gaussian with the norm of the trained D, every b Gaussian with the trained b's Euclidean norm. A layer's
// random numbers depend on the seed and on its index alone.
Network random_control(const Network& network, uint64_t seed, MatchedNorm norm = MatchedNorm::kFrobenius);

// The trained network whose last `count` layers (0 to L) are those of random_control.
Network randomised_from_top(const Network& network, int64_t count, uint64_t seed,
                            MatchedNorm norm = MatchedNorm::kFrobenius);

// --- Similarity of maps.

// Spearman's rank correlation of two maps of as many values, equal values sharing their average rank. Nothing if one of
// them is constant: it has no order to compare. Throws if a value is not finite.
std::optional<double> rank_correlation(std::span<const float> a, std::span<const float> b);

// Mean structural similarity (Wang, Bovik, Sheikh, Simoncelli 2004) of two height x width pictures whose values span
// `range`: Gaussian window of 11 x 11 with sigma 1.5, K1 = 0.01, K2 = 0.03, windows that lie inside the picture. A
// side shorter than 11 has a window of that side, or of one less where that is even, with the same sigma.
double ssim(std::span<const float> a, std::span<const float> b, int64_t height, int64_t width, double range);

// Means over images. What no image defines is nothing.
struct Similarity {
  std::optional<double> rank_correlation;           // of signed maps
  std::optional<double> absolute_rank_correlation;  // of |maps|
  // Of the two maps of an image, each divided by its largest magnitude, so that size does not matter (as Adebayo et al.
  // 2018 do): the range is 2. Nothing if one of them is zero everywhere, or if the input is no picture (a side of 1).
  std::optional<double> ssim;
  int64_t images = 0;     // compared
  int64_t undefined = 0;  // of them: rank correlation of signed maps not defined
};

// Contribution maps h^l - x of some images in all layers of a network, made once and compared with those of others.
// `indices` are of images of `data`. All of h^0 .. h^L is held in memory, so a few hundred images do. Network and data
// must outlive it.
class ReferenceMaps {
 public:
  ReferenceMaps(const Network& network, const Dataset& data, std::span<const int64_t> indices);

  // With another network of as many layers and pixels, for each layer l = 1 .. L.
  std::vector<Similarity> compare(const Network& other) const;

  // Cascading parameter randomisation (Adebayo et al. 2018): entry k compares the final maps h^L - x of the network
  // with those of randomised_from_top(network, k, seed, norm), k = 0 .. L; entry 0 is the network with itself.
  std::vector<Similarity> randomise_from_top(uint64_t seed, MatchedNorm norm = MatchedNorm::kFrobenius) const;

 private:
  std::vector<float> maps(size_t layer) const;  // 0 .. L
  Similarity similarity_of(const std::vector<float>& a, const std::vector<float>& b) const;
  void check_finite(const Network& network, const std::vector<float>& h) const;

  const Network& network_;
  const Dataset& data_;
  std::vector<int64_t> indices_;
  std::vector<float> images_;          // rows x P
  std::vector<std::vector<float>> h_;  // L + 1 of rows x n
};

// --- Pixel flipping (Samek et al. 2017): the highest ranked pixels are replaced first.

enum class Ordering {
  kContribution,    // |h^l - x| of the last layer that changes pixels
  kClassMap,        // |J_c x|, c the predicted class: class_map()
  kSignedClassMap,  // J_c x: what speaks most for the class goes first
  kPixelValue,      // |x|
  kRandom,          // mean over seeds
};
enum class Baseline {
  kZero,       // black
  kMeanImage,  // the mean of all images of `data`
};
const char* ordering_name(Ordering ordering);
const char* baseline_name(Baseline baseline);

struct FlippingOptions {
  std::vector<int64_t> indices;  // which images of the set; empty: the first `images`
  int64_t images = 200;          // or all, if the set has fewer
  int64_t steps = 20;            // fractions 0, 1 / steps .. 1
  int64_t random_orders = 3;     // over which kRandom is a mean
  uint64_t seed = 1;
  int64_t batch = 512;  // rows at a time; changes no bit
};

// How the class that the network predicts for the whole image fares; steps + 1 entries each.
struct FlippingCurve {
  Ordering ordering = Ordering::kRandom;
  Baseline baseline = Baseline::kZero;
  std::vector<double> likelihood;       // mean class likelihood of that class
  std::vector<double> same_prediction;  // share of images for which it is still predicted
  double likelihood_area = 0;           // trapezoids over fractions 0 .. 1: lower is a more faithful ordering
  double same_prediction_area = 0;
  double likelihood_area_error = 0;  // standard error of the mean over the images
  // Image by image: the area less that of kRandom with the same baseline, whose noise of few orders is in it too; its
  // mean, and the standard error of that. An ordering is told from chance where they are two errors apart or more.
  double beyond_random = 0, beyond_random_error = 0;
};

struct Flipping {
  int64_t images = 0;
  int64_t contribution_layer = 0;  // 1 .. L: whose map kContribution is. A last layer that changes no pixel is skipped
  std::vector<double> fractions;   // of pixels replaced: steps + 1 entries
  std::vector<FlippingCurve> curves;  // every ordering with every baseline
};

// Equal values are ranked by their index, lower first. Costs about 2 x (4 + random_orders) x steps passes of the
// images.
Flipping pixel_flipping(const Network& network, const Dataset& data, const FlippingOptions& options = {},
                        const PartDone& progress = {});

}  // namespace idelta::nn

#endif  // IDELTA_NN_FAITHFULNESS_HPP
