// What every layer of a network does on a data set.
#include <algorithm>
#include <cmath>

#include "class_scores.h"
#include "completeness.h"
#include "decomposition_writer.h"
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
    evaluation_.closure.resize(predictions_.size());
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

  // Means of what was seen, and norms; empty if `stop` says so meanwhile.
  std::optional<Evaluation> finish(bool norms, const std::function<bool()>& stop) {
    const auto count = static_cast<double>(evaluation_.count);
    evaluation_.input_accuracy /= count;
    for (int64_t l = 0; l < network_.layers(); ++l) {
      LayerReport& report = evaluation_.layers[l];
      for (double* sum : {&report.accuracy, &report.cross_entropy, &report.entropy, &report.margin, &report.kl_to_final,
                          &report.direct_contribution, &report.contribution_norm, &report.activation_change_norm,
                          &report.step_norm}) {
        *sum /= count;
      }
      if (!norms) continue;
      if (stop()) return std::nullopt;
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
    steps_.add(chunk, layer, sizes_);
    for (int64_t i = 0; i < chunk.rows; ++i) {
      const StepSize& size = sizes_[i];
      if (!std::isfinite(size.step_norm)) fail_not_finite("evaluate", network_, data, chunk.first + i);
      report.contribution_norm += size.contribution_norm;
      report.activation_change_norm += size.activation_change_norm;
      report.step_norm += size.step_norm;
      report.direct_contribution += size.label_step;
      raise(evaluation_.closure[layer.layer - 1], size.closure);
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

// What the layers say of each image, once the last one has spoken.
class ReadOutReader {
 public:
  explicit ReadOutReader(const Network& network)
      : network_(network), dimensions_(network), scores_(static_cast<size_t>(network.options().classes)) {}

  void see(const char* caller, const Dataset& data, const Chunk& chunk, const LayerChunk& layer,
           std::vector<ReadOut>& found) {
    dimensions_.keep(layer, chunk.rows);
    if (layer.layer < network_.layers()) return;
    const auto layers = static_cast<size_t>(network_.layers());
    for (int64_t i = 0; i < chunk.rows; ++i) {
      ReadOut& image = found.emplace_back();
      image.label = chunk.labels[i];
      for (size_t l = 1; l <= layers; ++l) {
        if (!all_finite(dimensions_.row(l, i))) fail_not_finite(caller, network_, data, chunk.first + i);
        image.predictions.push_back(static_cast<uint8_t>(argmax(dimensions_.row(l, i))));
      }
      image.first_final_layer = first_final_layer(image.predictions);
      scores_.read(dimensions_.row(layers, i));
      image.final_margin = static_cast<float>(scores_.margin(image.predictions.back()));
      image.final_likelihood = static_cast<float>(scores_.likelihoods[image.predictions.back()]);
    }
  }

 private:
  const Network& network_;
  ClassDimensions dimensions_;
  Scores scores_;
};

}  // namespace

Closure Evaluation::worst_closure() const {
  Closure worst;
  for (const Closure& layer : closure) raise(worst, layer);
  return worst;
}

bool Evaluation::closes() const {
  return std::all_of(closure.begin(), closure.end(), [](const Closure& layer) { return layer.holds(); });
}

std::optional<Evaluation> evaluate_unless(const std::function<bool()>& stop, const Network& network,
                                          const Dataset& data, const EvaluationOptions& options) {
  Tally tally(network);
  ReadOutReader read_outs(network);
  DecompositionWriter maps(network, options.maps);
  LayerWalk walk(network, true);
  if (options.read_outs) options.read_outs->clear();
  bool stopped = false;
  each_chunk("evaluate", network, data, options.batch, [&](const Chunk& chunk) {
    const float* const images = data.images.data() + chunk.first * data.pixels();
    walk.run(chunk.rows, chunk.h0, network.layers(), [&](const LayerChunk& layer) {
      tally.see(data, chunk, layer);
      if (options.read_outs) read_outs.see("evaluate", data, chunk, layer, *options.read_outs);
      if (!maps.wants_anything()) return;
      const int64_t bad = maps.write(layer, chunk.rows, images, chunk.rows, 0);
      if (bad >= 0) fail_not_finite("evaluate", network, data, chunk.first + bad);
    });
    if (options.with_maps) options.with_maps(chunk.first, chunk.rows);
    if (options.progress) options.progress(chunk.first + chunk.rows, data.count);
    stopped = stop();
    return !stopped;
  });
  if (stopped) return std::nullopt;
  return tally.finish(options.norms, stop);
}

Evaluation evaluate(const Network& network, const Dataset& data, const EvaluationOptions& options) {
  return *evaluate_unless([] { return false; }, network, data, options);
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
  std::vector<ReadOut> found;
  ReadOutReader reader(network);
  each_layer("read_outs", network, data, batch, false,
             [&](const Chunk& chunk, const LayerChunk& layer) { reader.see("read_outs", data, chunk, layer, found); });
  return found;
}

}  // namespace idelta::nn
