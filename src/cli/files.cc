// Write beside, rename: POSIX makes the rename atomic within a folder.
#include "files.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <system_error>

#include "verbs.h"

namespace idelta::cli {
namespace fs = std::filesystem;

void write_whole(const std::string& path, const std::function<void(const std::string& temporary)>& write) {
  const std::string temporary = path + ".part-" + std::to_string(getpid());
  try {
    write(temporary);
    fs::rename(temporary, path);
  } catch (...) {
    std::error_code ignored;  // the first error is the one worth telling
    fs::remove(temporary, ignored);
    throw;
  }
}

void write_text(const std::string& path, std::string_view text) {
  write_whole(path, [&](const std::string& temporary) {
    std::FILE* file = std::fopen(temporary.c_str(), "wb");
    if (!file) throw std::runtime_error("cannot create " + temporary + ": " + std::strerror(errno));
    const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size() && std::fflush(file) == 0 &&
                         fsync(fileno(file)) == 0;
    const int error = errno;
    std::fclose(file);
    if (!written) throw std::runtime_error("cannot write " + temporary + ": " + std::strerror(error));
  });
}

void prepare_folder(const std::string& option, const std::string& folder) {
  const fs::path path = folder.empty() ? fs::path(".") : fs::path(folder);
  std::error_code error;
  fs::create_directories(path, error);
  if (!fs::is_directory(path)) {
    const std::string why = error ? error.message() : "it is a file";
    throw UsageError(option + ": cannot make the folder " + path.string() + " (" + why + "); name another");
  }
  if (access(path.c_str(), W_OK | X_OK) != 0) {
    throw UsageError(option + ": cannot write to the folder " + path.string() + " (" + std::strerror(errno) +
                     "); name another or change its permissions");
  }
}

void prepare_file(const std::string& option, const std::string& path, const std::string& example) {
  const fs::path place(path);
  if (path.ends_with('/') || fs::is_directory(place)) {
    throw UsageError(option + ": " + path + " is a folder; name a file in it, as in " + (place / example).string());
  }
  if (fs::exists(place) && !fs::is_regular_file(place)) {
    throw UsageError(option + ": " + path + " is not a regular file; name another");
  }
  prepare_folder(option, place.parent_path().string());
}

void keep_apart(const std::string& option, const std::string& path, const std::string& input, const std::string& what) {
  std::error_code none;  // either may not be there, which is found elsewhere
  if (!input.empty() && fs::equivalent(path, input, none)) {
    throw UsageError(option + ": " + path + " is " + what + ", which would be lost; name another file");
  }
}

}  // namespace idelta::cli
