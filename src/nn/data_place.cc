#include "data_place.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <set>

#include "error.h"
#include "files/path_error.h"
#include "npz.h"
#include "src/core/machine/environment.h"

namespace idelta::nn {
namespace {

namespace fs = std::filesystem;

using Strings = std::vector<std::string>;

constexpr char kFashionMnist[] = "fashion-mnist";
constexpr char kFashionMnistPackage[] = "dataset-fashion-mnist";
constexpr char kPackagedData[] = "/usr/share/datasets";  // where Debian's dataset-* packages live

// The folder of a known name, or the argument itself.
Place located(const std::string& name_or_place) {
  Place place;
  if (name_or_place != kFashionMnist) {
    place.folder = name_or_place;
    place.mend =
        "give a folder of IDX, CSV, .npy or .npz files named as src/nn/DATA.md says, a .csv file, or the name "
        "fashion-mnist";
  } else if (const char* data = environment(kDataVariable)) {
    place.folder = fs::path(data) / kFashionMnist;
    place.mend = "put the four IDX files there, or unset IDELTA_DATA (now " + std::string(data) +
                 ") to use Debian's package " + kFashionMnistPackage;
  } else {
    place.folder = fs::path(kPackagedData) / kFashionMnist;
    place.mend = "install the Debian package " + std::string(kFashionMnistPackage) +
                 ", or set IDELTA_DATA to a folder that holds fashion-mnist";
  }
  return place;
}

bool is_regular(const fs::path& path) {
  struct stat status = {};
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

bool is_folder(const fs::path& path) {
  struct stat status = {};
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// Whatever bears the name, also what nobody can read.
bool is_there(const fs::path& path) {
  struct stat status = {};
  return lstat(path.c_str(), &status) == 0 || errno != ENOENT;
}

bool ends(const std::string& name, const char* suffix) {
  return name.ends_with(suffix) || name.ends_with(std::string(suffix) + ".gz");
}

// Names of what is in a folder; none of a folder that is closed.
std::set<std::string> names_in(const fs::path& folder) {
  std::error_code unreadable;
  std::set<std::string> names;
  for (fs::directory_iterator entry(folder, unreadable), end; !unreadable && entry != end;
       entry.increment(unreadable)) {
    names.insert(entry->path().filename().string());
  }
  return names;
}

Strings idx_names(const std::string& prefix, Split split, const std::string& what) {
  const std::string idx = what == "images" ? "idx3-ubyte" : "idx1-ubyte";
  // EMNIST says "test" where MNIST says "t10k".
  Strings words = {split == Split::kTrain ? "train" : "t10k"}, names;
  if (!prefix.empty() && split == Split::kTest) words = {"test", "t10k"};
  for (const std::string& word : words) {
    for (const char* joint : {"-", "."}) {
      for (const char* suffix : {"", ".gz"}) {
        std::string name = prefix.empty() ? "" : prefix + "-";
        names.push_back(name.append(word).append("-").append(what).append(joint).append(idx).append(suffix));
      }
    }
  }
  return names;
}

bool has_idx_files(const std::set<std::string>& names, const std::string& prefix) {
  for (const Split split : {Split::kTrain, Split::kTest}) {
    for (const char* what : {"images", "labels"}) {
      for (const std::string& name : idx_names(prefix, split, what)) {
        if (names.count(name)) return true;
      }
    }
  }
  return false;
}

// What stands before "-train-images-idx3-ubyte" in names of the folder, or before "-train-imgs.npz".
std::set<std::string> prefixes(const std::set<std::string>& names, const Strings& ends_of_names) {
  std::set<std::string> found;
  for (const std::string& name : names) {
    for (const std::string& end : ends_of_names) {
      const size_t at = name.rfind(end);
      if (at != std::string::npos && at > 0 && at + end.size() == name.size()) found.insert(name.substr(0, at));
    }
  }
  return found;
}

const Strings kPrefixedIdx = {"-train-images-idx3-ubyte", "-train-images-idx3-ubyte.gz", "-train-images.idx3-ubyte",
                              "-train-images.idx3-ubyte.gz"};
const Strings kPrefixedNpz = {"-train-imgs.npz"};

Strings npy_names(Split split, const std::string& what) {
  const bool train = split == Split::kTrain, images = what == "images";
  const std::string word = train ? "train" : "test";
  if (!images) return {word + "_labels", "y_" + word, "Y_" + word};
  return {word + "_images", "x_" + word, "X_" + word};
}

bool has_npy_files(const std::set<std::string>& names) {
  for (const Split split : {Split::kTrain, Split::kTest}) {
    for (const char* what : {"images", "labels"}) {
      for (const std::string& name : npy_names(split, what)) {
        if (names.count(name + ".npy") || names.count(name + ".npy.gz")) return true;
      }
    }
  }
  return false;
}

// The one prefix of several kinds of files in a folder; an error that lists them if there are more.
std::string only_prefix(const fs::path& folder, const std::set<std::string>& found) {
  if (found.size() == 1) return *found.begin();
  std::string listed;
  for (const std::string& prefix : found) listed += (listed.empty() ? "" : ", ") + prefix;
  fail("the data folder ", folder.string(), " holds ", found.size(), " data sets, ", listed, "; give the one as ",
       (folder / *found.begin()).string());
}

// The kind of files in a folder. IDX where nothing is known, so that its errors name the usual files.
void look_into(Place& place) {
  const std::set<std::string> names = names_in(place.folder);
  if (has_idx_files(names, "")) return;
  for (const char* name : {"train.csv", "train.csv.gz", "test.csv", "test.csv.gz"}) {
    if (names.count(name)) place.kind = PlaceKind::kCsvPair;
  }
  if (place.kind != PlaceKind::kIdx) return;
  if (has_npy_files(names)) {
    place.kind = PlaceKind::kNpy;
    return;
  }
  const std::set<std::string> idx = prefixes(names, kPrefixedIdx), npz = prefixes(names, kPrefixedNpz);
  std::set<std::string> all = idx;
  all.insert(npz.begin(), npz.end());
  if (all.empty()) return;
  place.prefix = only_prefix(place.folder, all);
  if (!idx.count(place.prefix)) place.kind = PlaceKind::kNpz;
}

// FOLDER/PREFIX, if files in FOLDER are named so.
bool is_prefix(Place& place) {
  const std::string prefix = place.folder.filename().string();
  const fs::path folder = place.folder.has_parent_path() ? place.folder.parent_path() : fs::path(".");
  if (prefix.empty() || !is_folder(folder)) return false;
  const std::set<std::string> names = names_in(folder);
  if (has_idx_files(names, prefix)) {
    place.kind = PlaceKind::kIdx;
  } else if (prefixes(names, kPrefixedNpz).count(prefix)) {
    place.kind = PlaceKind::kNpz;
  } else {
    return false;
  }
  place.folder = folder;
  place.prefix = prefix;
  return true;
}

// A file in the folder that may be the one that is missing, as letters-train-images.gz.
std::string look_alike(const fs::path& folder, Split split, const std::string& what) {
  std::string found;
  for (const std::string& name : names_in(folder)) {
    const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
    const bool fits = split == Split::kTrain ? has("train") : has("t10k") || has("test");
    if (fits && has(what.c_str()) && found.empty()) found = name;
  }
  return found;
}

// The first of these names that is a file; or the first that bears such a name and cannot be used, which the reader
// refuses with the reason.
std::optional<std::string> first_file(const fs::path& folder, const Strings& names) {
  std::optional<std::string> unusable;
  for (const std::string& name : names) {
    const fs::path path = folder / name;
    if (is_regular(path)) return path.string();
    if (!unusable && is_there(path)) unusable = path.string();
  }
  return unusable;
}

[[noreturn]] void fail_missing(const Place& place, const std::string& name, const std::string& other_name) {
  fail("the data folder ", place.folder.string(), " holds neither ", name, " nor ", other_name, "; ", place.mend);
}

}  // namespace

Place find_place(const std::string& name_or_place) {
  Place place = located(name_or_place);
  struct stat status = {};
  const std::string path = place.folder.string();
  if (stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) {
      look_into(place);
    } else if (S_ISREG(status.st_mode) && ends(path, ".csv")) {
      place.kind = PlaceKind::kCsvFile;
    } else if (S_ISREG(status.st_mode) && path.ends_with(".npz")) {
      place.kind = PlaceKind::kNpzFile;
    } else {
      fail("the data folder ", path, " is not a folder, nor a .csv or .npz file; ", place.mend);
    }
    return place;
  }
  const int error = errno;
  const bool missing = error == ENOENT && lstat(path.c_str(), &status) != 0;
  if (missing && is_prefix(place)) return place;
  fail("the data folder ", path, " ", missing ? "does not exist; " + place.mend : files::trouble(path, error));
}

std::string find_idx_file(const Place& place, Split split, const std::string& what) {
  const Strings names = idx_names(place.prefix, split, what);
  if (const auto found = first_file(place.folder, names)) return *found;
  const std::string other = place.prefix.empty() ? look_alike(place.folder, split, what) : "";
  if (other.empty()) fail_missing(place, names[0], names[1]);
  fail("the data folder ", place.folder.string(), " holds neither ", names[0], " nor ", names[1], "; if its file ",
       other, " is that one, give it this name or link it so");
}

std::string find_csv_file(const Place& place, Split split) {
  const std::string name = split == Split::kTrain ? "train.csv" : "test.csv";
  if (const auto found = first_file(place.folder, {name, name + ".gz"})) return *found;
  fail("the data folder ", place.folder.string(), " holds neither ", name, " nor ", name,
       ".gz; put it there, or give one .csv file, which is split");
}

ArrayPlace find_array(const Place& place, Split split, const std::string& what) {
  if (place.kind == PlaceKind::kNpz) {
    const std::string name =
        place.prefix + (split == Split::kTrain ? "-train-" : "-test-") + (what == "images" ? "imgs.npz" : "labels.npz");
    const auto found = first_file(place.folder, {name});
    if (!found) fail("the data folder ", place.folder.string(), " holds no ", name, "; ", place.mend);
    const Strings arrays = npz_arrays(*found);
    return {*found, arrays.size() == 1 ? arrays[0] : "arr_0"};
  }
  const Strings names = npy_names(split, what);
  if (place.kind == PlaceKind::kNpzFile) {
    const Strings arrays = npz_arrays(place.folder.string());
    for (const std::string& name : names) {
      if (std::find(arrays.begin(), arrays.end(), name) != arrays.end()) return {place.folder.string(), name};
    }
    fail(place.folder.string(), ": holds neither an array ", names[0], " nor ", names[1],
         "; save it with one of these names");
  }
  Strings files;
  for (const std::string& name : names) {
    files.push_back(name + ".npy");
    files.push_back(name + ".npy.gz");
  }
  const auto found = first_file(place.folder, files);
  if (!found) fail_missing(place, files[0], files[2]);
  return {*found, ""};
}

}  // namespace idelta::nn
