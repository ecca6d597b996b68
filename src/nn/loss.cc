// Softmax cross-entropy: C numbers a row, so plain loops do.
#include "loss.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "finite.h"

namespace idelta::nn {

double softmax(std::span<const float> values, std::span<double> likelihoods) {
  const double largest = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (size_t c = 0; c < values.size(); ++c) {
    likelihoods[c] = std::exp(values[c] - largest);  // at most 1, and 1 for the largest: sum is at least 1
    sum += likelihoods[c];
  }
  for (double& likelihood : likelihoods) likelihood /= sum;
  return largest + std::log(sum);
}

int64_t argmax(std::span<const float> values) {
  if (std::any_of(values.begin(), values.end(), [](float v) { return std::isnan(v); })) return -1;
  return std::max_element(values.begin(), values.end()) - values.begin();
}

Loss softmax_cross_entropy(int64_t rows, int64_t n, int64_t classes, const float* h, const uint8_t* labels,
                           float* gradient) {
  std::array<double, 256> buffer;  // labels are bytes
  const auto count = static_cast<size_t>(classes);
  const std::span<double> likelihoods(buffer.data(), count);
  const double scale = 1.0 / static_cast<double>(rows);
  Loss loss;
  for (int64_t i = 0; i < rows; ++i) {
    const std::span<const float> values(h + (i + 1) * n - classes, count);
    const size_t label = labels[i];
    // The loss alone would not show it: the likelihood of a class at -infinity is a plain 0.
    if (loss.not_finite < 0 && !all_finite(values)) loss.not_finite = i;
    loss.cross_entropy += softmax(values, likelihoods) - values[label];
    loss.correct += argmax(values) == static_cast<int64_t>(label);
    if (gradient == nullptr) continue;
    float* out = gradient + (i + 1) * n - classes;
    for (size_t c = 0; c < count; ++c) {
      out[c] = static_cast<float>((likelihoods[c] - (c == label ? 1.0 : 0.0)) * scale);
    }
  }
  return loss;
}

}  // namespace idelta::nn
