// D ~ U V of one layer, and the norms that a guarantee needs of D.
#ifndef IDELTA_NN_LAYER_FACTORS_H
#define IDELTA_NN_LAYER_FACTORS_H

#include <optional>

#include "idelta/nn.hpp"

namespace idelta::nn {

// From this share of n^2 on, 2 n r multiplications are not worth it: two products with an intermediate result reach
// about a tenth less of the machine's speed than one, and D itself drops nothing. On the demo's network 0.75 makes
// labels with a guarantee 2.85 times as fast as the dense network, 0.9 2.80 times, 0.6 2.88 times (Zen 4, 2026-11).
inline constexpr double kWorthwhileShare = 0.75;

// A rank below a panel's width saves nothing, so a layer keeps so many columns if it has them. The last layer of a
// network has rank classes - 1 and is thus kept whole.
inline constexpr int64_t kLeastRank = 16;

// The largest rank that is cheaper than D itself.
int64_t largest_worthwhile_rank(int64_t n);

struct LayerFactors {
  int64_t rank = 0;           // columns of U
  std::vector<float> U, V;    // n x rank, rank x n; any first columns and rows are the best of their rank, nearly
  std::vector<double> sigma;  // singular values of D, nearly: norms of the rows of V, which is U^T D
  bool complete = false;      // D has no more, but for roundings
  LayerBounds bounds;
};

LayerBounds bounds_of(const Network& network, const std::vector<float>& D);

// With at most `rank` columns; the bounds are left to the caller.
LayerFactors factors_of_rank(const Network& network, const std::vector<float>& D, int64_t rank);

// With few columns, found in a tenth of the time of many.
LayerFactors leading_factors(const Network& network, const std::vector<float>& D);

// With at least all columns whose singular value is above `sigma`, as far as that is worthwhile; from
// leading_factors().
LayerFactors factors_above(const Network& network, const std::vector<float>& D, double sigma, LayerFactors leading);

// None.
LayerFactors no_factors(const std::vector<float>& D);

// Of the least rank whose certificate is within the tolerance, with the tail that goes with it if one is asked for;
// null if no worthwhile one is.
std::unique_ptr<LayerFactors> factors_within(const Network& network, const std::vector<float>& D, double tolerance,
                                             idelta_tail kind, std::optional<Forms::Tail>& tail);

// Columns of U to use: all whose singular value is above `sigma`, at least kLeastRank if there are; or kDense.
int64_t rank_above(const LayerFactors& factors, int64_t n, double sigma);

// What the first `rank` columns of U leave of D, in INT8.
Forms::Tail tail_of(const Network& network, const std::vector<float>& D, const LayerFactors& factors, int64_t rank);

// The first `rank` columns of U and rows of V, measured against D.
LowRankProof prove(const Network& network, const std::vector<float>& D, const LayerFactors& factors, int64_t rank);
// The same with a tail, and its V.
LowRankProof prove(const Network& network, const std::vector<float>& D, const LayerFactors& factors,
                   const Forms::Tail& tail);

}  // namespace idelta::nn

#endif  // IDELTA_NN_LAYER_FACTORS_H
