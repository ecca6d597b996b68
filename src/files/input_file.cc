#include "input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "path_error.h"

namespace idelta::files {
namespace {

constexpr size_t kLargestRead = size_t{1} << 30;  // Linux gives at most about 2 GiB a read

}  // namespace

InputFile::InputFile(const std::string& path) : path_(path) {
  if (path.empty()) throw PathError("'' names no file; give a file name");
  struct stat status = {};
  // Asked first, since opening a device may already do something to it.
  if (stat(path.c_str(), &status) != 0) throw PathError(path + ": " + trouble(path, errno));
  if (!S_ISREG(status.st_mode)) {
    throw PathError(path + ": is " + kind_of(status.st_mode) + "; only regular files are read, so name one");
  }
  descriptor_ = Descriptor(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!descriptor_.is_open() || fstat(descriptor_.get(), &status) != 0) {
    throw PathError(path + ": " + trouble(path, errno));
  }
  size_ = static_cast<uint64_t>(status.st_size);
}

size_t InputFile::read_at(uint64_t offset, void* out, size_t bytes) const {
  size_t done = 0;
  while (done < bytes) {
    const ssize_t got = pread(descriptor_.get(), static_cast<char*>(out) + done, std::min(bytes - done, kLargestRead),
                              static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw PathError(path_ + ": cannot be read: it " + trouble(path_, errno));
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

}  // namespace idelta::files
