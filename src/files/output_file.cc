// Temporary file, fsync, link or rename; every name is relative to a folder that stays open.
#include "output_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <vector>

#include "path_error.h"

namespace idelta::files {
namespace {

namespace fs = std::filesystem;

// Names tried before giving up; more than one is only needed beside what a killed process left behind.
constexpr int kAttempts = 100;

// As many links in a row as Linux itself follows.
constexpr int kMostLinks = 40;

// Linux takes at most about 2 GiB a write.
constexpr size_t kLargestWrite = size_t{1} << 30;

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

bool is_in_proc(const fs::path& folder) {
  struct statfs status = {};
  return statfs(folder.c_str(), &status) == 0 && status.f_type == PROC_SUPER_MAGIC;
}

// /dev/stdout and its like: renaming to where it leads would not reach who has it open.
[[noreturn]] void fail_open_already(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) throw PathError(path + ": " + trouble(path, errno));
  if (S_ISREG(status.st_mode)) throw PathError(path + ": is a file that is open already; name it itself");
  throw PathError(path + ": is " + kind_of(status.st_mode) + ", which no file can take the place of; name a file");
}

// Where the links at the end of a path lead, whether or not there is a file.
fs::path followed(const std::string& path) {
  fs::path target = path;
  for (int links = 0; links < kMostLinks; ++links) {
    std::error_code no_link;
    const fs::path next = fs::read_symlink(target, no_link);
    if (no_link) return target;
    if (is_in_proc(folder_of(target))) fail_open_already(path);
    target = folder_of(target) / next;
  }
  throw PathError(path + ": " + trouble(path, ELOOP));
}

std::string numbered_name(int attempt) { return ".idelta-" + std::to_string(getpid()) + "-" + std::to_string(attempt); }

// A file without a name has this one, through which it can be linked.
std::string name_in_proc(const Descriptor& file) { return "/proc/self/fd/" + std::to_string(file.get()); }

bool is_mounted_by_itself(const Descriptor& folder, const std::string& name) {
  struct statx status = {};
  return statx(folder.get(), name.c_str(), AT_SYMLINK_NOFOLLOW, 0, &status) == 0 &&
         (status.stx_attributes & status.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0;
}

}  // namespace

OutputFile::OutputFile(const std::string& path) : path_(path) {
  const fs::path target = followed(path);
  name_ = target.filename().string();
  if (name_.empty() || name_ == "." || name_ == "..") {
    throw PathError("'" + path + "' names no file; give a file name");
  }
  const std::string folder = folder_of(target).string();
  folder_ = Descriptor(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder_.is_open()) fail("cannot be written: the folder " + folder + " " + trouble(folder, errno));
  look_at_old();
  if (replaces_) refuse_what_cannot_be_replaced();
  make_temporary();
}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) unlinkat(folder_.get(), temporary_.c_str(), 0);
}

void OutputFile::fail(const std::string& why) const { throw PathError(path_ + ": " + why); }

void OutputFile::fail_to(const char* what, int error) const {
  fail("cannot be " + std::string(what) + " (" + std::strerror(error) +
       "); the file of that name, if there was one, is as it was");
}

void OutputFile::look_at_old() {
  struct stat status = {};
  if (fstatat(folder_.get(), name_.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT) fail(trouble(path_, errno));
    return;
  }
  if (!S_ISREG(status.st_mode)) {
    fail("is " + kind_of(status.st_mode) + ", which no file can take the place of; name another file");
  }
  old_ = status;
  replaces_ = true;
}

void OutputFile::refuse_what_cannot_be_replaced() const {
  // A rename asks nobody whether the file itself may be written.
  if (!Descriptor(openat(folder_.get(), name_.c_str(), O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)).is_open()) {
    fail("may not be written (" + std::string(std::strerror(errno)) + "); change its permissions or name another file");
  }
  struct stat folder = {};
  const uid_t user = geteuid();
  if (fstat(folder_.get(), &folder) == 0 && (folder.st_mode & S_ISVTX) != 0 && user != 0 && user != old_.st_uid &&
      user != folder.st_uid) {
    fail("belongs to another user, who alone may replace it in this folder; name another file");
  }
  if (is_mounted_by_itself(folder_, name_)) {
    fail("is a file that is mounted by itself and cannot be replaced; name a file in a folder");
  }
}

void OutputFile::make_temporary() {
  // What replaces a file that few may read is not to be read by others on the way.
  const mode_t mode = replaces_ ? 0600 : 0666;
  descriptor_ = Descriptor(openat(folder_.get(), ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode));
  if (descriptor_.is_open() && access(name_in_proc(descriptor_).c_str(), F_OK) == 0) return;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const std::string name = numbered_name(attempt);
    descriptor_ = Descriptor(openat(folder_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (descriptor_.is_open()) {
      temporary_ = name;
      return;
    }
    if (errno != EEXIST) break;
  }
  fail("cannot be written: no file can be made in its folder (" + std::string(std::strerror(errno)) +
       "); name a file in another folder");
}

void OutputFile::write(const void* bytes, size_t count) {
  const char* next = static_cast<const char*>(bytes);
  while (count > 0) {
    const size_t now = std::min(count, kLargestWrite);
    // The signal that comes with a write beyond this limit would end the program.
    struct rlimit limit = {};
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < written_ + now) fail_to("written", EFBIG);
    const ssize_t done = ::write(descriptor_.get(), next, now);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail_to("written", errno);
    next += done;
    count -= static_cast<size_t>(done);
    written_ += static_cast<uint64_t>(done);
  }
}

void OutputFile::keep_mode_and_owner() const {
  constexpr const char* kAccessList = "system.posix_acl_access";
  constexpr size_t kMostBytes = 65536;  // of an extended attribute, in Linux
  mode_t mode = old_.st_mode & (S_IRWXU | S_IRWXG | S_IRWXO);
  const bool owned = fchown(descriptor_.get(), old_.st_uid, old_.st_gid) == 0 ||
                     fchown(descriptor_.get(), static_cast<uid_t>(-1), old_.st_gid) == 0;
  std::vector<char> list(kMostBytes);
  const std::string old = name_in_proc(folder_) + "/" + name_;
  const ssize_t bytes = getxattr(old.c_str(), kAccessList, list.data(), list.size());
  if (owned && bytes > 0 &&
      fsetxattr(descriptor_.get(), kAccessList, list.data(), static_cast<size_t>(bytes), 0) == 0) {
    return;  // the mode follows from it
  }
  // What the old group was allowed is not for another, and beside an access list its bits are not the group's.
  if (!owned || bytes > 0) mode &= ~S_IRWXG;
  [[maybe_unused]] const int kept = fchmod(descriptor_.get(), mode);  // some file systems have no permissions
}

// False if something has that name.
bool OutputFile::link_to(const std::string& name) const {
  if (linkat(AT_FDCWD, name_in_proc(descriptor_).c_str(), folder_.get(), name.c_str(), AT_SYMLINK_FOLLOW) == 0) {
    return true;
  }
  if (errno != EEXIST) fail_to("put in its place", errno);
  return false;
}

void OutputFile::commit() {
  look_at_old();  // it may have changed during the work
  if (replaces_) keep_mode_and_owner();
  if (fsync(descriptor_.get()) != 0) fail_to("brought to the disk", errno);
  const bool unnamed = temporary_.empty();
  const bool done = unnamed && !replaces_ && link_to(name_);
  // A link cannot replace a file, a rename does: for this moment the file has a name of its own.
  for (int attempt = 0; unnamed && !done && temporary_.empty(); ++attempt) {
    const std::string name = numbered_name(attempt);
    if (link_to(name)) temporary_ = name;
    if (temporary_.empty() && attempt == kAttempts) fail_to("put in its place", EEXIST);
  }
  if (!done && renameat(folder_.get(), temporary_.c_str(), folder_.get(), name_.c_str()) != 0) {
    fail_to("put in its place", errno);
  }
  temporary_.clear();
  // So that the new name survives a power cut too. The file is whole either way, hence no error if a file system
  // cannot sync a folder.
  const Descriptor readable(openat(folder_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (readable.is_open()) fsync(readable.get());
}

void check_output(const std::string& path) { const OutputFile probe(path); }

}  // namespace idelta::files
