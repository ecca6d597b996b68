// The part of the ZIP file format that .npz files use:
//
//   for each entry: local header (30 bytes, name, extra), packed bytes | central directory | end record (22 bytes)
#ifndef IDELTA_NN_ZIP_H
#define IDELTA_NN_ZIP_H

#include <zlib.h>

#include <cstdint>
#include <string>
#include <vector>

#include "files/input_file.h"

namespace idelta::nn {

struct ZipEntry {
  std::string name;
  uint16_t method = 0;  // 0 stored, 8 deflated
  bool encrypted = false;
  uint32_t checksum = 0;  // CRC-32 of the unpacked bytes
  uint64_t packed_bytes = 0, bytes = 0;
  uint64_t header_at = 0;  // of its local header
};

// A name out of an archive as an error shows it: what is not plain text becomes '?', and no name is longer than a line.
std::string printable(std::string name);

// The entries of an archive, as its central directory has them.
std::vector<ZipEntry> read_zip_entries(const files::InputFile& file);

// The unpacked bytes of one entry, one after the other. What is damaged is an error that names file and entry.
class ZipReader {
 public:
  ZipReader(const files::InputFile& file, const ZipEntry& entry);
  ~ZipReader();
  ZipReader(const ZipReader&) = delete;
  ZipReader& operator=(const ZipReader&) = delete;

  // Bytes read; fewer than asked for only at the end, where the checksum is verified.
  size_t read(uint8_t* out, size_t bytes);

 private:
  size_t read_packed(uint8_t* out, size_t bytes);
  size_t unpack(uint8_t* out, size_t bytes);
  [[noreturn]] void fail_damaged(const char* why) const;

  const files::InputFile& file_;
  const ZipEntry& entry_;
  uint64_t offset_ = 0, left_ = 0;  // of the packed bytes
  uint64_t given_ = 0;              // unpacked bytes
  uint32_t checksum_ = 0;
  bool ended_ = false;
  z_stream stream_ = {};
  std::vector<uint8_t> input_;
};

}  // namespace idelta::nn

#endif  // IDELTA_NN_ZIP_H
