// The bytes of a file that may be gzipped, one after the other.
#ifndef IDELTA_NN_PACKED_FILE_H
#define IDELTA_NN_PACKED_FILE_H

#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

#include "files/input_file.h"

namespace idelta::nn {

// A file that begins like a gz stream is unpacked, whatever its name: one stream, or several one after another. What is
// damaged or cut short, and anything else behind a stream, is an error that names the file.
class PackedFile {
 public:
  explicit PackedFile(const std::string& path);
  ~PackedFile();
  PackedFile(const PackedFile&) = delete;
  PackedFile& operator=(const PackedFile&) = delete;

  // Bytes read; fewer than asked for only at the end.
  size_t read(uint8_t* out, size_t bytes);

  bool is_packed() const { return packed_; }
  uint64_t size() const { return file_.size(); }  // of the file itself

 private:
  void fill();
  bool next_stream();
  size_t unpack(uint8_t* out, size_t bytes);
  [[noreturn]] void fail_unpacking(int code) const;

  files::InputFile file_;
  uint64_t offset_ = 0;  // of what was read of the file
  bool packed_ = false, ended_ = false;
  z_stream stream_ = {};
  std::vector<uint8_t> input_;
  uint64_t total_ = 0;  // unpacked bytes
};

}  // namespace idelta::nn

#endif  // IDELTA_NN_PACKED_FILE_H
