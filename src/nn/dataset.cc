// Data sets out of pairs of IDX files: found by name or folder, checked against each other, scaled to [0, 1].
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "error.h"
#include "files/path_error.h"
#include "idelta/nn.hpp"
#include "idx.h"
#include "src/core/machine/environment.h"

namespace idelta::nn {
namespace {

namespace fs = std::filesystem;

constexpr char kFashionMnist[] = "fashion-mnist";
constexpr char kFashionMnistPackage[] = "dataset-fashion-mnist";
constexpr char kPackagedData[] = "/usr/share/datasets";  // where Debian's dataset-* packages live

// The folder of a known name, or the argument itself; `mend` is what to do if nothing is there.
struct Location {
  fs::path folder;
  std::string mend;
};

Location locate(const std::string& name_or_folder) {
  if (name_or_folder != kFashionMnist) {
    return {name_or_folder, "give the folder that holds the four IDX files, or the name fashion-mnist"};
  }
  if (const char* data = environment(kDataVariable)) {
    return {fs::path(data) / kFashionMnist, "put the four IDX files there, or unset IDELTA_DATA (now " +
                                                std::string(data) + ") to use Debian's package " +
                                                kFashionMnistPackage};
  }
  return {fs::path(kPackagedData) / kFashionMnist, "install the Debian package " + std::string(kFashionMnistPackage) +
                                                       ", or set IDELTA_DATA to a folder that holds fashion-mnist"};
}

// A file in the folder that may be the one that is missing, as EMNIST's emnist-letters-train-images-idx3-ubyte.gz.
std::string look_alike(const fs::path& folder, Split split, const std::string& kind) {
  std::error_code unreadable;
  std::string found;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, unreadable)) {
    const std::string name = entry.path().filename().string();
    const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
    const bool fits = split == Split::kTrain ? has("train") : has("t10k") || has("test");
    if (fits && has(kind.c_str()) && (found.empty() || name < found)) found = name;
  }
  return found;
}

// The path of the file with `kind`, "images" or "labels". What is a folder is passed over for a file of another of its
// names: browsers and archivers make one beside the file that they unpack.
std::string find_file(const Location& where, Split split, const std::string& kind) {
  const std::string stem = (split == Split::kTrain ? "train-" : "t10k-") + kind;
  const std::string idx = kind == "images" ? "idx3-ubyte" : "idx1-ubyte";
  std::string unusable;
  for (const char* joint : {"-", "."}) {
    for (const char* suffix : {"", ".gz"}) {
      const std::string path = (where.folder / (stem + joint + idx + suffix)).string();
      struct stat status = {};
      if (stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode)) return path;
      // Also one of which nothing can be known, in a folder that is closed.
      if (unusable.empty() && (lstat(path.c_str(), &status) == 0 || errno != ENOENT)) unusable = path;
    }
  }
  if (!unusable.empty()) return unusable;  // which the reader refuses with the reason
  const std::string other = look_alike(where.folder, split, kind);
  fail("the data folder ", where.folder.string(), " holds neither ", stem, "-", idx, " nor ", stem, "-", idx, ".gz; ",
       other.empty() ? where.mend : "if its file " + other + " is that one, give it this name or link it so");
}

void check_folder(const Location& where) {
  const std::string folder = where.folder.string();
  struct stat status = {};
  if (stat(folder.c_str(), &status) == 0) {
    if (!S_ISDIR(status.st_mode)) fail("the data folder ", folder, " is not a folder; ", where.mend);
    return;
  }
  const int error = errno;
  const bool missing = error == ENOENT && lstat(folder.c_str(), &status) != 0;
  fail("the data folder ", folder, " ", missing ? "does not exist; " + where.mend : files::trouble(folder, error));
}

}  // namespace

Dataset load_dataset(const std::string& name_or_place, Split split, int64_t most) {
  return load_dataset(name_or_place, split, LoadOptions{.most = most});
}

Dataset load_dataset(const std::string& name_or_folder, Split split, const LoadOptions& options) {
  const Location where = locate(name_or_folder);
  check_folder(where);
  const std::string images = find_file(where, split, "images"), labels = find_file(where, split, "labels");
  Dataset data = load_idx(images, labels, options.most);
  data.name = name_or_folder;
  return data;
}

Dataset load_idx(const std::string& images_path, const std::string& labels_path, int64_t most) {
  if (most < 1) fail("load_idx: most is ", most, "; give 1 or more");
  const IdxBytes images = read_idx(images_path, 3, most);
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

  float scaled[256];
  for (int i = 0; i < 256; ++i) scaled[i] = static_cast<float>(i) / 255.0f;
  data.images.resize(images.values.size());
  std::transform(images.values.begin(), images.values.end(), data.images.begin(), [&](uint8_t v) { return scaled[v]; });
  return data;
}

std::vector<std::string> warnings(const Dataset& data, int64_t classes) {
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
