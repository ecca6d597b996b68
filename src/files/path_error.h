// What is wrong with a path, in words that say how to mend it.
#ifndef IDELTA_FILES_PATH_ERROR_H
#define IDELTA_FILES_PATH_ERROR_H

#include <sys/types.h>

#include <stdexcept>
#include <string>

namespace idelta::files {

// A file that cannot be read or written, in a sentence that begins with its path.
class PathError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// "does not exist; check the name": what `error`, an errno, says of the path. It goes on after "PATH: ".
std::string trouble(const std::string& path, int error);

// "a folder", "a device", "a pipe": what a file is, by the mode that stat() tells.
std::string kind_of(mode_t mode);

}  // namespace idelta::files

#endif  // IDELTA_FILES_PATH_ERROR_H
