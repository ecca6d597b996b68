// Data sets out of pairs of IDX files: found by name or folder, checked against each other, scaled to [0, 1].
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "error.h"
#include "idelta/nn.hpp"
#include "idx.h"

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
  if (const char* data = std::getenv("IDELTA_DATA"); data != nullptr && *data != '\0') {
    return {fs::path(data) / kFashionMnist, "put the four IDX files there, or unset IDELTA_DATA (now " +
                                                std::string(data) + ") to use Debian's package " +
                                                kFashionMnistPackage};
  }
  return {fs::path(kPackagedData) / kFashionMnist, "install the Debian package " + std::string(kFashionMnistPackage) +
                                                       ", or set IDELTA_DATA to a folder that holds fashion-mnist"};
}

std::string find_file(const Location& where, const std::string& name) {
  std::error_code ignored;
  for (const char* suffix : {"", ".gz"}) {
    const fs::path path = where.folder / (name + suffix);
    if (fs::exists(path, ignored)) return path.string();
  }
  fail("the data folder ", where.folder.string(), " holds neither ", name, " nor ", name, ".gz; ", where.mend);
}

}  // namespace

Dataset load_dataset(const std::string& name_or_folder, Split split) {
  const Location where = locate(name_or_folder);
  std::error_code ignored;
  if (!fs::is_directory(where.folder, ignored)) {
    const bool exists = fs::exists(where.folder, ignored);
    fail("the data folder ", where.folder.string(), exists ? " is not a folder; " : " does not exist; ", where.mend);
  }
  const std::string prefix = split == Split::kTrain ? "train" : "t10k";
  const std::string images = find_file(where, prefix + "-images-idx3-ubyte");
  const std::string labels = find_file(where, prefix + "-labels-idx1-ubyte");
  Dataset data = load_idx(images, labels);
  data.name = name_or_folder;
  return data;
}

Dataset load_idx(const std::string& images_path, const std::string& labels_path) {
  const IdxBytes images = read_idx(images_path, 3);
  IdxBytes labels = read_idx(labels_path, 1);

  Dataset data;
  data.name = images_path;
  data.count = images.sizes[0];
  data.height = images.sizes[1];
  data.width = images.sizes[2];
  if (images.values.empty()) {
    fail(images_path, ": holds no pixels (", data.count, " images of ", data.height, " x ", data.width,
         "); give a file with images");
  }
  if (labels.sizes[0] != data.count) {
    fail(labels_path, ": holds ", labels.sizes[0], " labels, but ", images_path, " holds ", data.count,
         " images; give two files of one set");
  }
  data.labels = std::move(labels.values);
  data.classes = 1 + *std::max_element(data.labels.begin(), data.labels.end());

  float scaled[256];
  for (int i = 0; i < 256; ++i) scaled[i] = static_cast<float>(i) / 255.0f;
  data.images.resize(images.values.size());
  std::transform(images.values.begin(), images.values.end(), data.images.begin(), [&](uint8_t v) { return scaled[v]; });
  return data;
}

Dataset head(const Dataset& data, int64_t count) {
  if (count < 0) fail("head: count is ", count, "; give 0 or more");
  Dataset first = {data.name, std::min(count, data.count), data.height, data.width, data.classes, {}, {}};
  first.images.assign(data.images.begin(), data.images.begin() + first.count * data.pixels());
  first.labels.assign(data.labels.begin(), data.labels.begin() + first.count);
  return first;
}

}  // namespace idelta::nn
