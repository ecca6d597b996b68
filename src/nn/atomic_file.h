// A file that appears whole or not at all: bytes go to a temporary file in the same folder, which takes the wanted
// name only in commit(). Whatever goes wrong before leaves an older file of that name as it was.
#ifndef IDELTA_NN_ATOMIC_FILE_H
#define IDELTA_NN_ATOMIC_FILE_H

#include <cstddef>
#include <string>

namespace idelta::nn {

class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();  // removes the temporary file if commit() was not reached
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* bytes, size_t count);
  void commit();  // to the disk, then renamed

 private:
  [[noreturn]] void fail_to(const char* what, int error);

  std::string path_, temporary_;
  int descriptor_ = -1;
};

}  // namespace idelta::nn

#endif  // IDELTA_NN_ATOMIC_FILE_H
