// What becomes of a prediction when pixels are replaced, the highest ranked first.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "error.h"
#include "finite.h"
#include "idelta/nn.hpp"
#include "loss.h"
#include "map_similarity.h"
#include "passes.h"

namespace idelta::nn {
namespace {

constexpr Ordering kOrderings[] = {Ordering::kContribution, Ordering::kClassMap, Ordering::kSignedClassMap,
                                   Ordering::kPixelValue, Ordering::kRandom};
constexpr Baseline kBaselines[] = {Baseline::kZero, Baseline::kMeanImage};

// Whether D or b of a layer changes pixels.
bool changes_pixels(const Network& network, int64_t layer) {
  const int64_t n = network.n(), pixels = network.options().pixels();
  const auto any = [pixels](const float* row) {
    return std::any_of(row, row + pixels, [](float v) { return v != 0.0f; });
  };
  const std::vector<float> D = network.delta(layer);
  for (int64_t i = 0; i < n; ++i) {
    if (any(D.data() + i * n)) return true;
  }
  return any(network.bias(layer).data());
}

// The images, what the network makes of them whole, and the numbers that rank their pixels.
class Subjects {
 public:
  Subjects(const Network& network, const Dataset& data, std::vector<int64_t> indices, const FlippingOptions& options)
      : network_(network),
        data_(data),
        options_(options),
        indices_(std::move(indices)),
        images_(chosen_images("pixel_flipping", network, data, indices_)) {
    const bool last_layer_counts = network.layers() == 1 || changes_pixels(network, network.layers() - 1);
    contribution_layer_ = network.layers() - (last_layer_counts ? 0 : 1);
    maps_.resize(images_.size());
    for_batches([&](int64_t first, int64_t rows) { look_at(first, rows); });
    class_maps_.resize(images_.size());
    class_maps(network, count(), images_.data(), classes_.data(), {.maps = class_maps_.data()}, options.batch);
  }

  int64_t count() const { return static_cast<int64_t>(indices_.size()); }
  int64_t contribution_layer() const { return contribution_layer_; }
  int64_t pixels() const { return data_.pixels(); }
  const Network& network() const { return network_; }
  int predicted(int64_t i) const { return classes_[i]; }
  std::span<const float> image(int64_t i) const { return of(images_, i); }
  void fail_not_finite_here(int64_t i) const { fail_not_finite("pixel_flipping", network_, data_, indices_[i]); }
  int64_t index(int64_t i) const { return indices_[i]; }
  const std::string& set() const { return data_.name; }

  // see(first, rows) for at most a batch of them at a time.
  template <class See>
  void for_batches(const See& see) const {
    for (int64_t first = 0; first < count(); first += options_.batch) {
      see(first, std::min(options_.batch, count() - first));
    }
  }

  // Pixels of image i, those that are replaced first in front. `repeat` tells random orders apart.
  std::vector<int64_t> order(Ordering ordering, int64_t i, int64_t repeat) const {
    const std::vector<float> ranks = rank_values(ordering, i, repeat);
    std::vector<int64_t> pixels(ranks.size());
    std::iota(pixels.begin(), pixels.end(), int64_t{0});
    std::stable_sort(pixels.begin(), pixels.end(), [&](int64_t p, int64_t q) { return ranks[p] > ranks[q]; });
    return pixels;
  }

 private:
  std::span<const float> of(const std::vector<float>& values, int64_t i) const {
    return std::span(values).subspan(static_cast<size_t>(i * pixels()), static_cast<size_t>(pixels()));
  }

  // Predictions and contribution maps of some images.
  void look_at(int64_t first, int64_t rows) {
    const int64_t n = network_.n();
    const auto offset = static_cast<size_t>(first * pixels()), size = static_cast<size_t>(rows * pixels());
    const std::span<const float> images = std::span(images_).subspan(offset, size);
    std::vector<float> h(static_cast<size_t>(rows * n));
    network_.pad(images, rows, h.data());
    for (int64_t l = 0; l < network_.layers(); ++l) {
      forward_layer(network_, l, rows, h.data(), h.data());
      if (l + 1 != contribution_layer_) continue;
      const std::vector<float> maps = contribution_maps(network_, images, h.data());
      std::copy(maps.begin(), maps.end(), maps_.begin() + offset);
    }
    for (int64_t i = 0; i < rows; ++i) {
      const std::span<const float> row(h.data() + i * n, static_cast<size_t>(n));
      if (!all_finite(row)) fail_not_finite_here(first + i);
      classes_.push_back(static_cast<int>(argmax(row.subspan(static_cast<size_t>(pixels())))));
    }
  }

  // Random ones depend on the image's index in the set, so that they are the same in any company.
  std::vector<float> random_values(int64_t i, int64_t repeat) const {
    std::seed_seq words = {static_cast<uint32_t>(options_.seed), static_cast<uint32_t>(options_.seed >> 32),
                           static_cast<uint32_t>(repeat), static_cast<uint32_t>(indices_[i])};
    std::mt19937 random(words);
    std::vector<float> values(static_cast<size_t>(pixels()));
    for (float& v : values) v = static_cast<float>(random() >> 8);  // 24 bits, which a float holds
    return values;
  }

  std::vector<float> rank_values(Ordering ordering, int64_t i, int64_t repeat) const {
    if (ordering == Ordering::kRandom) return random_values(i, repeat);
    const std::span<const float> from = ordering == Ordering::kContribution ? of(maps_, i)
                                        : ordering == Ordering::kPixelValue ? of(images_, i)
                                                                            : of(class_maps_, i);
    std::vector<float> values(from.begin(), from.end());
    if (ordering == Ordering::kSignedClassMap) return values;
    for (float& v : values) v = std::fabs(v);
    return values;
  }

  const Network& network_;
  const Dataset& data_;
  const FlippingOptions& options_;
  std::vector<int64_t> indices_;
  std::vector<float> images_, maps_, class_maps_;  // rows x P
  std::vector<int> classes_;                       // that the whole images are predicted to be
  int64_t contribution_layer_ = 0;
};

// What becomes of the predicted class of each image, of `steps` entries an image: sums over the orders so far.
struct Outcomes {
  size_t steps;
  std::vector<double> likelihood, same_prediction;

  Outcomes(int64_t images, size_t count)
      : steps(count), likelihood(static_cast<size_t>(images) * count), same_prediction(likelihood.size()) {}
};

// Adds to the outcomes of some images; replaced[s]: pixels that are replaced at step s.
void flip(const Subjects& subjects, int64_t first, int64_t rows, const std::vector<std::vector<int64_t>>& orders,
          std::span<const float> baseline, std::span<const int64_t> replaced, Outcomes& outcomes) {
  const Network& network = subjects.network();
  const int64_t n = network.n(), pixels = subjects.pixels();
  std::vector<float> h0(static_cast<size_t>(rows * n)), h(h0.size());
  for (int64_t i = 0; i < rows; ++i) network.pad(subjects.image(first + i), 1, h0.data() + i * n);
  const std::vector<float*> outputs(static_cast<size_t>(network.layers()), h.data());
  std::vector<double> likelihoods(static_cast<size_t>(network.options().classes));
  int64_t done = 0;
  for (size_t s = 0; s < replaced.size(); ++s) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t k = done; k < replaced[s]; ++k) h0[i * n + orders[i][k]] = baseline[orders[i][k]];
    }
    done = replaced[s];
    network.forward(rows, h0.data(), outputs);
    for (int64_t i = 0; i < rows; ++i) {
      const std::span<const float> values(h.data() + i * n + pixels, likelihoods.size());
      if (!all_finite(values)) {
        throw NotFinite(sentence("pixel_flipping: with ", replaced[s],
                                 " pixels replaced the output of the network is not finite for image ",
                                 subjects.index(first + i), " of ", subjects.set()));
      }
      softmax(values, likelihoods);
      const int predicted = subjects.predicted(first + i);
      const size_t at = static_cast<size_t>(first + i) * outcomes.steps + s;
      outcomes.likelihood[at] += likelihoods[predicted];
      outcomes.same_prediction[at] += argmax(values) == predicted;
    }
  }
}

// By trapezoids.
double area(const std::vector<double>& x, std::span<const double> y) {
  double sum = 0;
  for (size_t i = 1; i < x.size(); ++i) sum += (x[i] - x[i - 1]) * (y[i] + y[i - 1]) / 2;
  return sum;
}

// Of the mean of the values; 0 of a single one.
double standard_error(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  if (values.size() < 2) return 0;
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (const double v : values) squares += (v - mean) * (v - mean);
  return std::sqrt(squares / (count - 1) / count);
}

struct MeasuredCurve {
  FlippingCurve curve;
  std::vector<double> areas;  // under the likelihood, an image each
};

MeasuredCurve measure(const Subjects& subjects, Ordering ordering, Baseline baseline,
                      std::span<const float> baseline_values, std::span<const int64_t> replaced,
                      const std::vector<double>& fractions, int64_t repeats) {
  Outcomes outcomes(subjects.count(), replaced.size());
  for (int64_t repeat = 0; repeat < repeats; ++repeat) {
    subjects.for_batches([&](int64_t first, int64_t rows) {
      std::vector<std::vector<int64_t>> orders;
      for (int64_t i = first; i < first + rows; ++i) orders.push_back(subjects.order(ordering, i, repeat));
      flip(subjects, first, rows, orders, baseline_values, replaced, outcomes);
    });
  }
  for (double& v : outcomes.likelihood) v /= static_cast<double>(repeats);
  for (double& v : outcomes.same_prediction) v /= static_cast<double>(repeats);

  MeasuredCurve made = {.curve = {.ordering = ordering, .baseline = baseline}};
  FlippingCurve& curve = made.curve;
  curve.likelihood.resize(replaced.size());
  curve.same_prediction.resize(replaced.size());
  const auto count = static_cast<size_t>(subjects.count());
  for (size_t i = 0; i < count; ++i) {
    const size_t at = i * replaced.size();
    made.areas.push_back(area(fractions, std::span(outcomes.likelihood).subspan(at, replaced.size())));
    for (size_t s = 0; s < replaced.size(); ++s) {
      curve.likelihood[s] += outcomes.likelihood[at + s];
      curve.same_prediction[s] += outcomes.same_prediction[at + s];
    }
  }
  for (double& v : curve.likelihood) v /= static_cast<double>(count);
  for (double& v : curve.same_prediction) v /= static_cast<double>(count);
  curve.likelihood_area = area(fractions, curve.likelihood);
  curve.same_prediction_area = area(fractions, curve.same_prediction);
  curve.likelihood_area_error = standard_error(made.areas);
  return made;
}

// Says of a curve how far it is from that of random orders, image by image.
void compare_with_random(const MeasuredCurve& random, MeasuredCurve& made) {
  std::vector<double> differences(made.areas.size());
  std::transform(made.areas.begin(), made.areas.end(), random.areas.begin(), differences.begin(), std::minus<>());
  made.curve.beyond_random =
      std::accumulate(differences.begin(), differences.end(), 0.0) / static_cast<double>(differences.size());
  made.curve.beyond_random_error = standard_error(differences);
}

std::vector<float> mean_image(const Dataset& data) {
  std::vector<double> sums(static_cast<size_t>(data.pixels()));
  for (size_t i = 0; i < data.images.size(); ++i) sums[i % sums.size()] += data.images[i];
  std::vector<float> mean;
  for (const double sum : sums) mean.push_back(static_cast<float>(sum / static_cast<double>(data.count)));
  return mean;
}

std::vector<int64_t> chosen(const Dataset& data, const FlippingOptions& options) {
  if (!options.indices.empty()) return options.indices;
  std::vector<int64_t> first(static_cast<size_t>(std::min(options.images, data.count)));
  std::iota(first.begin(), first.end(), int64_t{0});
  return first;
}

void check_options(const FlippingOptions& options) {
  const auto at_least_1 = [](const char* what, int64_t value) {
    if (value < 1) fail("pixel_flipping: ", what, " is ", value, "; give 1 or more");
  };
  at_least_1("images", options.images);
  at_least_1("steps", options.steps);
  at_least_1("random_orders", options.random_orders);
  at_least_1("batch", options.batch);
}

}  // namespace

const char* ordering_name(Ordering ordering) {
  switch (ordering) {
    case Ordering::kContribution:
      return "contribution map";
    case Ordering::kClassMap:
      return "class map";
    case Ordering::kSignedClassMap:
      return "class map, signed";
    case Ordering::kPixelValue:
      return "pixel value";
    case Ordering::kRandom:
      return "random";
  }
  return "";
}

const char* baseline_name(Baseline baseline) { return baseline == Baseline::kZero ? "zero" : "mean image"; }

Flipping pixel_flipping(const Network& network, const Dataset& data, const FlippingOptions& options,
                        const PartDone& progress) {
  check_options(options);
  const Subjects subjects(network, data, chosen(data, options), options);
  const std::vector<float> zero(static_cast<size_t>(data.pixels())), mean = mean_image(data);
  Flipping flipping = {.images = subjects.count(), .contribution_layer = subjects.contribution_layer()};
  std::vector<int64_t> replaced;
  for (int64_t s = 0; s <= options.steps; ++s) {
    replaced.push_back(data.pixels() * s / options.steps);
    flipping.fractions.push_back(static_cast<double>(replaced.back()) / static_cast<double>(data.pixels()));
  }
  std::vector<MeasuredCurve> made;
  constexpr int64_t kCurves = std::size(kOrderings) * std::size(kBaselines);
  for (const Ordering ordering : kOrderings) {
    for (const Baseline baseline : kBaselines) {
      made.push_back(measure(subjects, ordering, baseline, baseline == Baseline::kZero ? zero : mean, replaced,
                             flipping.fractions, ordering == Ordering::kRandom ? options.random_orders : 1));
      if (progress) progress(static_cast<int64_t>(made.size()), kCurves);
    }
  }
  for (MeasuredCurve& one : made) {
    const auto random = std::find_if(made.begin(), made.end(), [&](const MeasuredCurve& other) {
      return other.curve.ordering == Ordering::kRandom && other.curve.baseline == one.curve.baseline;
    });
    compare_with_random(*random, one);
    flipping.curves.push_back(one.curve);
  }
  return flipping;
}

}  // namespace idelta::nn
