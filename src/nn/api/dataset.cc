// The C ABI: data sets.
#include <algorithm>
#include <cmath>
#include <memory>

#include "../check_data.h"
#include "../error.h"
#include "../scaling.h"
#include "handles.h"

using namespace idelta::nn;
using namespace idelta::nn::api;

namespace {

Scale scale_of(idelta_scale scale) {
  constexpr Scale kScales[] = {Scale::kUsual, Scale::kNone, Scale::kZeroToOne, Scale::kMinusOneToOne};
  check_index("scale", scale, std::size(kScales));
  return kScales[scale];
}

Split split_of(idelta_split split) {
  constexpr Split kSplits[] = {Split::kTrain, Split::kTest};
  check_index("split", split, std::size(kSplits));
  return kSplits[split];
}

void check_size(const char* name, int64_t value, int64_t least, int64_t most) {
  if (value < least || value > most) invalid(sentence(name, " = ", value, " is not in ", least, " .. ", most));
}

void check_sizes(const idelta_dataset_args& a) {
  check_size("height", a.height, 1, kMostInputs);
  check_size("width", a.width, 1, kMostInputs);
  const int64_t pixels = a.height * a.width;
  check_size("height * width", pixels, 1, kMostInputs);
  check_size("count", a.count, 1, (INT64_MAX >> 8) / pixels);
  if (a.classes != 0) check_size("classes", a.classes, 2, kMostClasses);
  check_matrix(a.images, "images", a.count, a.ld, "ld", pixels, "height * width");
}

void check_network(const idelta_dataset_args& a) {
  if (!a.network) return;
  const NetworkOptions& options = a.network->network.options();
  if (a.height != options.height || a.width != options.width || (a.classes != 0 && a.classes != options.classes)) {
    invalid(sentence("network takes images of ", options.height, " x ", options.width, " in ", options.classes,
                     " classes, but height = ", a.height, ", width = ", a.width, ", classes = ", a.classes));
  }
}

int64_t classes_of(const idelta_dataset_args& a) {
  if (a.classes != 0) return a.classes;
  if (a.class_names) invalid("class_names are given, but classes = 0; say how many they are");
  if (a.network) return a.network->network.options().classes;
  constexpr int32_t kLeast = 1;  // the largest label of a set of two classes
  return int64_t{1} + (a.labels ? std::max(kLeast, *std::max_element(a.labels, a.labels + a.count)) : kLeast);
}

// What brings the given images to what the network is to see.
Scaling scaling_to_do(const idelta_dataset_args& a) {
  const Scale scale = scale_of(a.scale);
  const bool ranges = scale == Scale::kZeroToOne || scale == Scale::kMinusOneToOne;
  if ((a.offsets != nullptr) + (a.network != nullptr) + ranges > 1) {
    invalid("more than one of offsets, scale and network are given; each says how images are scaled");
  }
  if (a.network) return a.network->network.options().scaling;
  if (!ranges) return {};
  const auto pixels = static_cast<size_t>(a.height * a.width);
  Ranges found(pixels);
  for (int64_t i = 0; i < a.count; ++i) found.see(std::span<const float>(a.images + i * a.ld, pixels));
  return found.scaling(scale);
}

void fill_images(const idelta_dataset_args& a, const Scaling& scaling, Dataset& set) {
  const auto pixels = static_cast<size_t>(set.pixels());
  set.images.resize(static_cast<size_t>(set.count) * pixels);
  for (int64_t i = 0; i < set.count; ++i) {
    const float* const row = a.images + i * a.ld;
    float* const out = set.images.data() + static_cast<size_t>(i) * pixels;
    scale_row(scaling, std::span<const float>(row, pixels), out);
    const float* const found = std::find_if(out, out + pixels, [](float v) { return !std::isfinite(v); });
    if (found == out + pixels) continue;
    invalid(sentence("images: entry ", found - out, " of row ", i, " is ", row[found - out], ", which is not finite",
                     scaling.empty() ? "" : " in fp32 once it is scaled", "; mend it, or leave the row out"));
  }
}

Dataset made_of(const idelta_dataset_args& a) {
  check_sizes(a);
  check_network(a);
  Dataset set{.name = a.name ? a.name : "arrays",
              .count = a.count,
              .height = a.height,
              .width = a.width,
              .classes = classes_of(a),
              .feature_names = names_of(a.feature_names, a.height * a.width, "feature_names"),
              .label_name = text_or_empty(a.label_name)};
  check_size("the largest label + 1", set.classes, 2, kMostClasses);
  set.class_names = names_of(a.class_names, set.classes, "class_names");
  if (a.label_name) names_of(&a.label_name, 1, "label_name");
  set.labels = a.labels ? labels_of(a.labels, a.count, set.classes) : std::vector<uint8_t>(size_t(a.count));
  const Scaling done = scaling_of(a.offsets, a.factors, set.pixels()), to_do = scaling_to_do(a);
  fill_images(a, to_do, set);
  if (!a.network) set.notes = constant_features(set.name, to_do, set.feature_names);
  set.scaling = to_do.empty() ? done : to_do;
  return set;
}

}  // namespace

extern "C" {

const char* idelta_nn_version(void) { return IDELTA_NN_VERSION; }

idelta_status idelta_dataset_create(const idelta_dataset_args* args, idelta_dataset** dataset) {
  return guarded(__func__, [&] {
    check_pointer(dataset, "dataset");
    *dataset = new idelta_dataset(made_of(*Given(args, "args")));
  });
}

idelta_status idelta_dataset_load(const char* name_or_place, idelta_split split, const idelta_load_options* options,
                                  idelta_dataset** dataset) {
  return reading(__func__, [&] {
    check_pointer(dataset, "dataset");
    const idelta_load_options defaults = IDELTA_LOAD_OPTIONS_INIT;
    const Given given(options ? options : &defaults, "options");
    const idelta_load_options& o = *given;
    if (o.most < 0) invalid(sentence("most = ", o.most, " is negative; give 0 for all"));
    const LoadOptions how = {.most = o.most == 0 ? kAllImages : o.most,
                             .scale = scale_of(o.scale),
                             .label = text_or_empty(o.label),
                             .classes_path = text_or_empty(o.classes_path),
                             .network = o.network ? &o.network->network.options() : nullptr};
    *dataset = new idelta_dataset(load_dataset(text_of(name_or_place, "name_or_place"), split_of(split), how));
  });
}

idelta_status idelta_dataset_load_idx(const char* images_path, const char* labels_path, int64_t most,
                                      idelta_dataset** dataset) {
  return reading(__func__, [&] {
    check_pointer(dataset, "dataset");
    if (most < 0) invalid(sentence("most = ", most, " is negative; give 0 for all"));
    *dataset = new idelta_dataset(load_idx(text_of(images_path, "images_path"), text_of(labels_path, "labels_path"),
                                           most == 0 ? kAllImages : most));
  });
}

idelta_status idelta_dataset_head(const idelta_dataset* dataset, int64_t count, idelta_dataset** head) {
  return guarded(__func__, [&] {
    const Dataset& set = checked_data(dataset, "dataset");
    check_pointer(head, "head");
    if (count < 1) invalid(sentence("count = ", count, " is less than 1"));
    *head = new idelta_dataset(idelta::nn::head(set, count));
  });
}

idelta_status idelta_dataset_info(const idelta_dataset* dataset, idelta_dataset_info_t* info) {
  return guarded(__func__, [&] {
    const Dataset& set = checked_data(dataset, "dataset");
    const Given known(info, "info");  // checks its size
    give(idelta_dataset_info_t{sizeof(idelta_dataset_info_t), set.count, set.height, set.width, set.classes,
                               set.images.data(), set.name.c_str(), set.images_path.c_str(), set.labels_path.c_str(),
                               set.label_name.c_str(), or_null(dataset->feature_names), or_null(dataset->class_names),
                               or_null(set.scaling.offsets), or_null(set.scaling.factors)},
         info);
  });
}

idelta_status idelta_dataset_labels(const idelta_dataset* dataset, int32_t* labels) {
  return guarded(__func__, [&] {
    const Dataset& set = checked_data(dataset, "dataset");
    check_pointer(labels, "labels");
    copy_to(set.labels, labels);
  });
}

idelta_status idelta_dataset_warnings(const idelta_dataset* dataset, int64_t classes, idelta_text_seen seen,
                                      void* user) {
  return guarded(__func__, [&] {
    const Dataset& set = checked_data(dataset, "dataset");
    check_size("classes", classes, 2, kMostClasses);
    if (!seen) invalid("seen is null; give a function that is told each sentence");
    say(warnings(set, classes), seen, user);
  });
}

void idelta_dataset_destroy(idelta_dataset* dataset) { delete dataset; }

}  // extern "C"
