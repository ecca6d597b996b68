// What every layer of a network does on a data set.
#include <algorithm>
#include <cmath>

#include "check_data.h"
#include "error.h"
#include "finite.h"
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
// Not finite if any output is not, since what is not finite once stays so in a sum.
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
      residual = larger(residual, std::fabs(sums[j] - below[j]));
      largest = std::max(largest, std::fabs(below[j]));
    }
    worst = larger(worst, residual == 0 ? 0.0 : residual / ulp(largest));
  }
  return worst;
}

// Names the first image of a batch (images `first` and on) whose outputs or their sums are not finite.
[[noreturn]] void fail_in_batch(const Network& network, const Dataset& data, int64_t first, const float* h0,
                                std::vector<float*> outputs, std::vector<float>& sums) {
  const int64_t n = network.n();
  int64_t row = 0;
  while (std::isfinite(completeness_ulp(1, n, h0 + row * n, outputs, sums))) {
    ++row;
    for (float*& output : outputs) output += n;
  }
  fail_not_finite("evaluate", network, data, first + row);
}

// Divides by the count what was summed over the set.
void finish(const Network& network, Evaluation& evaluation) {
  const auto count = static_cast<double>(evaluation.count);
  evaluation.input_accuracy /= count;
  for (int64_t l = 0; l < network.layers(); ++l) {
    LayerReport& report = evaluation.layers[l];
    report.accuracy /= count;
    report.cross_entropy /= count;
    const std::vector<float> delta = network.delta(l);
    report.spectral_norm = spectral_norm(delta, network.n());
    report.frobenius_ratio = frobenius_norm(delta) / std::sqrt(static_cast<double>(network.n()));
  }
}

// Which outputs a pass over a set keeps: those of every layer, or one buffer that ends as h^L.
enum class Keep { kEveryLayer, kLastLayer };

// The whole set through the network, at most `batch` images at a time: see(first, rows, labels, h0, outputs), `first`
// being the index of the first image and outputs[l] h^{l+1} as far as it is kept. It ends early where see() is false.
template <class See>
void forward_all(const char* caller, const Network& network, const Dataset& data, int64_t batch, Keep keep,
                 const See& see) {
  check_data(caller, data, network.options());
  if (batch < 1) fail(caller, ": batch is ", batch, "; give 1 or more");
  batch = std::min(batch, data.count);
  const int64_t pixels = data.pixels();
  const auto layers = static_cast<size_t>(network.layers()), size = static_cast<size_t>(batch * network.n());

  std::vector<float> h0(size);
  std::vector<std::vector<float>> buffers(keep == Keep::kEveryLayer ? layers : 1, std::vector<float>(size));
  std::vector<float*> outputs;
  for (size_t l = 0; l < layers; ++l) outputs.push_back(buffers[std::min(l, buffers.size() - 1)].data());
  for (int64_t first = 0; first < data.count; first += batch) {
    const int64_t rows = std::min(batch, data.count - first);
    network.pad({data.images.data() + first * pixels, static_cast<size_t>(rows * pixels)}, rows, h0.data());
    network.forward(rows, h0.data(), outputs);
    if (!see(first, rows, data.labels.data() + first, h0.data(), outputs)) return;
  }
}

}  // namespace

Evaluation evaluate(const Network& network, const Dataset& data, int64_t batch) {
  const int64_t n = network.n(), classes = network.options().classes;
  std::vector<float> sums(static_cast<size_t>(n));
  Evaluation evaluation;
  evaluation.count = data.count;
  evaluation.layers.resize(static_cast<size_t>(network.layers()));
  const auto see = [&](int64_t first, int64_t rows, const uint8_t* labels, const float* h0,
                       const std::vector<float*>& outputs) {
    const double residual = completeness_ulp(rows, n, h0, outputs, sums);
    if (!std::isfinite(residual)) fail_in_batch(network, data, first, h0, outputs, sums);
    evaluation.completeness_ulp = std::max(evaluation.completeness_ulp, residual);
    evaluation.input_accuracy += static_cast<double>(softmax_cross_entropy(rows, n, classes, h0, labels).correct);
    for (size_t l = 0; l < outputs.size(); ++l) {
      const Loss loss = softmax_cross_entropy(rows, n, classes, outputs[l], labels);
      evaluation.layers[l].accuracy += static_cast<double>(loss.correct);
      evaluation.layers[l].cross_entropy += loss.cross_entropy;
    }
    return true;
  };
  forward_all("evaluate", network, data, batch, Keep::kEveryLayer, see);
  finish(network, evaluation);
  return evaluation;
}

double accuracy(const Network& network, const Dataset& data, int64_t batch) {
  return *accuracy_unless([] { return false; }, network, data, batch);
}

std::optional<double> accuracy_unless(const std::function<bool()>& stop, const Network& network, const Dataset& data,
                                      int64_t batch) {
  const int64_t n = network.n(), classes = network.options().classes;
  int64_t correct = 0;
  bool stopped = false;
  const auto see = [&](int64_t first, int64_t rows, const uint8_t* labels, const float*,
                       const std::vector<float*>& outputs) {
    const Loss loss = softmax_cross_entropy(rows, n, classes, outputs.back(), labels);
    if (loss.not_finite >= 0) fail_not_finite("accuracy", network, data, first + loss.not_finite);
    correct += loss.correct;
    stopped = stop();
    return !stopped;
  };
  forward_all("accuracy", network, data, batch, Keep::kLastLayer, see);
  if (stopped) return std::nullopt;
  return static_cast<double>(correct) / static_cast<double>(data.count);
}

}  // namespace idelta::nn
