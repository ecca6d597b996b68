// Temporary file, fsync, rename.
#include "atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "error.h"

namespace idelta::nn {
namespace {

// Names tried before giving up; more than one is only needed beside what a killed process left behind.
constexpr int kAttempts = 100;

// Linux takes at most about 2 GiB a write.
constexpr size_t kLargestWrite = size_t{1} << 30;

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path) : path_(path) {
  if (std::filesystem::path(path).filename().empty()) fail("'", path, "' names no file; give a file name");
  for (int attempt = 0; descriptor_ < 0 && attempt < kAttempts; ++attempt) {
    temporary_ = path + ".tmp-" + std::to_string(getpid()) + "-" + std::to_string(attempt);
    descriptor_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno != EEXIST) break;
  }
  if (descriptor_ < 0) {
    const int error = errno;
    fail(path_, ": cannot be written: no file can be made in the folder ", folder_of(path_), " (", std::strerror(error),
         "); nothing was changed");
  }
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void AtomicFile::fail_to(const char* what, int error) {
  fail(path_, ": cannot be ", what, " (", std::strerror(error),
       "); the file of that name, if there was one, is as it was");
}

void AtomicFile::write(const void* bytes, size_t count) {
  const char* next = static_cast<const char*>(bytes);
  while (count > 0) {
    const ssize_t done = ::write(descriptor_, next, std::min(count, kLargestWrite));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail_to("written", errno);
    next += done;
    count -= static_cast<size_t>(done);
  }
}

void AtomicFile::commit() {
  if (fsync(descriptor_) != 0) fail_to("brought to the disk", errno);
  const int closed = close(descriptor_);
  descriptor_ = -1;
  if (closed != 0) fail_to("written", errno);
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail_to("replaced", errno);
  temporary_.clear();
  // So that the new name survives a power cut too. The file is whole either way, hence no error if a file system
  // cannot sync a folder.
  const int folder = open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    fsync(folder);
    close(folder);
  }
}

}  // namespace idelta::nn
