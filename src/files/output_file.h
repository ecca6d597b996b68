// A file that appears whole or not at all. Bytes go to a temporary file in the folder of the wanted one, which takes
// its name only in commit(). Whatever goes wrong before, kill -9 included, leaves an older file of that name as it was.
//
//   link                    followed: the file that it leads to is replaced, the link stays
//   file that is there      its permissions are kept, and its owner where the system lets us; other hard links to it
//                           keep the old bytes
//   new file                permissions as umask has them
//   refused                 a folder, pipe, socket or device; a file that is write-protected, in a folder that is, or
//                           mounted by itself: none of these can be replaced by a whole file
//   temporary file          has no name, so that nothing is left of a program that is killed. On file systems without
//                           such files, and for the moment between a link and a rename when an older file is replaced,
//                           it is ".idelta-<process>-<number>", which a killed program leaves behind
#ifndef IDELTA_FILES_OUTPUT_FILE_H
#define IDELTA_FILES_OUTPUT_FILE_H

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "files/descriptor.h"

namespace idelta::files {

class OutputFile {
 public:
  // Everything here throws PathError. The path is looked at before anything is made.
  explicit OutputFile(const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(const void* bytes, size_t count);
  void commit();  // to the disk, then under its name

 private:
  [[noreturn]] void fail(const std::string& why) const;
  [[noreturn]] void fail_to(const char* what, int error) const;
  void look_at_old();
  void refuse_what_cannot_be_replaced() const;
  void make_temporary();
  void keep_mode_and_owner() const;
  bool link_to(const std::string& name) const;

  std::string path_;
  std::string name_;  // in folder_, once links are followed
  Descriptor folder_;
  Descriptor descriptor_;  // of the temporary file
  std::string temporary_;  // its name in folder_, if it has one
  bool replaces_ = false;
  struct stat old_ = {};  // of the file that is replaced
  uint64_t written_ = 0;
};

// Throws what OutputFile would, and leaves nothing behind: for a check before long work.
void check_output(const std::string& path);

}  // namespace idelta::files

#endif  // IDELTA_FILES_OUTPUT_FILE_H
