// A file descriptor that closes itself.
#ifndef IDELTA_FILES_DESCRIPTOR_H
#define IDELTA_FILES_DESCRIPTOR_H

#include <unistd.h>

#include <utility>

namespace idelta::files {

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }

  int get() const { return number_; }
  bool is_open() const { return number_ >= 0; }

 private:
  int number_;
};

}  // namespace idelta::files

#endif  // IDELTA_FILES_DESCRIPTOR_H
