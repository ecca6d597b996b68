// What every layer of a network does on a data set.
#include <algorithm>
#include <cmath>

#include "check_data.h"
#include "error.h"
#include "idelta/nn.hpp"
#include "loss.h"
#include "norms.h"

namespace idelta::nn {
namespace {

// Distance to the next float above |v|, of normal numbers at least.
double ulp(float v) {
  const int exponent = std::max(std::ilogb(v), -126);
  return std::ldexp(1.0, exponent - 23);
}

// The largest over the rows of max_j |x_j + sum_l (h^l - h^{l-1})_j - h^L_j| / ulp(max_j |h^L_j|); `sums` holds n.
double completeness_ulp(int64_t rows, int64_t n, const float* h0, const std::vector<float*>& outputs,
                        std::vector<float>& sums) {
  double worst = 0;
  for (int64_t i = 0; i < rows; ++i) {
    const float* below = h0 + i * n;
    std::copy_n(below, n, sums.data());
    for (const float* output : outputs) {
      const float* above = output + i * n;
      for (int64_t j = 0; j < n; ++j) sums[j] += above[j] - below[j];
      below = above;
    }
    float residual = 0, largest = 0;
    for (int64_t j = 0; j < n; ++j) {
      // Written so that a NaN stays.
      const float distance = std::fabs(sums[j] - below[j]);
      residual = distance <= residual ? residual : distance;
      largest = std::max(largest, std::fabs(below[j]));
    }
    const double units = residual == 0 ? 0 : residual / ulp(largest);
    worst = units <= worst ? worst : units;
  }
  return worst;
}

// Divides by the count what was summed over the set.
void finish(const Network& network, Evaluation& evaluation) {
  const auto count = static_cast<double>(evaluation.count);
  evaluation.input_accuracy /= count;
  for (int64_t l = 0; l < network.layers(); ++l) {
    LayerReport& report = evaluation.layers[l];
    report.accuracy /= count;
    report.cross_entropy /= count;
    report.spectral_norm = spectral_norm(network.delta(l), network.n());
    report.frobenius_ratio = frobenius_norm(network.delta(l)) / std::sqrt(static_cast<double>(network.n()));
  }
}

}  // namespace

Evaluation evaluate(const Network& network, const Dataset& data, int64_t batch) {
  check_data("evaluate", data, network.options());
  if (batch < 1) fail("evaluate: batch is ", batch, "; give 1 or more");
  batch = std::min(batch, data.count);
  const int64_t n = network.n(), classes = network.options().classes, pixels = data.pixels();

  std::vector<float> h0(static_cast<size_t>(batch * n)), sums(static_cast<size_t>(n));
  std::vector<std::vector<float>> outputs(static_cast<size_t>(network.layers()), std::vector<float>(h0.size()));
  std::vector<float*> output_rows;
  for (std::vector<float>& output : outputs) output_rows.push_back(output.data());

  Evaluation evaluation;
  evaluation.count = data.count;
  evaluation.layers.resize(outputs.size());
  for (int64_t first = 0; first < data.count; first += batch) {
    const int64_t rows = std::min(batch, data.count - first);
    const uint8_t* labels = data.labels.data() + first;
    network.pad({data.images.data() + first * pixels, static_cast<size_t>(rows * pixels)}, rows, h0.data());
    network.forward(rows, h0.data(), output_rows);
    evaluation.input_accuracy +=
        static_cast<double>(softmax_cross_entropy(rows, n, classes, h0.data(), labels).correct);
    for (size_t l = 0; l < outputs.size(); ++l) {
      const Loss loss = softmax_cross_entropy(rows, n, classes, outputs[l].data(), labels);
      evaluation.layers[l].accuracy += static_cast<double>(loss.correct);
      evaluation.layers[l].cross_entropy += loss.cross_entropy;
    }
    const double residual = completeness_ulp(rows, n, h0.data(), output_rows, sums);
    if (!(residual <= evaluation.completeness_ulp)) evaluation.completeness_ulp = residual;  // a NaN stays
  }
  finish(network, evaluation);
  return evaluation;
}

}  // namespace idelta::nn
