// Pairs of .npy arrays: images [m, h, w], or [m, p] for p features without names; labels [m] or [m, 1].
#include <algorithm>
#include <cmath>
#include <limits>

#include "check_data.h"
#include "error.h"
#include "image_set.h"
#include "npy.h"
#include "npz.h"
#include "scaling.h"
#include "zip.h"

namespace idelta::nn {
namespace {

NpyArray read(const ArrayPlace& place, int64_t most) {
  return place.array.empty() ? read_npy(place.path, most) : read_npz(place.path, place.array, most);
}

// "x.npz, array x_train"
std::string name_of(const ArrayPlace& place) {
  return place.array.empty() ? place.path : place.path + ", array " + printable(place.array);
}

template <class Number>
constexpr bool kIsInteger = std::numeric_limits<Number>::is_integer;

// Labels of the whole set, of any integer type, as bytes.
void fill_labels(Dataset& data, const ArrayPlace& place, const NpyArray& labels, int64_t images) {
  const std::string name = name_of(place);
  const bool one_a_row = labels.shape.size() == 1 || (labels.shape.size() == 2 && labels.shape[1] == 1);
  if (!one_a_row) fail(name, ": has the shape ", shape_text(labels.shape), "; labels are [m], one an image");
  if (labels.shape[0] != images) {
    fail(name, ": holds ", labels.shape[0], " labels, but ", data.images_path, " holds ", images,
         " images; give two arrays of one set");
  }
  std::visit(
      [&](const auto& values) {
        using Number = typename std::decay_t<decltype(values)>::value_type;
        if constexpr (!kIsInteger<Number>) {
          fail(name, ": holds floats; labels are integers, so save labels.astype('uint8')");
        } else {
          for (size_t i = 0; i < values.size(); ++i) {
            const auto label = static_cast<int64_t>(values[i]);
            if (label < 0 || label >= kMostClasses) {
              fail(name, ": label ", i, " is ", label, "; labels are bytes, 0 to ", kMostClasses - 1,
                   ", so number the classes from 0");
            }
            data.classes = std::max(data.classes, label + 1);
            if (static_cast<int64_t>(i) < data.count) data.labels.push_back(static_cast<uint8_t>(label));
          }
        }
      },
      labels.values);
}

// Height, width and count from the shape of the images.
void take_shape(Dataset& data, const std::string& name, const NpyArray& images) {
  const std::vector<int64_t>& shape = images.shape;
  const bool picture = shape.size() == 3 || (shape.size() == 4 && shape[3] == 1);
  if (!picture && shape.size() != 2) {
    fail(name, ": has the shape ", shape_text(shape), "; images are [m, h, w], and rows of features [m, p]");
  }
  data.count = images.kept;
  data.height = picture ? shape[1] : 1;
  data.width = picture ? shape[2] : shape[1];
  int64_t pixels = 0;
  if (data.count < 1 || data.height < 1 || data.width < 1) {
    fail(name, ": has the shape ", shape_text(shape), ", in which there are no images; give some");
  }
  if (__builtin_mul_overflow(data.height, data.width, &pixels) || pixels > kMostInputs) {
    fail(name, ": has the shape ", shape_text(shape), ", and a network takes at most ", kMostInputs,
         " inputs; give smaller images");
  }
}

template <class Number>
std::span<const Number> row_of(const std::vector<Number>& values, int64_t row, int64_t pixels) {
  return std::span(values).subspan(static_cast<size_t>(row * pixels), static_cast<size_t>(pixels));
}

Scaling scaling_of(const NpyArray& images, int64_t pixels, Scale scale) {
  Ranges ranges(static_cast<size_t>(pixels));
  std::visit(
      [&](const auto& values) {
        for (int64_t i = 0; i < images.kept; ++i) ranges.see(row_of(values, i, pixels));
      },
      images.values);
  return ranges.scaling(scale);
}

template <class Number>
void fill_scaled(Dataset& data, const std::string& name, const std::vector<Number>& values) {
  const int64_t pixels = data.pixels();
  data.images.resize(static_cast<size_t>(data.count * pixels));
  for (int64_t i = 0; i < data.count; ++i) {
    const std::span<const Number> row = row_of(values, i, pixels);
    float* const out = data.images.data() + i * pixels;
    scale_row(data.scaling, row, out);
    const float* const found = std::find_if(out, out + pixels, [](float v) { return !std::isfinite(v); });
    if (found == out + pixels) continue;
    fail(name, ": entry ", found - out, " of row ", i, " is ", row[static_cast<size_t>(found - out)],
         ", which is not finite in fp32 once it is scaled; mend it, or leave the row out");
  }
}

// Whether ranges of the training images are asked for, and not known from a network.
bool needs_ranges(const LoadOptions& options) {
  return !options.network && (options.scale == Scale::kZeroToOne || options.scale == Scale::kMinusOneToOne);
}

void fill_images(Dataset& data, const Place& place, Split split, const std::string& name, const NpyArray& images,
                 const LoadOptions& options) {
  if (const auto* bytes = std::get_if<std::vector<uint8_t>>(&images.values)) {
    fill_from_bytes(data, std::span(*bytes).first(static_cast<size_t>(data.count * data.pixels())), options);
    return;
  }
  if (options.network) data.scaling = options.network->scaling;
  check_scaling(data, data.scaling);
  if (needs_ranges(options)) {
    const ArrayPlace train = find_array(place, Split::kTrain, "images");
    const NpyArray others = split == Split::kTrain ? NpyArray() : read(train, kAllImages);
    const NpyArray& ranged = split == Split::kTrain ? images : others;
    Dataset shape;
    take_shape(shape, name_of(train), ranged);
    if (shape.pixels() != data.pixels()) {
      fail(name, ": has ", data.pixels(), " inputs an image, but ", name_of(train), " has ", shape.pixels(),
           "; give two arrays of one set");
    }
    data.scaling = scaling_of(ranged, data.pixels(), options.scale);
    data.notes = constant_features(name_of(train), data.scaling, {});
  }
  std::visit([&](const auto& values) { fill_scaled(data, name, values); }, images.values);
}

}  // namespace

Dataset load_npy_set(const Place& place, Split split, const LoadOptions& options) {
  if (options.most < 1) fail("load_dataset: most is ", options.most, "; give 1 or more");
  const ArrayPlace at = find_array(place, split, "images"), labels_at = find_array(place, split, "labels");
  // Ranges are those of all training images, however few of them are kept.
  const bool all = split == Split::kTrain && needs_ranges(options);
  const NpyArray images = read(at, all ? kAllImages : options.most);
  Dataset data;
  data.images_path = at.path;
  data.labels_path = labels_at.path;
  take_shape(data, name_of(at), images);
  data.count = std::min(data.count, options.most);
  fill_labels(data, labels_at, read(labels_at, kAllImages), images.shape[0]);
  fill_images(data, place, split, name_of(at), images, options);
  return data;
}

}  // namespace idelta::nn
