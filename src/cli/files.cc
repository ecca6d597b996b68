#include "files.h"

#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

#include "files/output_file.h"
#include "files/path_error.h"
#include "interrupt.h"
#include "src/core/machine/environment.h"
#include "table.h"
#include "verbs.h"

namespace idelta::cli {
namespace fs = std::filesystem;
namespace {

// Where a file goes whose own place is lost, in this order.
std::vector<fs::path> shelters(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  std::error_code none;
  std::vector<fs::path> found = {folder.empty() ? "." : folder, "."};
  if (const fs::path temporary = fs::temp_directory_path(none); !none) found.push_back(temporary);
  if (const char* home = environment("HOME")) found.emplace_back(home);
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
  } catch (const files::PathError&) {
    std::error_code ignored;  // a folder that stays is empty
    fs::remove(folder, ignored);
    return "";
  }
}

}  // namespace

void write_text(const std::string& path, std::string_view text) {
  files::OutputFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

void save_or_rescue(const std::string& path, const std::function<void(const std::string& path)>& save) {
  const SignalsHeld held;
  try {
    save(path);
  } catch (const files::PathError& error) {
    for (const fs::path& shelter : shelters(path)) {
      const std::string place = rescue(shelter, path, save);
      if (!place.empty()) throw std::runtime_error(std::string(error.what()) + "; SAVED INSTEAD as " + place);
    }
    throw std::runtime_error(std::string(error.what()) +
                             "; nor can it be saved beside it, in the working directory, among temporary files or at "
                             "home: it is lost");
  }
}

void prepare_folder(const std::string& option, const std::string& folder) {
  const fs::path path = folder.empty() ? fs::path(".") : fs::path(folder);
  std::error_code error, unknown;
  fs::create_directories(path, error);
  const fs::file_status status = fs::status(path, unknown);
  if (fs::is_directory(status)) return;
  const std::string why =
      fs::exists(status) ? "is no folder; name another" : files::trouble(path.string(), error.value());
  throw UsageError(option + ": " + path.string() + " " + why);
}

void prepare_file(const std::string& option, const std::string& path, const std::string& example) {
  const fs::path place(path);
  std::error_code unknown;  // which is told below
  if (path.ends_with('/') || fs::is_directory(place, unknown)) {
    throw UsageError(option + ": " + path + " is a folder; name a file in it, as in " + (place / example).string());
  }
  // A link may lead to a folder that is missing, which is not ours to make.
  if (!fs::is_symlink(place, unknown)) prepare_folder(option, place.parent_path().string());
  try {
    files::check_output(path);
  } catch (const files::PathError& error) {
    throw UsageError(option + ": " + error.what());
  }
}

void require_room(const std::string& option, const std::string& path, int64_t bytes) {
  const auto needed = static_cast<uint64_t>(bytes);
  struct rlimit limit = {};
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < needed) {
    throw UsageError(option + ": " + path + " will have " + grouped(bytes) + " bytes, but files are limited to " +
                     grouped(static_cast<int64_t>(limit.rlim_cur)) + " here; raise that (ulimit -f)");
  }
  const fs::path folder = fs::path(path).parent_path();
  std::error_code unknown;
  const fs::space_info space = fs::space(folder.empty() ? "." : folder, unknown);
  if (!unknown && space.available < needed) {
    throw UsageError(option + ": " + path + " will have " + grouped(bytes) + " bytes, but its disk has room for " +
                     grouped(static_cast<int64_t>(space.available)) + "; free some, or name a file elsewhere");
  }
}

void keep_apart(const std::string& option, const std::string& path, const std::string& input, const std::string& what) {
  std::error_code none;  // either may not be there, which is found elsewhere
  if (!input.empty() && fs::equivalent(path, input, none)) {
    throw UsageError(option + ": " + path + " is " + what + ", which would be lost; name another file");
  }
}

void keep_apart(const std::string& option, const std::string& path, const nn::Dataset& data) {
  keep_apart(option, path, data.images_path, "a file of the data set");
  keep_apart(option, path, data.labels_path, "a file of the data set");
}

}  // namespace idelta::cli
