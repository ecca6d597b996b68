// Data sets by their name or place, whatever files they are made of.
#include <algorithm>

#include "csv_set.h"
#include "data_place.h"
#include "error.h"
#include "idelta/nn.hpp"
#include "image_set.h"
#include "names.h"

namespace idelta::nn {
namespace {

namespace fs = std::filesystem;

constexpr char kClassesFile[] = "classes.txt";

// Options with the file of class names that lies beside the set, if none was given.
LoadOptions with_classes(const Place& place, const LoadOptions& options) {
  LoadOptions found = options;
  const bool is_folder = place.kind != PlaceKind::kCsvFile && place.kind != PlaceKind::kNpzFile;
  const fs::path beside = place.folder / kClassesFile;
  std::error_code unknown;
  if (found.classes_path.empty() && is_folder && fs::is_regular_file(beside, unknown)) {
    found.classes_path = beside.string();
  }
  return found;
}

// Names of the classes of a set whose labels are numbers. A test split may lack the last classes.
void name_classes(Dataset& data, Split split, const std::string& path, const std::string& known) {
  if (path.empty()) {
    const std::vector<std::string> names = known_class_names(known);
    if (static_cast<int64_t>(names.size()) == data.classes) data.class_names = names;
    return;
  }
  data.class_names = read_class_names(path);
  const auto named = static_cast<int64_t>(data.class_names.size());
  if (split == Split::kTrain || named < data.classes)
    check_class_names(path, data.class_names, data.name, data.classes);
  data.classes = named;
}

Dataset load(const Place& place, Split split, const LoadOptions& options) {
  switch (place.kind) {
    case PlaceKind::kCsvFile:
      return load_csv_file(place.folder.string(), split, options);
    case PlaceKind::kCsvPair:
      // Both are wanted, whichever is read.
      return load_csv_pair(find_csv_file(place, Split::kTrain), find_csv_file(place, Split::kTest), split, options);
    case PlaceKind::kIdx:
      return load_idx_set(place, split, options);
    default:
      return load_npy_set(place, split, options);
  }
}

}  // namespace

Dataset load_dataset(const std::string& name_or_place, Split split, int64_t most) {
  return load_dataset(name_or_place, split, LoadOptions{.most = most});
}

Dataset load_dataset(const std::string& name_or_place, Split split, const LoadOptions& given) {
  if (given.most < 1) fail("load_dataset: most is ", given.most, "; give 1 or more");
  const Place place = find_place(name_or_place);
  const LoadOptions options = with_classes(place, given);
  const bool is_csv = place.kind == PlaceKind::kCsvFile || place.kind == PlaceKind::kCsvPair;
  if (!is_csv && !options.label.empty()) {
    fail(name_or_place, ": is no CSV file, so that it has no column '", options.label, "'; leave the label out");
  }
  Dataset data = load(place, split, options);
  data.name = name_or_place;
  if (!is_csv) name_classes(data, split, options.classes_path, place.prefix.empty() ? name_or_place : place.prefix);
  return data;
}

namespace {

// About classes that no image has the label of.
std::vector<std::string> missing_classes(const Dataset& data, int64_t classes) {
  std::vector<bool> seen(static_cast<size_t>(classes));
  for (const uint8_t label : data.labels) {
    if (label < classes) seen[label] = true;
  }
  const auto missing = std::count(seen.begin(), seen.end(), false);
  if (missing == 0 || data.labels.empty()) return {};
  const std::string& file = data.labels_path.empty() ? data.name : data.labels_path;
  const auto [least, most] = std::minmax_element(data.labels.begin(), data.labels.end());
  if (*least > 0 && missing == *least) {
    return {sentence(file, ": labels run from ", int{*least}, " to ", int{*most}, ", so the network has ", classes,
                     " classes and never sees the first ", missing, "; subtract ", int{*least}, " from every label")};
  }
  constexpr int64_t kNamed = 8;
  std::string names;
  for (int64_t c = 0, named = 0; c < classes && named <= kNamed; ++c) {
    if (seen[static_cast<size_t>(c)]) continue;
    names += (named == 0 ? "" : ", ") + (named < kNamed ? std::to_string(c) : std::string("..."));
    ++named;
  }
  return {sentence(file, ": no image of ", data.count, " has the label ", names, ", so that nothing is learned of ",
                   missing, " of ", classes, " classes; give more images, or labels without gaps")};
}

}  // namespace

std::vector<std::string> warnings(const Dataset& data, int64_t classes) {
  std::vector<std::string> found = data.notes;
  for (std::string& sentence : missing_classes(data, classes)) found.push_back(std::move(sentence));
  return found;
}

Dataset head(const Dataset& data, int64_t count) {
  if (count < 0) fail("head: count is ", count, "; give 0 or more");
  Dataset first = {.name = data.name,
                   .count = std::min(count, data.count),
                   .height = data.height,
                   .width = data.width,
                   .classes = data.classes,
                   .images_path = data.images_path,
                   .labels_path = data.labels_path,
                   .feature_names = data.feature_names,
                   .class_names = data.class_names,
                   .label_name = data.label_name,
                   .scaling = data.scaling,
                   .notes = data.notes};
  first.images.assign(data.images.begin(), data.images.begin() + first.count * data.pixels());
  first.labels.assign(data.labels.begin(), data.labels.begin() + first.count);
  return first;
}

std::string feature_difference(const NetworkOptions& network, const std::vector<std::string>& feature_names) {
  const std::vector<std::string>& known = network.feature_names;
  if (known.empty() || feature_names.empty()) return "";
  if (known.size() != feature_names.size()) {
    return sentence("it has ", feature_names.size(), " features, not ", known.size());
  }
  const auto [wanted, found] = std::mismatch(known.begin(), known.end(), feature_names.begin());
  if (wanted == known.end()) return "";
  return sentence("feature ", wanted - known.begin() + 1, " is '", *found, "', not '", *wanted, "'");
}

}  // namespace idelta::nn
