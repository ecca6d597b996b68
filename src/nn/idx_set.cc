// Pairs of IDX files, checked against each other, scaled to [0, 1]; and what is particular about EMNIST's.
#include <algorithm>

#include "error.h"
#include "idx.h"
#include "image_set.h"
#include "scaling.h"

namespace idelta::nn {
namespace {

constexpr char kEmnist[] = "emnist";
constexpr char kEmnistLetters[] = "emnist-letters";

// EMNIST numbers its letters from 1.
void subtract_one(Dataset& data) {
  for (uint8_t& label : data.labels) {
    if (label == 0) {
      fail(data.labels_path, ": holds the label 0, but EMNIST numbers its letters from 1; give its own file");
    }
    --label;
  }
  --data.classes;
  data.notes.push_back(data.labels_path + ": EMNIST numbers its letters from 1; labels are lowered by 1");
}

void transpose(Dataset& data) {
  const std::vector<float> stored = std::move(data.images);
  data.images.resize(stored.size());
  const int64_t height = data.height, width = data.width;
  for (int64_t i = 0; i < data.count; ++i) {
    const int64_t first = i * height * width;
    for (int64_t r = 0; r < height; ++r) {
      for (int64_t c = 0; c < width; ++c) data.images[first + c * height + r] = stored[first + r * width + c];
    }
  }
  std::swap(data.height, data.width);
  data.notes.push_back(data.images_path +
                       ": EMNIST stores its images with rows and columns exchanged; they are turned");
}

Dataset load(const std::string& images_path, const std::string& labels_path, const LoadOptions& options) {
  if (options.most < 1) fail("load_idx: most is ", options.most, "; give 1 or more");
  const IdxBytes images = read_idx(images_path, 3, options.most);
  // All labels: the classes are those of the whole set.
  IdxBytes labels = read_idx(labels_path, 1, kAllImages);

  Dataset data;
  data.name = images_path;
  data.images_path = images_path;
  data.labels_path = labels_path;
  data.count = images.kept;
  data.height = images.sizes[1];
  data.width = images.sizes[2];
  if (images.values.empty()) {
    fail(images_path, ": holds no pixels (", data.count, " images of ", data.height, " x ", data.width,
         "); give a file with images");
  }
  if (labels.sizes[0] != images.sizes[0]) {
    fail(labels_path, ": holds ", labels.sizes[0], " labels, but ", images_path, " holds ", images.sizes[0],
         " images; give two files of one set");
  }
  data.classes = 1 + *std::max_element(labels.values.begin(), labels.values.end());
  data.labels = std::move(labels.values);
  data.labels.resize(static_cast<size_t>(data.count));
  fill_from_bytes(data, images.values, options);
  return data;
}

}  // namespace

Dataset load_idx(const std::string& images_path, const std::string& labels_path, int64_t most) {
  return load(images_path, labels_path, {.most = most});
}

Dataset load_idx_set(const Place& place, Split split, const LoadOptions& options) {
  const std::string images = find_idx_file(place, split, "images"), labels = find_idx_file(place, split, "labels");
  Dataset data = load(images, labels, options);
  if (place.prefix.starts_with(kEmnist)) transpose(data);
  if (place.prefix == kEmnistLetters) subtract_one(data);
  return data;
}

void check_scaling(const Dataset& data, const Scaling& scaling) {
  if (scaling.empty() || static_cast<int64_t>(scaling.factors.size()) == data.pixels()) return;
  fail(data.images_path, ": has ", data.pixels(), " inputs an image, but the model was trained with ",
       scaling.factors.size(), "; give the data it was trained on");
}

void fill_from_bytes(Dataset& data, std::span<const uint8_t> values, const LoadOptions& options) {
  if (options.network) {
    data.scaling = options.network->scaling;
    check_scaling(data, data.scaling);
  } else if (options.scale == Scale::kMinusOneToOne) {
    const auto pixels = static_cast<size_t>(data.pixels());
    data.scaling = {std::vector<double>(pixels, 0.5), std::vector<double>(pixels, 2.0)};
  }
  float scaled[256];
  for (int i = 0; i < 256; ++i) scaled[i] = static_cast<float>(i) / 255.0f;
  data.images.resize(values.size());
  std::transform(values.begin(), values.end(), data.images.begin(), [&](uint8_t v) { return scaled[v]; });
  if (data.scaling.empty()) return;
  const auto pixels = static_cast<size_t>(data.pixels());
  for (size_t first = 0; first < values.size(); first += pixels) {
    const std::span<float> row(data.images.data() + first, pixels);
    scale_row(data.scaling, std::span<const float>(row), row.data());
  }
}

}  // namespace idelta::nn
