// A file to read.
#ifndef IDELTA_FILES_INPUT_FILE_H
#define IDELTA_FILES_INPUT_FILE_H

#include <cstddef>
#include <cstdint>
#include <string>

#include "files/descriptor.h"

namespace idelta::files {

// Throws PathError for everything but a regular file that may be read. A pipe or a terminal would let the program wait
// for somebody who may never write.
class InputFile {
 public:
  explicit InputFile(const std::string& path);

  const std::string& path() const { return path_; }
  uint64_t size() const { return size_; }

  // Bytes read from `offset` on; fewer than asked for only at the end of the file.
  size_t read_at(uint64_t offset, void* out, size_t bytes) const;

 private:
  std::string path_;
  Descriptor descriptor_;
  uint64_t size_ = 0;
};

}  // namespace idelta::files

#endif  // IDELTA_FILES_INPUT_FILE_H
