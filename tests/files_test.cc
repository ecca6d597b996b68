// Inputs and outputs by path: what cannot be read or written is refused with a sentence, what is written is whole or
// not there, and what it replaces keeps its link, mode and owner.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "files/input_file.h"
#include "files/output_file.h"
#include "nn_support.h"

namespace idelta_test {
namespace {

namespace fs = std::filesystem;
using idelta::files::check_output;
using idelta::files::InputFile;
using idelta::files::OutputFile;

const Bytes kOld = {'o', 'l', 'd'}, kNew = {'n', 'e', 'w'};

constexpr uid_t kNobody = 65534;

void write(const std::string& path) {
  OutputFile file(path);
  file.write(kNew.data(), kNew.size());
  file.commit();
}

mode_t mode_of(const std::string& path) {
  struct stat status = {};
  EXPECT_EQ(0, stat(path.c_str(), &status)) << path;
  return status.st_mode & 07777;
}

// Root may do everything: it becomes nobody for as long as this lives.
class Unprivileged {
 public:
  Unprivileged() {
    if (was_root_ && setegid(kNobody) + seteuid(kNobody) != 0) throw std::runtime_error("cannot become nobody");
  }
  ~Unprivileged() {
    if (was_root_ && seteuid(0) + setegid(0) != 0) std::abort();
  }

 private:
  bool was_root_ = geteuid() == 0;
};

class Files : public ::testing::Test {
 protected:
  Files() {
    umask(022);
    chmod(folder_.path().c_str(), 0777);
  }
  ~Files() override { umask(umask_); }

  // An output there is refused, before and without any trace.
  void expect_refused(const std::string& path, std::initializer_list<std::string> parts) {
    const size_t before = folder_.entries();
    expect_error([&] { check_output(path); }, parts);
    expect_error([&] { write(path); }, parts);
    EXPECT_EQ(before, folder_.entries());
  }

  TemporaryFolder folder_;
  const mode_t umask_ = umask(022);
  const std::string path_ = folder_ / "file";
};

using Output = Files;
using Input = Files;

// ---- What an output may not be -------------------------------------------------------------------------------------

TEST_F(Output, PipeSocketAndDeviceAreNeverReplaced) {
  ASSERT_EQ(0, mkfifo(path_.c_str(), 0666));
  expect_refused(path_, {path_, "is a pipe", "name another file"});
  EXPECT_TRUE(fs::is_fifo(path_));

  const int socket_number = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::string socket_path = folder_ / "socket";
  std::strncpy(address.sun_path, socket_path.c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(0, bind(socket_number, reinterpret_cast<sockaddr*>(&address), sizeof address));
  expect_refused(socket_path, {socket_path, "is a socket"});
  EXPECT_TRUE(fs::is_socket(socket_path));
  close(socket_number);

  const std::string device = folder_ / "device";  // a null device of our own
  if (mknod(device.c_str(), S_IFCHR | 0666, makedev(1, 3)) != 0) GTEST_SKIP() << "no right to make a device";
  expect_refused(device, {device, "is a device"});
  EXPECT_TRUE(fs::is_character_file(device));
  const std::string link = folder_ / "link";
  fs::create_symlink(device, link);
  expect_refused(link, {link, "is a device"});
  EXPECT_TRUE(fs::is_character_file(device));
}

TEST_F(Output, FolderAndMissingNameAreRefused) {
  fs::create_directory(path_);
  expect_refused(path_, {path_, "is a folder"});
  for (const std::string& path : {std::string(), path_ + "/", path_ + "/.", path_ + "/.."}) {
    expect_refused(path, {"'" + path + "' names no file"});
  }
}

TEST_F(Output, PathThatCannotBeLookedAtIsRefused) {
  fs::create_symlink("b", folder_ / "a");
  fs::create_symlink("a", folder_ / "b");
  expect_refused(folder_ / "a", {folder_ / "a", "leads back to itself"});
  expect_refused(folder_ / "a/file", {folder_ / "a", "leads back to itself"});
  expect_refused(folder_ / "none/file", {folder_ / "none", "does not exist"});
  write_bytes(path_, kOld);
  expect_refused(path_ + "/file", {path_, "as if it were a folder"});
  expect_refused(folder_ / std::string(256, 'x'), {"longer name"});
  std::string deep = folder_.path();
  for (int i = 0; i < 2500; ++i) deep += "/.";
  expect_refused(deep + "/x", {"longer name"});
}

TEST_F(Output, FileThatIsOpenAlreadyIsNotReplacedUnderItsReader) {
  write_bytes(path_, kOld);
  const int number = open(path_.c_str(), O_RDONLY);
  ASSERT_LE(0, number);
  expect_refused("/proc/self/fd/" + std::to_string(number), {"open already"});
  close(number);
  EXPECT_EQ(kOld, read_bytes(path_));
}

TEST_F(Output, WriteProtectedFileAndFolderAreRefused) {
  const Unprivileged nobody;
  write_bytes(path_, kOld);
  fs::permissions(path_, fs::perms::owner_read);
  expect_refused(path_, {path_, "may not be written (Permission denied)", "change its permissions"});
  EXPECT_EQ(kOld, read_bytes(path_));

  // Only a rename would keep the old file whole, and there is none in a folder that cannot be written to.
  const std::string closed = folder_ / "closed";
  fs::create_directory(closed);
  write_bytes(closed + "/file", kOld);
  fs::permissions(closed, fs::perms::owner_read | fs::perms::owner_exec);
  expect_refused(closed + "/file", {closed, "no file can be made in its folder (Permission denied)", "another folder"});
  expect_refused(closed + "/new", {closed, "no file can be made in its folder (Permission denied)"});
  EXPECT_EQ(kOld, read_bytes(closed + "/file"));
  fs::permissions(closed, fs::perms::none);
  expect_refused(closed + "/file", {closed, "is not accessible (Permission denied)"});
  fs::permissions(closed, fs::perms::owner_all);
}

TEST_F(Output, AnothersFileInASharedFolderIsRefusedBeforeTheWork) {
  if (geteuid() != 0) GTEST_SKIP() << "needs a file of another user";
  chmod(folder_.path().c_str(), 01777);
  write_bytes(path_, kOld);
  chmod(path_.c_str(), 0666);
  const Unprivileged nobody;
  expect_refused(path_, {path_, "belongs to another user"});
}

// ---- What is replaced
// ------------------------------------------------------------------------------------------------

TEST_F(Output, LinkStaysAndTheFileThatItLeadsToIsReplaced) {
  fs::create_directory(folder_ / "far");
  write_bytes(folder_ / "far/file", kOld);
  fs::create_symlink("far/file", folder_ / "near");
  fs::create_symlink(folder_ / "near", folder_ / "nearer");
  write(folder_ / "nearer");
  EXPECT_TRUE(fs::is_symlink(folder_ / "near"));
  EXPECT_TRUE(fs::is_symlink(folder_ / "nearer"));
  EXPECT_FALSE(fs::is_symlink(folder_ / "far/file"));
  EXPECT_EQ(kNew, read_bytes(folder_ / "far/file"));
}

TEST_F(Output, LinkThatDanglesGetsItsFile) {
  fs::create_symlink("new", path_);
  write(path_);
  EXPECT_TRUE(fs::is_symlink(path_));
  EXPECT_EQ(kNew, read_bytes(folder_ / "new"));
  const std::string lost = folder_ / "lost";
  fs::create_symlink("none/new", lost);
  expect_refused(lost, {lost, folder_ / "none", "does not exist"});
}

// With a list, the group's bits of the mode are the most that the list may give: without it the group would gain them.
TEST_F(Output, AccessListIsKeptOrTheGroupLosesItsAccess) {
  struct Entry {
    uint16_t tag, permissions;
    uint32_t id;
  };
  struct {
    uint32_t version = 2;
    Entry entries[5] = {{1, 6, ~0u}, {2, 4, 65534}, {4, 4, ~0u}, {16, 6, ~0u}, {32, 0, ~0u}};
  } list;
  constexpr const char* kName = "system.posix_acl_access";
  write_bytes(path_, kOld);
  if (setxattr(path_.c_str(), kName, &list, sizeof list, 0) != 0) GTEST_SKIP() << "a file system without access lists";
  write(path_);
  EXPECT_EQ(kNew, read_bytes(path_));
  EXPECT_EQ(0660u, mode_of(path_));
  decltype(list) kept;
  ASSERT_EQ(static_cast<ssize_t>(sizeof list), getxattr(path_.c_str(), kName, &kept, sizeof kept));
  EXPECT_EQ(0, std::memcmp(&list, &kept, sizeof list));
}

TEST_F(Output, ModeIsKeptAndNewFilesFollowTheUmask) {
  for (const mode_t mode : {0600u, 0640u, 0664u, 0755u}) {
    write_bytes(path_, kOld);
    chmod(path_.c_str(), mode);
    write(path_);
    EXPECT_EQ(mode, mode_of(path_));
    EXPECT_EQ(kNew, read_bytes(path_));
  }
  for (const mode_t mask : {022u, 077u, 0u}) {
    umask(mask);
    const std::string made = folder_ / ("new" + std::to_string(mask));
    write(made);
    EXPECT_EQ(0666u & ~mask, mode_of(made));
  }
}

TEST_F(Output, OwnerIsKeptWhereTheSystemLetsUs) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  write_bytes(path_, kOld);
  ASSERT_EQ(0, chown(path_.c_str(), 1234, 5678));
  chmod(path_.c_str(), 0660);
  write(path_);
  struct stat status = {};
  ASSERT_EQ(0, stat(path_.c_str(), &status));
  EXPECT_EQ(1234u, status.st_uid);
  EXPECT_EQ(5678u, status.st_gid);
  EXPECT_EQ(0660u, mode_of(path_));

  // Where neither can be kept, what the old group was allowed is not for the new one.
  ASSERT_EQ(0, chown(path_.c_str(), 1234, 5678));
  chmod(path_.c_str(), 0666);
  const Unprivileged nobody;
  write(path_);
  ASSERT_EQ(0, stat(path_.c_str(), &status));
  EXPECT_EQ(kNobody, status.st_uid);
  EXPECT_EQ(0606u, mode_of(path_));
}

TEST_F(Output, OtherHardLinksKeepTheOldBytes) {
  write_bytes(path_, kOld);
  fs::create_hard_link(path_, folder_ / "other");
  write(path_);
  EXPECT_EQ(kNew, read_bytes(path_));
  EXPECT_EQ(kOld, read_bytes(folder_ / "other"));
}

TEST_F(Output, LongestNameIsWritten) {
  const std::string longest = folder_ / std::string(255, 'x');
  write(longest);
  write(longest);
  EXPECT_EQ(kNew, read_bytes(longest));
  EXPECT_EQ(1u, folder_.entries());
}

// ---- A save that does not come to its end
// ----------------------------------------------------------------------------

// A disk that fills up, as a limit on the size of files; the signal of that limit would end the program.
TEST_F(Output, FullDiskLeavesTheOldFileWholeAndNothingElse) {
  write_bytes(path_, kOld);
  struct rlimit limit = {};
  ASSERT_EQ(0, getrlimit(RLIMIT_FSIZE, &limit));
  struct rlimit small = limit;
  small.rlim_cur = 5;
  ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &small));
  expect_error(
      [&] {
        OutputFile file(path_);
        file.write("12345", 5);
        file.write("6", 1);
      },
      {path_, "cannot be written", "File too large", "as it was"});
  ASSERT_EQ(0, setrlimit(RLIMIT_FSIZE, &limit));
  EXPECT_EQ(kOld, read_bytes(path_));
  EXPECT_EQ(1u, folder_.entries()) << "the temporary file stayed";
}

TEST_F(Output, FileThatIsNotCommittedNeverWas) {
  { OutputFile(path_).write(kNew.data(), kNew.size()); }
  EXPECT_EQ(0u, folder_.entries());
  check_output(path_);
  EXPECT_EQ(0u, folder_.entries());
}

TEST_F(Output, ProgramThatIsKilledLeavesTheOldFileWholeAndNothingElse) {
  write_bytes(path_, kOld);
  for (const int signal : {SIGKILL, SIGTERM, SIGINT, SIGHUP}) {
    const pid_t child = fork();
    if (child == 0) {
      OutputFile file(path_);
      file.write(kNew.data(), kNew.size());
      std::signal(signal, SIG_DFL);
      raise(signal);
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(child, waitpid(child, &status, 0));
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal);
    EXPECT_EQ(kOld, read_bytes(path_));
    EXPECT_EQ(1u, folder_.entries()) << "a temporary file stayed after signal " << signal;
  }
}

TEST_F(Output, PlaceThatIsTakenMeanwhileIsNotReplaced) {
  OutputFile file(path_);
  file.write(kNew.data(), kNew.size());
  ASSERT_EQ(0, mkfifo(path_.c_str(), 0666));
  expect_error([&] { file.commit(); }, {path_, "is a pipe"});
  EXPECT_TRUE(fs::is_fifo(path_));
  EXPECT_EQ(1u, folder_.entries());
}

TEST_F(Output, FolderThatIsGoneMeanwhileIsNamed) {
  const std::string folder = folder_ / "gone";
  fs::create_directory(folder);
  OutputFile file(folder + "/file");
  file.write(kNew.data(), kNew.size());
  fs::remove(folder);
  expect_error([&] { file.commit(); }, {folder + "/file", "No such file"});
}

// ---- Inputs
// ----------------------------------------------------------------------------------------------------------

TEST_F(Input, OnlyRegularFilesAreReadAndNobodyIsWaitedFor) {
  ASSERT_EQ(0, mkfifo(path_.c_str(), 0666));
  expect_error([&] { InputFile{path_}; }, {path_, "is a pipe", "only regular files"});
  expect_error([&] { InputFile{folder_.path()}; }, {folder_.path(), "is a folder"});
  expect_error([&] { InputFile{"/dev/zero"}; }, {"/dev/zero", "is a device"});
  expect_error([&] { InputFile{""}; }, {"names no file"});
}

TEST_F(Input, PathThatCannotBeLookedAtIsNamedWithTheReason) {
  fs::create_symlink("b", folder_ / "a");
  fs::create_symlink("a", folder_ / "b");
  fs::create_symlink("nowhere", folder_ / "dangling");
  write_bytes(path_, kOld);
  expect_error([&] { InputFile{folder_ / "none"}; }, {folder_ / "none", "does not exist"});
  expect_error([&] { InputFile{folder_ / "a"}; }, {folder_ / "a", "leads back to itself"});
  expect_error([&] { InputFile{folder_ / "dangling"}; }, {folder_ / "dangling", "link to nowhere"});
  expect_error([&] { InputFile{path_ + "/"}; }, {path_, "as if it were a folder"});
  expect_error([&] { InputFile{folder_ / std::string(256, 'x')}; }, {"longer name"});
  const Unprivileged nobody;
  write_bytes(folder_ / "mine", kOld);
  fs::permissions(folder_ / "mine", fs::perms::none);
  expect_error([&] { InputFile{folder_ / "mine"}; }, {folder_ / "mine", "Permission denied"});
}

}  // namespace
}  // namespace idelta_test
