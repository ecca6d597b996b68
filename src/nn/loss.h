// Softmax over the class dimensions, and its cross-entropy with the label. Rows are n wide and the class dimensions
// are its last `classes` entries; sums run in double and in row order, so that no thread count can change a bit.
#ifndef IDELTA_NN_LOSS_H
#define IDELTA_NN_LOSS_H

#include <cstdint>
#include <span>

namespace idelta::nn {

// likelihoods[c] = exp(v_c) / sum exp(v), safe for any finite v. Returns log(sum exp(v)).
double softmax(std::span<const float> values, std::span<double> likelihoods);

// The largest entry; the first of equals; -1 if one is NaN, which is neither large nor small.
int64_t argmax(std::span<const float> values);

struct Loss {
  double cross_entropy = 0;  // sum over rows of -log likelihood of the label
  int64_t correct = 0;       // rows whose largest class dimension is the label's
  int64_t not_finite = -1;   // the first row with a class dimension that is not finite; -1: none. Then the rest is void
};

// Of rows x n outputs h. If gradient is given (rows x n), its class dimensions receive
// (likelihood - [c is the label]) / rows, the gradient of the mean; its other entries are left alone.
Loss softmax_cross_entropy(int64_t rows, int64_t n, int64_t classes, const float* h, const uint8_t* labels,
                           float* gradient = nullptr);

}  // namespace idelta::nn

#endif  // IDELTA_NN_LOSS_H
