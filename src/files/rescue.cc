#include "rescue.h"

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "output_file.h"
#include "path_error.h"

namespace idelta::files {
namespace fs = std::filesystem;
namespace {

// Where a file goes whose own place is lost, in this order.
std::vector<fs::path> shelters(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  std::error_code none;
  std::vector<fs::path> found = {folder.empty() ? "." : folder, "."};
  if (const fs::path temporary = fs::temp_directory_path(none); !none) found.push_back(temporary);
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') found.emplace_back(home);
  return found;
}

// Saves under the name of `path` in a new folder of `shelter`, and returns where; empty if that cannot be.
std::string rescue(const fs::path& shelter, const std::string& path,
                   const std::function<void(const std::string&)>& save) {
  std::string folder = (shelter / "idelta-rescued-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return "";
  const std::string place = (fs::path(folder) / fs::path(path).filename()).string();
  try {
    save(place);
    return place;
  } catch (const PathError&) {
    std::error_code ignored;  // a folder that stays is empty
    fs::remove(folder, ignored);
    return "";
  }
}

}  // namespace

void write_text(const std::string& path, std::string_view text) {
  OutputFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

void save_or_rescue(const std::string& path, const std::function<void(const std::string& path)>& save) {
  try {
    save(path);
  } catch (const PathError& error) {
    for (const fs::path& shelter : shelters(path)) {
      const std::string place = rescue(shelter, path, save);
      if (!place.empty()) throw std::runtime_error(std::string(error.what()) + "; SAVED INSTEAD as " + place);
    }
    throw std::runtime_error(std::string(error.what()) +
                             "; nor can it be saved beside it, in the working directory, among temporary files or at "
                             "home: it is lost");
  }
}

}  // namespace idelta::files
