#include "npz.h"

#include <algorithm>

#include "error.h"
#include "zip.h"

namespace idelta::nn {
namespace {

constexpr std::string_view kSuffix = ".npy";

}  // namespace

std::vector<std::string> npz_arrays(const std::string& path) {
  const files::InputFile file(path);
  std::vector<std::string> names;
  for (const ZipEntry& entry : read_zip_entries(file)) {
    if (entry.name.ends_with(kSuffix)) names.push_back(entry.name.substr(0, entry.name.size() - kSuffix.size()));
  }
  return names;
}

NpyArray read_npz(const std::string& path, const std::string& array, int64_t most) {
  const files::InputFile file(path);
  const std::vector<ZipEntry> entries = read_zip_entries(file);
  const std::string name = array + std::string(kSuffix);
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const ZipEntry& entry) { return entry.name == name; });
  if (found == entries.end()) fail(path, ": holds no array '", printable(array), "'; save it with that name");
  ZipReader reader(file, *found);
  return read_npy(
      path, [&](uint8_t* out, size_t bytes) { return reader.read(out, bytes); }, most);
}

}  // namespace idelta::nn
