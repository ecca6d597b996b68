// Preloaded into a program (LD_PRELOAD), this lets the files fail that it writes by a temporary file:
//
//   IDELTA_FAULT=kill:N    SIGKILL comes in place of the Nth call that writes, syncs, links or renames one
//   IDELTA_FAULT=full:N    the disk is full after N bytes; what is written beyond fails with ENOSPC
//   IDELTA_FAULT=sync:N    the Nth fsync fails with EIO, as where a disk is lost
//
// All else, such as what is printed into a file, is left alone.
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

struct Fault {
  std::string kind;
  int64_t number = 0;
};

Fault fault_of_environment() {
  const char* text = std::getenv("IDELTA_FAULT");
  const char* colon = text != nullptr ? std::strchr(text, ':') : nullptr;
  return colon != nullptr ? Fault{{text, colon}, std::atoll(colon + 1)} : Fault{};
}
const Fault fault = fault_of_environment();

int64_t calls = 0, syncs = 0, bytes = 0;

void count_call() {
  if (++calls == fault.number && fault.kind == "kill") kill(getpid(), SIGKILL);
}

// A file that has no name, or one that begins with .idelta-.
bool is_temporary(int file) {
  struct stat status = {};
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) return false;
  char name[4096];
  const std::string link = "/proc/self/fd/" + std::to_string(file);
  const ssize_t length = readlink(link.c_str(), name, sizeof name);
  return status.st_nlink == 0 ||
         (length > 0 && std::string(name, static_cast<size_t>(length)).find("/.idelta-") != std::string::npos);
}

int failed(int error) {
  errno = error;
  return -1;
}

}  // namespace

extern "C" {

ssize_t write(int file, const void* from, size_t count) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t)>("write");
  if (!is_temporary(file)) return real(file, from, count);
  count_call();
  if (fault.kind == "full") {
    const int64_t room = std::max<int64_t>(fault.number - bytes, 0);
    if (room == 0 && count > 0) return failed(ENOSPC);
    count = std::min(count, static_cast<size_t>(room));
  }
  const ssize_t written = real(file, from, count);
  bytes += std::max<ssize_t>(written, 0);
  return written;
}

int fsync(int file) {
  static const auto real = next<int (*)(int)>("fsync");
  count_call();
  if (++syncs == fault.number && fault.kind == "sync") return failed(EIO);
  return real(file);
}

int linkat(int from_folder, const char* from, int to_folder, const char* to, int flags) noexcept {
  static const auto real = next<int (*)(int, const char*, int, const char*, int)>("linkat");
  count_call();
  return real(from_folder, from, to_folder, to, flags);
}

int renameat(int from_folder, const char* from, int to_folder, const char* to) noexcept {
  static const auto real = next<int (*)(int, const char*, int, const char*)>("renameat");
  count_call();
  return real(from_folder, from, to_folder, to);
}

}  // extern "C"
