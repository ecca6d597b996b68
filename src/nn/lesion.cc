// The network without one layer, for each of its layers. Layers below the lesion are those of the whole network, so
// h^{l-1} is carried along and a lesion costs only the layers above it: L / 2 passes for all of them.
#include <algorithm>
#include <cmath>

#include "check_data.h"
#include "error.h"
#include "finite.h"
#include "idelta/nn.hpp"
#include "loss.h"
#include "one_layer.h"

namespace idelta::nn {
namespace {

// What the label makes of one row's class dimensions.
struct Score {
  double logit = 0;    // of the label
  double centred = 0;  // less the mean over the classes
  bool correct = false;
};

class Lesions {
 public:
  Lesions(const Network& network, const Dataset& data, int64_t batch)
      : network_(network),
        data_(data),
        below_(static_cast<size_t>(batch * network.n())),
        run_(below_.size()),
        whole_(static_cast<size_t>(batch)),
        before_(whole_.size()),
        lesions_(static_cast<size_t>(network.layers())) {
    DeltaOptions options = kDeltaOptions;
    options.format = IDELTA_FORMAT_F32;
    options.passes = IDELTA_PASS_FORWARD;
    options.identity_scale = network.options().identity_scale;
    const std::vector<float> zero(static_cast<size_t>(network.n() * network.n()));
    nothing_ = std::make_unique<Delta>(network.context(), network.n(), zero.data(), network.n(), options);
  }

  void see(int64_t first, int64_t rows) {
    first_ = first;
    rows_ = rows;
    const int64_t pixels = data_.pixels();
    network_.pad({data_.images.data() + first * pixels, static_cast<size_t>(rows * pixels)}, rows, below_.data());
    rest(0, below_.data());
    for (int64_t i = 0; i < rows; ++i) {
      if (!finite(run_, i)) fail_not_finite("lesions", network_, data_, first + i);
      whole_[i] = score(run_, i);
    }
    for (int64_t l = 0; l < network_.layers(); ++l) {
      lesion(l);
      step(l);
    }
  }

  std::vector<Lesion> finish() {
    const auto count = static_cast<double>(data_.count);
    for (Lesion& lesion : lesions_) {
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
  // h^L from layer l and its input, in run_.
  void rest(int64_t l, const float* input) {
    if (l == network_.layers()) return;
    one_layer(network_, l, rows_, input, run_.data());
    for (++l; l < network_.layers(); ++l) one_layer(network_, l, rows_, run_.data(), run_.data());
  }

  void lesion(int64_t l) {
    one_layer(network_, l, *nothing_, nullptr, rows_, below_.data(), run_.data());
    rest(l + 1, run_.data());
    Lesion& sums = lesions_[l];
    for (int64_t i = 0; i < rows_; ++i) {
      if (!finite(run_, i)) {
        throw NotFinite(sentence("lesions: without layer ", l + 1,
                                 " the output of the network is not finite for image ", first_ + i, " of ", data_.name,
                                 "; train the network with a lower learning rate"));
      }
      const Score lesioned = score(run_, i), whole = whole_[i];
      sums.accuracy += lesioned.correct;
      sums.gained += lesioned.correct && !whole.correct;
      sums.lost += whole.correct && !lesioned.correct;
      sums.logit_change += lesioned.logit - whole.logit;
      sums.centred_logit_change += lesioned.centred - whole.centred;
    }
  }

  // below_ becomes h^{l+1}; what that adds to the label's class dimension is summed.
  void step(int64_t l) {
    for (int64_t i = 0; i < rows_; ++i) before_[i] = score(below_, i);
    one_layer(network_, l, rows_, below_.data(), below_.data());
    for (int64_t i = 0; i < rows_; ++i) {
      const Score after = score(below_, i);
      lesions_[l].direct_contribution += after.logit - before_[i].logit;
      lesions_[l].centred_contribution += after.centred - before_[i].centred;
    }
  }

  std::span<const float> class_dimensions(const std::vector<float>& h, int64_t row) const {
    const auto classes = static_cast<size_t>(network_.options().classes);
    return {h.data() + (row + 1) * network_.n() - classes, classes};
  }

  bool finite(const std::vector<float>& h, int64_t row) const { return all_finite(class_dimensions(h, row)); }

  Score score(const std::vector<float>& h, int64_t row) const {
    const std::span<const float> values = class_dimensions(h, row);
    const int64_t label = data_.labels[static_cast<size_t>(first_ + row)];
    double sum = 0;
    for (const float v : values) sum += v;
    const double logit = values[static_cast<size_t>(label)];
    return {logit, logit - sum / static_cast<double>(values.size()), argmax(values) == label};
  }

  const Network& network_;
  const Dataset& data_;
  std::unique_ptr<Delta> nothing_;     // D = 0, whose panels the kernel skips
  std::vector<float> below_, run_;     // h^{l-1}; what runs to the end
  std::vector<Score> whole_, before_;  // of each row: the whole network's, of h^{l-1}
  std::vector<Lesion> lesions_;        // sums, until finish()
  int64_t first_ = 0, rows_ = 0;       // the batch
};

}  // namespace

std::vector<Lesion> lesions(const Network& network, const Dataset& data, int64_t batch) {
  check_data("lesions", data, network.options());
  if (batch < 1) fail("lesions: batch is ", batch, "; give 1 or more");
  batch = std::min(batch, data.count);
  Lesions all(network, data, batch);
  for (int64_t first = 0; first < data.count; first += batch) all.see(first, std::min(batch, data.count - first));
  return all.finish();
}

}  // namespace idelta::nn
