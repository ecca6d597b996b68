// The folders that were made, in a list that a signal handler can read at any time.
#include "output_folder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include "path_error.h"

namespace idelta::files {
namespace fs = std::filesystem;
namespace {

struct Made {
  const std::string path;
  const Made* const before;
};

// Its entries live as long as the program.
std::atomic<const Made*> last_made{nullptr};

// The inner folders come before those that hold them. Only calls that are safe in a handler.
void remove_empty() {
  const int error = errno;
  for (const Made* made = last_made; made != nullptr; made = made->before) rmdir(made->path.c_str());
  errno = error;
}

// Has its usual effect once the handler returns.
void remove_empty_and_end(int signal) {
  remove_empty();
  raise(signal);
}

// Signals that somebody handles or ignores stay as they are.
void remove_empty_at_end() {
  std::atexit(remove_empty);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) {
    struct sigaction action {};
    if (sigaction(signal, nullptr, &action) != 0 || action.sa_handler != SIG_DFL) continue;
    action.sa_handler = remove_empty_and_end;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(signal, &action, nullptr);
  }
}

bool is_folder(const std::string& path, int& error) {
  struct stat status = {};
  error = stat(path.c_str(), &status) == 0 ? 0 : errno;
  if (error == 0 && !S_ISDIR(status.st_mode)) {
    throw PathError(path + " is no folder but " + kind_of(status.st_mode) + "; name another");
  }
  return error == 0;
}

bool is_there(const std::string& path) {
  struct stat status = {};
  return lstat(path.c_str(), &status) == 0;
}

void make_one(const std::string& path) {
  static const bool watched = (remove_empty_at_end(), true);
  (void)watched;
  auto made = std::make_unique<const Made>(Made{path, last_made});
  if (mkdir(path.c_str(), 0777) == 0) {
    last_made = made.release();
    return;
  }
  const int error = errno;
  int unknown = 0;
  if (is_folder(path, unknown)) return;  // somebody else was faster
  throw PathError(path + " cannot be made (" + std::strerror(error) +
                  "); change the permissions of the folder above it, or name another");
}

}  // namespace

void make_folder(const std::string& folder) {
  fs::path part;
  for (const fs::path& name : fs::path(folder)) {
    part /= name;
    const std::string path = part.string();
    int error = 0;
    if (is_folder(path, error)) continue;
    if (error != ENOENT || is_there(path)) throw PathError(path + " " + trouble(path, error));
    make_one(path);
  }
}

}  // namespace idelta::files
