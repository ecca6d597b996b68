// How alike two maps are: Spearman's rank correlation and structural similarity.
#include "map_similarity.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "check_data.h"
#include "error.h"
#include "finite.h"
#include "passes.h"

namespace idelta::nn {
namespace {

// Twice the average rank of each value, counted from 0 and less the mean rank: whole numbers, so that products of them
// are exact.
std::vector<double> centred_ranks(std::span<const float> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t i, size_t j) { return values[i] < values[j]; });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    // Ranks begin .. end - 1 share (begin + end - 1) / 2; the mean of all is (size - 1) / 2.
    const double rank = static_cast<double>(begin + end) - static_cast<double>(order.size());
    for (size_t i = begin; i < end; ++i) ranks[order[i]] = rank;
    begin = end;
  }
  return ranks;
}

double product(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

// Weights of a Gaussian window along a side: 11 of them, or as many as the side has if that is odd, or one less.
std::vector<double> window(int64_t side) {
  constexpr int64_t kWindow = 11;
  constexpr double kSigma = 1.5;
  const int64_t size = side >= kWindow ? kWindow : side - (side + 1) % 2;
  std::vector<double> weights;
  for (int64_t i = 0; i < size; ++i) {
    const double distance = static_cast<double>(i - size / 2) / kSigma;
    weights.push_back(std::exp(-distance * distance / 2));
  }
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight /= sum;
  return weights;
}

// Weighted means of a height x width picture over all windows that lie inside it.
std::vector<double> windowed(const std::vector<double>& picture, int64_t height, int64_t width) {
  const std::vector<double> down = window(height), across = window(width);
  const auto tall = static_cast<int64_t>(down.size()), wide = static_cast<int64_t>(across.size());
  const int64_t rows = height - tall + 1, columns = width - wide + 1;
  std::vector<double> lines(static_cast<size_t>(height * columns)), means(static_cast<size_t>(rows * columns));
  for (int64_t i = 0; i < height; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      for (int64_t k = 0; k < wide; ++k) lines[i * columns + j] += across[k] * picture[i * width + j + k];
    }
  }
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t k = 0; k < tall; ++k) {
      for (int64_t j = 0; j < columns; ++j) means[i * columns + j] += down[k] * lines[(i + k) * columns + j];
    }
  }
  return means;
}

std::vector<double> products(std::span<const float> a, std::span<const float> b) {
  std::vector<double> all(a.size());
  std::transform(a.begin(), a.end(), b.begin(), all.begin(), [](double v, double w) { return v * w; });
  return all;
}

std::vector<float> magnitudes(std::span<const float> map) {
  std::vector<float> all(map.size());
  std::transform(map.begin(), map.end(), all.begin(), [](float v) { return std::fabs(v); });
  return all;
}

// Divided by its largest magnitude; empty if that is 0.
std::vector<float> scaled(std::span<const float> map) {
  std::vector<float> all = magnitudes(map);
  const float largest = *std::max_element(all.begin(), all.end());
  if (largest == 0.0f) return {};
  std::transform(map.begin(), map.end(), all.begin(), [largest](float v) { return v / largest; });
  return all;
}

// The mean of what is defined.
class Mean {
 public:
  void add(std::optional<double> value) {
    if (!value) return;
    sum_ += *value;
    ++count_;
  }
  int64_t count() const { return count_; }
  std::optional<double> value() const {
    return count_ == 0 ? std::nullopt : std::optional<double>(sum_ / static_cast<double>(count_));
  }

 private:
  double sum_ = 0;
  int64_t count_ = 0;
};

void check_pair(const char* caller, std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size() || a.empty()) {
    fail(caller, ": the maps have ", a.size(), " and ", b.size(), " values; give as many, and at least one");
  }
  if (!all_finite(a) || !all_finite(b)) fail(caller, ": a map holds a value that is not finite");
}

}  // namespace

std::optional<double> rank_correlation(std::span<const float> a, std::span<const float> b) {
  check_pair("rank_correlation", a, b);
  const std::vector<double> ranks_a = centred_ranks(a), ranks_b = centred_ranks(b);
  const double variance_a = product(ranks_a, ranks_a), variance_b = product(ranks_b, ranks_b);
  if (variance_a == 0 || variance_b == 0) return std::nullopt;
  return product(ranks_a, ranks_b) / std::sqrt(variance_a * variance_b);
}

double ssim(std::span<const float> a, std::span<const float> b, int64_t height, int64_t width, double range) {
  check_pair("ssim", a, b);
  if (height < 1 || width < 1 || a.size() != static_cast<size_t>(height * width)) {
    fail("ssim: the maps have ", a.size(), " values; give ", height, " x ", width);
  }
  if (!(range > 0) || !std::isfinite(range)) fail("ssim: range is ", range, "; give a finite number above 0");
  const auto means = [&](const std::vector<double>& picture) { return windowed(picture, height, width); };
  const std::vector<double> mean_a = means({a.begin(), a.end()}), mean_b = means({b.begin(), b.end()});
  const std::vector<double> aa = means(products(a, a)), bb = means(products(b, b)), ab = means(products(a, b));
  const double c1 = 0.01 * range * 0.01 * range, c2 = 0.03 * range * 0.03 * range;
  double sum = 0;
  for (size_t i = 0; i < mean_a.size(); ++i) {
    const double ma = mean_a[i], mb = mean_b[i];
    const double covariance = ab[i] - ma * mb, variances = aa[i] - ma * ma + bb[i] - mb * mb;
    sum += (2 * ma * mb + c1) * (2 * covariance + c2) / ((ma * ma + mb * mb + c1) * (variances + c2));
  }
  return sum / static_cast<double>(mean_a.size());
}

std::vector<float> chosen_images(const char* caller, const Network& network, const Dataset& data,
                                 std::span<const int64_t> indices) {
  check_data(caller, data, network.options());
  if (indices.empty()) fail(caller, ": no image is chosen; give the index of one or more");
  std::vector<float> images;
  for (const int64_t index : indices) {
    if (index < 0 || index >= data.count) {
      fail(caller, ": image ", index, " of ", data.name, " is wanted; give 0 to ", data.count - 1);
    }
    const auto begin = data.images.begin() + index * data.pixels();
    images.insert(images.end(), begin, begin + data.pixels());
  }
  return images;
}

std::vector<float> contribution_maps(const Network& network, std::span<const float> images, const float* h) {
  const auto pixels = static_cast<size_t>(network.options().pixels());
  std::vector<float> maps(images.size());
  for (size_t i = 0; i * pixels < images.size(); ++i) {
    const float* const row = h + i * static_cast<size_t>(network.n());
    for (size_t p = 0; p < pixels; ++p) maps[i * pixels + p] = row[p] - images[i * pixels + p];
  }
  return maps;
}

Similarity similarity(const std::vector<float>& a, const std::vector<float>& b, int64_t height, int64_t width) {
  const auto pixels = static_cast<size_t>(height * width);
  const bool picture = height > 1 && width > 1;
  Similarity result;
  Mean ranks, absolute_ranks, structure;
  for (size_t first = 0; first < a.size(); first += pixels) {
    const std::span<const float> map_a(a.data() + first, pixels), map_b(b.data() + first, pixels);
    ++result.images;
    ranks.add(rank_correlation(map_a, map_b));
    absolute_ranks.add(rank_correlation(magnitudes(map_a), magnitudes(map_b)));
    const std::vector<float> scaled_a = scaled(map_a), scaled_b = scaled(map_b);
    if (picture && !scaled_a.empty() && !scaled_b.empty()) structure.add(ssim(scaled_a, scaled_b, height, width, 2.0));
  }
  result.undefined = result.images - ranks.count();
  result.rank_correlation = ranks.value();
  result.absolute_rank_correlation = absolute_ranks.value();
  result.ssim = structure.value();
  return result;
}

ReferenceMaps::ReferenceMaps(const Network& network, const Dataset& data, std::span<const int64_t> indices)
    : network_(network),
      data_(data),
      indices_(indices.begin(), indices.end()),
      images_(chosen_images("ReferenceMaps", network, data, indices)) {
  const auto rows = static_cast<int64_t>(indices_.size());
  h_.assign(static_cast<size_t>(network.layers()) + 1, std::vector<float>(static_cast<size_t>(rows * network.n())));
  network.pad(images_, rows, h_[0].data());
  for (int64_t l = 0; l < network.layers(); ++l) {
    forward_layer(network, l, rows, h_[l].data(), h_[l + 1].data());
    check_finite(network, h_[l + 1]);
  }
}

std::vector<Similarity> ReferenceMaps::compare(const Network& other) const {
  const NetworkOptions &own = network_.options(), &others = other.options();
  if (own.layers != others.layers || own.height != others.height || own.width != others.width) {
    fail("ReferenceMaps: the networks have ", own.layers, " and ", others.layers, " layers and images of ", own.height,
         " x ", own.width, " and ", others.height, " x ", others.width, "; give networks of the same");
  }
  const auto rows = static_cast<int64_t>(indices_.size());
  std::vector<float> h(static_cast<size_t>(rows * other.n()));
  other.pad(images_, rows, h.data());
  std::vector<Similarity> layers;
  for (int64_t l = 0; l < other.layers(); ++l) {
    forward_layer(other, l, rows, h.data(), h.data());
    check_finite(other, h);
    layers.push_back(similarity_of(maps(l + 1), contribution_maps(other, images_, h.data())));
  }
  return layers;
}

std::vector<float> ReferenceMaps::maps(size_t layer) const {
  return contribution_maps(network_, images_, h_[layer].data());
}

Similarity ReferenceMaps::similarity_of(const std::vector<float>& a, const std::vector<float>& b) const {
  return similarity(a, b, data_.height, data_.width);
}

void ReferenceMaps::check_finite(const Network& network, const std::vector<float>& h) const {
  const auto n = static_cast<size_t>(network.n());
  for (size_t i = 0; i < indices_.size(); ++i) {
    if (!all_finite({h.data() + i * n, n})) fail_not_finite("ReferenceMaps", network, data_, indices_[i]);
  }
}

}  // namespace idelta::nn
