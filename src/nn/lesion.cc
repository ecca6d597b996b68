// The network without one layer, for each of its layers. Layers below the lesion are those of the whole network, so
// h^{l-1} is carried along and a lesion costs only the layers above it: L / 2 passes for all of them.
#include <algorithm>
#include <memory>

#include "error.h"
#include "finite.h"
#include "idelta/nn.hpp"
#include "loss.h"
#include "passes.h"

namespace idelta::nn {
namespace {

// What the label makes of one row's class dimensions.
struct Score {
  double logit = 0;    // of the label
  double centred = 0;  // less the mean over the classes
  bool correct = false;
  bool finite = false;
};

class Lesions {
 public:
  Lesions(const Network& network, const Dataset& data)
      : network_(network), data_(data), lesions_(static_cast<size_t>(network.layers())) {
    DeltaOptions options = kDeltaOptions;
    options.format = IDELTA_FORMAT_F32;
    options.passes = IDELTA_PASS_FORWARD;
    options.identity_scale = network.options().identity_scale;
    const std::vector<float> zero(static_cast<size_t>(network.n() * network.n()));
    nothing_ = std::make_unique<Delta>(network.context(), network.n(), zero.data(), network.n(), options);
  }

  // Writes over the chunk's h.
  void see(const Chunk& chunk) {
    run_.resize(static_cast<size_t>(chunk.rows * network_.n()));
    std::copy_n(chunk.h0, run_.size(), run_.data());
    rest(chunk, 0);
    whole_ = scores(chunk, run_.data());
    for (int64_t i = 0; i < chunk.rows; ++i) {
      if (!whole_[i].finite) fail_not_finite("lesions", network_, data_, chunk.first + i);
    }
    for (int64_t l = 0; l < network_.layers(); ++l) {
      lesion(chunk, l);
      step(chunk, l);
    }
  }

  std::vector<Lesion> finish() {
    const auto count = static_cast<double>(data_.count);
    for (Lesion& lesion : lesions_) {
      lesion.count = data_.count;
      lesion.accuracy /= count;
      lesion.accuracy_change = static_cast<double>(lesion.gained - lesion.lost) / count;
      lesion.logit_change /= count;
      lesion.centred_logit_change /= count;
      lesion.direct_contribution /= count;
      lesion.centred_contribution /= count;
    }
    return std::move(lesions_);
  }

 private:
  // run_ holds h of layer l's input and becomes h^L.
  void rest(const Chunk& chunk, int64_t l) {
    for (; l < network_.layers(); ++l) forward_layer(network_, l, chunk.rows, run_.data(), run_.data());
  }

  // chunk.h0 holds the input of layer l.
  void lesion(const Chunk& chunk, int64_t l) {
    nothing_->forward({.m = chunk.rows,
                       .x = chunk.h0,
                       .ldx = network_.n(),
                       .activation = network_.activation(l),
                       .y = run_.data(),
                       .ldy = network_.n()});
    rest(chunk, l + 1);
    const std::vector<Score> without = scores(chunk, run_.data());
    Lesion& sums = lesions_[l];
    for (int64_t i = 0; i < chunk.rows; ++i) {
      if (!without[i].finite) {
        throw NotFinite(sentence("lesions: without layer ", l + 1,
                                 " the output of the network is not finite for image ", chunk.first + i, " of ",
                                 data_.name, "; train the network with a lower learning rate"));
      }
      sums.accuracy += without[i].correct;
      sums.gained += without[i].correct && !whole_[i].correct;
      sums.lost += whole_[i].correct && !without[i].correct;
      sums.logit_change += without[i].logit - whole_[i].logit;
      sums.centred_logit_change += without[i].centred - whole_[i].centred;
    }
  }

  // chunk.h0 becomes the output of layer l; what that adds to the label's class dimension is summed.
  void step(const Chunk& chunk, int64_t l) {
    const std::vector<Score> before = scores(chunk, chunk.h0);
    forward_layer(network_, l, chunk.rows, chunk.h0, chunk.h0);
    const std::vector<Score> after = scores(chunk, chunk.h0);
    for (int64_t i = 0; i < chunk.rows; ++i) {
      lesions_[l].direct_contribution += after[i].logit - before[i].logit;
      lesions_[l].centred_contribution += after[i].centred - before[i].centred;
    }
  }

  std::vector<Score> scores(const Chunk& chunk, const float* h) const {
    const auto classes = static_cast<size_t>(network_.options().classes);
    std::vector<Score> all;
    for (int64_t i = 0; i < chunk.rows; ++i) {
      const std::span<const float> values(h + (i + 1) * network_.n() - classes, classes);
      double sum = 0;
      for (const float v : values) sum += v;
      const size_t label = chunk.labels[i];
      all.push_back({.logit = values[label],
                     .centred = values[label] - sum / static_cast<double>(classes),
                     .correct = argmax(values) == static_cast<int64_t>(label),
                     .finite = all_finite(values)});
    }
    return all;
  }

  const Network& network_;
  const Dataset& data_;
  std::unique_ptr<Delta> nothing_;  // D = 0, whose panels the kernel skips
  std::vector<float> run_;          // what runs to the end
  std::vector<Score> whole_;        // of the chunk's rows, nothing lesioned
  std::vector<Lesion> lesions_;     // sums, until finish()
};

}  // namespace

std::vector<Lesion> lesions(const Network& network, const Dataset& data, int64_t batch, const PartDone& progress) {
  Lesions all(network, data);
  each_chunk("lesions", network, data, batch, [&](const Chunk& chunk) {
    all.see(chunk);
    if (progress) progress(chunk.first + chunk.rows, data.count);
  });
  return all.finish();
}

}  // namespace idelta::nn
