#include "files.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
#include <system_error>

#include "files/output_file.h"
#include "files/output_folder.h"
#include "files/path_error.h"
#include "files/rescue.h"
#include "interrupt.h"
#include "table.h"
#include "verbs.h"

namespace idelta::cli {
namespace fs = std::filesystem;
namespace {

// What is wrong with the path of an option is the user's to mend.
template <class Check>
void as_usage(const std::string& option, const Check& check) {
  try {
    check();
  } catch (const files::PathError& error) {
    throw UsageError(option + ": " + error.what());
  }
}

// What is wrong with a path that ends in a slash, and so names a folder.
std::string slash_fault(const std::string& path, const std::string& example) {
  const std::string bare = path.substr(0, path.find_last_not_of('/') + 1);
  struct stat status = {};
  if (stat(bare.c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) {
    return bare + " is no folder but " + files::kind_of(status.st_mode) + "; leave out the slash behind it";
  }
  return path + " ends in a slash, which makes it a folder; leave the slash out, or name a file in it, as in " +
         (fs::path(path) / example).string();
}

}  // namespace

void save_or_rescue(const std::string& path, const std::function<void(const std::string& path)>& save) {
  const SignalsHeld held;
  files::save_or_rescue(path, save);
}

void prepare_folder(const std::string& option, const std::string& folder) {
  as_usage(option, [&] { files::make_folder(folder); });
}

void prepare_file(const std::string& option, const std::string& path, const std::string& example) {
  const fs::path place(path);
  std::error_code unknown;  // which is told below
  if (fs::is_directory(place, unknown)) {
    throw UsageError(option + ": " + path + " is a folder; name a file in it, as in " + (place / example).string());
  }
  if (path.ends_with('/')) throw UsageError(option + ": " + slash_fault(path, example));
  // A link may lead to a folder that is missing, which is not ours to make.
  if (!fs::is_symlink(place, unknown)) prepare_folder(option, place.parent_path().string());
  as_usage(option, [&] { files::check_output(path); });
}

void require_room(const std::string& option, const std::string& path, int64_t bytes) {
  const auto needed = static_cast<uint64_t>(bytes);
  struct rlimit limit = {};
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < needed) {
    throw UsageError(option + ": " + path + " will have " + grouped(bytes) +
                     " bytes or more, but files are limited to " + grouped(static_cast<int64_t>(limit.rlim_cur)) +
                     " here; raise that (ulimit -f)");
  }
  require_disk(option, path, bytes);
}

void require_disk(const std::string& option, const std::string& path, int64_t bytes) {
  std::error_code unknown;
  const fs::space_info space = fs::space(fs::weakly_canonical(path, unknown).parent_path(), unknown);
  if (!unknown && space.available < static_cast<uint64_t>(bytes)) {
    throw UsageError(option + ": " + path + " will have " + grouped(bytes) +
                     " bytes or more, but its disk has room for " + grouped(static_cast<int64_t>(space.available)) +
                     "; free some, or name a file elsewhere");
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
