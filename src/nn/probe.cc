// Linear probes: ridge regression of one-hot labels onto the features of each layer, in closed form.
#include <lapacke.h>

#include <algorithm>
#include <cmath>

#include "check_data.h"
#include "error.h"
#include "idelta/nn.hpp"
#include "lapack_memory.h"
#include "loss.h"
#include "moments.h"
#include "one_thread.h"
#include "passes.h"

namespace idelta::nn {
namespace {

// scores = (h - mean) W + shares
struct Probe {
  std::vector<double> weights;    // n x C
  std::vector<double> intercept;  // C: shares - mean W
};

// S + lambda I with S = gram - count mean mean^T, n x n. A feature that is constant has a row of rounding errors in S:
// they are far below lambda.
std::vector<double> penalised_scatter(const LayerMoments& moments, const std::vector<double>& mean,
                                      double regularisation) {
  const size_t n = mean.size();
  const double count = moments.count();
  std::vector<double> scatter = moments.gram;
  double trace = 0;
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) scatter[i * n + j] -= count * mean[i] * mean[j];
    trace += scatter[i * n + i];
  }
  // Features that are all constant say nothing: any penalty gives weights of 0.
  const double lambda = trace > 0 ? regularisation * trace / static_cast<double>(n) : 1.0;
  for (size_t i = 0; i < n; ++i) scatter[i * n + i] += lambda;
  return scatter;
}

Probe fit(int64_t layer, const LayerMoments& moments, double regularisation) {
  const std::vector<double> mean = moments.mean();
  const size_t width = mean.size(), classes = moments.counts.size();
  std::vector<double> matrix = penalised_scatter(moments, mean, regularisation);
  Probe probe;
  probe.weights.resize(width * classes);
  for (size_t c = 0; c < classes; ++c) {
    const auto images = static_cast<double>(moments.counts[c]);
    for (size_t j = 0; j < width; ++j) {
      probe.weights[j * classes + c] = moments.class_sums[c * width + j] - images * mean[j];
    }
  }
  const OneThread serial;
  const auto size = static_cast<lapack_int>(width), columns = static_cast<lapack_int>(classes);
  const lapack_int info = with_memory(
      LAPACKE_dposv(LAPACK_ROW_MAJOR, 'U', size, columns, matrix.data(), size, probe.weights.data(), columns));
  if (info != 0) {
    fail("probe: LAPACK's dposv of layer ", layer, " returned ", info,
         "; the features are too large or regularisation, ", regularisation, ", is too small");
  }
  for (size_t c = 0; c < classes; ++c) {
    double value = static_cast<double>(moments.counts[c]) / moments.count();
    for (size_t j = 0; j < width; ++j) value -= mean[j] * probe.weights[j * classes + c];
    probe.intercept.push_back(value);
  }
  return probe;
}

// Which of a chunk's rows (h: rows x n) a probe gets right. Sums run in fp64 and in the order of the features.
std::vector<char> right_by(const Probe& probe, const Chunk& chunk, const float* h, int64_t n) {
  const size_t classes = probe.intercept.size();
  std::vector<char> right;
  for (int64_t i = 0; i < chunk.rows; ++i) {
    std::vector<double> scores = probe.intercept;
    for (int64_t j = 0; j < n; ++j) {
      const double value = h[i * n + j];
      const double* const weights = probe.weights.data() + j * classes;
      for (size_t c = 0; c < classes; ++c) scores[c] += value * weights[c];
    }
    right.push_back(std::max_element(scores.begin(), scores.end()) - scores.begin() == chunk.labels[i]);
  }
  return right;
}

// Which of them the class dimensions get right.
std::vector<char> right_by_readout(int64_t classes, const Chunk& chunk, const float* h, int64_t n) {
  std::vector<char> right;
  for (int64_t i = 0; i < chunk.rows; ++i) {
    right.push_back(argmax({h + (i + 1) * n - classes, static_cast<size_t>(classes)}) == chunk.labels[i]);
  }
  return right;
}

// Counts what is right in a chunk, and what was not one layer before; `before` becomes `right`.
void count(std::vector<char> right, bool input, std::vector<char>& before, double& correct, int64_t& gained,
           int64_t& lost) {
  for (size_t i = 0; i < right.size(); ++i) {
    correct += right[i];
    if (input) continue;
    gained += right[i] && !before[i];
    lost += before[i] && !right[i];
  }
  before = std::move(right);
}

}  // namespace

Probes probe(const Network& network, const Dataset& train, const Dataset& test, const ProbeOptions& options,
             const PartDone& progress) {
  if (!(options.regularisation > 0) || !std::isfinite(options.regularisation)) {
    fail("probe: regularisation is ", options.regularisation, "; give a finite number above 0, usually 0.01");
  }
  check_data("probe", test, network.options());
  const int64_t n = network.n(), classes = network.options().classes;
  std::vector<Probe> fitted;
  each_layers_moments("probe", network, train, options.batch, Moments::kClassSumsAndGram,
                      [&](int64_t layer, const LayerMoments& moments) {
                        fitted.push_back(fit(layer, moments, options.regularisation));
                        if (progress) progress(layer + 1, network.layers() + 1);
                      });

  Probes probes = {.train_count = train.count, .test_count = test.count, .regularisation = options.regularisation};
  probes.layers.resize(fitted.size() - 1);
  std::vector<char> probe_before, readout_before;
  each_layer("probe", network, test, options.batch, false, [&](const Chunk& chunk, const LayerChunk& layer) {
    check_finite("probe", network, test, chunk, layer.above);
    const bool input = layer.layer == 0;
    ProbeReport& report = input ? probes.input : probes.layers[layer.layer - 1];
    count(right_by(fitted[layer.layer], chunk, layer.above, n), input, probe_before, report.accuracy,
          report.probe_gained, report.probe_lost);
    count(right_by_readout(classes, chunk, layer.above, n), input, readout_before, report.readout,
          report.readout_gained, report.readout_lost);
  });
  const auto finish = [&test](ProbeReport& report) {
    report.accuracy /= static_cast<double>(test.count);
    report.readout /= static_cast<double>(test.count);
  };
  finish(probes.input);
  std::for_each(probes.layers.begin(), probes.layers.end(), finish);
  return probes;
}

}  // namespace idelta::nn
