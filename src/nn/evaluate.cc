// What every layer of a network does on a data set.
#include <algorithm>
#include <cmath>

#include "class_scores.h"
#include "completeness.h"
#include "norms.h"
#include "passes.h"

namespace idelta::nn {
namespace {

// The sums over a set of what an evaluation is the mean of, image by image, so that no batch size changes a bit.
class Tally {
 public:
  explicit Tally(const Network& network)
      : network_(network),
        steps_(network),
        dimensions_(network),
        final_(classes()),
        scores_(classes()),
        telescoped_(classes()),
        predictions_(static_cast<size_t>(network.layers())) {
    evaluation_.layers.resize(predictions_.size());
    evaluation_.decided.resize(predictions_.size());
    evaluation_.completeness_ulp.resize(predictions_.size());
  }

  void see(const Dataset& data, const Chunk& chunk, const LayerChunk& layer) {
    dimensions_.keep(layer, chunk.rows);
    if (layer.layer == 0) {
      steps_.start(chunk.rows, layer.above);
      return;
    }
    add_steps(data, chunk, layer);
    if (layer.layer < network_.layers()) return;
    for (int64_t i = 0; i < chunk.rows; ++i) add_scores(i, chunk.labels[i]);
    evaluation_.count += chunk.rows;
  }

  Evaluation finish() {
    const auto count = static_cast<double>(evaluation_.count);
    evaluation_.input_accuracy /= count;
    for (int64_t l = 0; l < network_.layers(); ++l) {
      LayerReport& report = evaluation_.layers[l];
      for (double* sum : {&report.accuracy, &report.cross_entropy, &report.entropy, &report.margin, &report.kl_to_final,
                          &report.direct_contribution, &report.contribution_norm, &report.activation_change_norm,
                          &report.step_norm}) {
        *sum /= count;
      }
      const std::vector<float> delta = network_.delta(l);
      report.spectral_norm = spectral_norm(delta, network_.n());
      report.frobenius_ratio = frobenius_norm(delta) / std::sqrt(static_cast<double>(network_.n()));
    }
    return std::move(evaluation_);
  }

 private:
  size_t classes() const { return static_cast<size_t>(network_.options().classes); }

  void add_steps(const Dataset& data, const Chunk& chunk, const LayerChunk& layer) {
    LayerReport& report = evaluation_.layers[layer.layer - 1];
    double& worst = evaluation_.completeness_ulp[layer.layer - 1];
    steps_.add(chunk, layer, sizes_);
    for (int64_t i = 0; i < chunk.rows; ++i) {
      const StepSize& size = sizes_[i];
      if (!std::isfinite(size.step_norm)) fail_not_finite("evaluate", network_, data, chunk.first + i);
      report.contribution_norm += size.contribution_norm;
      report.activation_change_norm += size.activation_change_norm;
      report.step_norm += size.step_norm;
      report.direct_contribution += size.label_step;
      worst = std::max(worst, size.residual_ulp);
    }
  }

  // Everything that the class dimensions of one row say.
  void add_scores(int64_t row, size_t label) {
    final_.read(dimensions_.row(predictions_.size(), row));
    scores_.read(dimensions_.row(0, row));
    evaluation_.input_accuracy += scores_.prediction() == label;
    std::copy(scores_.likelihoods.begin(), scores_.likelihoods.end(), telescoped_.begin());
    before_ = scores_.likelihoods;
    for (size_t l = 0; l < predictions_.size(); ++l) {
      scores_.read(dimensions_.row(l + 1, row));
      predictions_[l] = scores_.prediction();
      add_layer(evaluation_.layers[l], label);
    }
    ++evaluation_.decided[first_final_layer(predictions_) - 1];
    for (size_t c = 0; c < classes(); ++c) {
      evaluation_.telescoping_error =
          std::max(evaluation_.telescoping_error, std::fabs(telescoped_[c] - final_.likelihoods[c]));
    }
  }

  void add_layer(LayerReport& report, size_t label) {
    report.accuracy += scores_.prediction() == label;
    report.cross_entropy -= scores_.log_likelihood(label);
    report.margin += scores_.margin(label);
    for (size_t c = 0; c < classes(); ++c) {
      report.entropy -= scores_.likelihoods[c] * scores_.log_likelihood(c);
      report.kl_to_final += final_.likelihoods[c] * (final_.log_likelihood(c) - scores_.log_likelihood(c));
      telescoped_[c] += scores_.likelihoods[c] - before_[c];
      before_[c] = scores_.likelihoods[c];
    }
  }

  const Network& network_;
  Evaluation evaluation_;
  Completeness steps_;
  std::vector<StepSize> sizes_;
  ClassDimensions dimensions_;
  Scores final_, scores_;
  std::vector<double> telescoped_, before_;
  std::vector<size_t> predictions_;
};

}  // namespace

double Evaluation::worst_completeness_ulp() const {
  return *std::max_element(completeness_ulp.begin(), completeness_ulp.end());
}

Evaluation evaluate(const Network& network, const Dataset& data, int64_t batch) {
  Tally tally(network);
  each_layer("evaluate", network, data, batch, true,
             [&](const Chunk& chunk, const LayerChunk& layer) { tally.see(data, chunk, layer); });
  return tally.finish();
}

double accuracy(const Network& network, const Dataset& data, int64_t batch) {
  return *accuracy_unless([] { return false; }, network, data, batch);
}

std::optional<double> accuracy_unless(const std::function<bool()>& stop, const Network& network, const Dataset& data,
                                      int64_t batch) {
  const int64_t n = network.n(), classes = network.options().classes;
  int64_t correct = 0;
  bool stopped = false;
  each_chunk("accuracy", network, data, batch, [&](const Chunk& chunk) {
    for (int64_t l = 0; l < network.layers(); ++l) forward_layer(network, l, chunk.rows, chunk.h0, chunk.h0);
    const Loss loss = softmax_cross_entropy(chunk.rows, n, classes, chunk.h0, chunk.labels);
    if (loss.not_finite >= 0) fail_not_finite("accuracy", network, data, chunk.first + loss.not_finite);
    correct += loss.correct;
    stopped = stop();
    return !stopped;
  });
  if (stopped) return std::nullopt;
  return static_cast<double>(correct) / static_cast<double>(data.count);
}

std::vector<ReadOut> read_outs(const Network& network, const Dataset& data, int64_t batch) {
  const auto layers = static_cast<size_t>(network.layers());
  std::vector<ReadOut> found;
  ClassDimensions dimensions(network);
  Scores scores(static_cast<size_t>(network.options().classes));
  const auto see = [&](const Chunk& chunk, const LayerChunk& layer) {
    dimensions.keep(layer, chunk.rows);
    if (layer.layer < network.layers()) return;
    for (int64_t i = 0; i < chunk.rows; ++i) {
      ReadOut& image = found.emplace_back();
      image.label = chunk.labels[i];
      for (size_t l = 1; l <= layers; ++l) {
        if (!all_finite(dimensions.row(l, i))) fail_not_finite("read_outs", network, data, chunk.first + i);
        image.predictions.push_back(static_cast<uint8_t>(argmax(dimensions.row(l, i))));
      }
      image.first_final_layer = first_final_layer(image.predictions);
      scores.read(dimensions.row(layers, i));
      image.final_margin = static_cast<float>(scores.margin(image.predictions.back()));
      image.final_likelihood = static_cast<float>(scores.likelihoods[image.predictions.back()]);
    }
  };
  each_layer("read_outs", network, data, batch, false, see);
  return found;
}

}  // namespace idelta::nn
