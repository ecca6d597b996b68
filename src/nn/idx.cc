// IDX files through zlib, which reads gzipped and plain files alike.
#include "idx.h"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>

#include "error.h"

namespace idelta::nn {
namespace {

constexpr uint8_t kUnsignedByte = 0x08;

// A header may lie: memory grows with the bytes that really arrive, at most this far ahead of them.
constexpr size_t kReadAhead = size_t{1} << 20;

class GzReader {
 public:
  explicit GzReader(const std::string& path) : path_(path) {
    errno = 0;
    file_ = gzopen(path.c_str(), "rbe");  // e: close on exec
    if (file_ == nullptr) fail(path_, ": cannot be opened: ", errno != 0 ? std::strerror(errno) : "out of memory");
    gzbuffer(file_, 1u << 17);
  }
  ~GzReader() { gzclose_r(file_); }
  GzReader(const GzReader&) = delete;
  GzReader& operator=(const GzReader&) = delete;

  // Bytes read; fewer than asked for only at the end of a sound file.
  size_t read(uint8_t* out, size_t bytes) {
    size_t done = 0;
    while (done < bytes) {
      const auto want = static_cast<unsigned>(std::min<size_t>(bytes - done, size_t{1} << 30));
      errno = 0;
      const int got = gzread(file_, out + done, want);
      if (got > 0) {
        done += static_cast<size_t>(got);
        total_ += static_cast<size_t>(got);
      }
      if (got < static_cast<int>(want)) check();
      if (got <= 0) break;
    }
    return done;
  }

 private:
  // gzread reports a stream that is cut short as a plain end of file; only gzerror tells them apart.
  void check() const {
    int code = Z_OK;
    const char* what = gzerror(file_, &code);
    if (code == Z_OK || code == Z_STREAM_END) return;
    if (code == Z_ERRNO) fail(path_, ": cannot be read: ", std::strerror(errno));
    if (code == Z_BUF_ERROR) {
      fail(path_, ": the gz stream is cut short after ", total_, " unpacked bytes; copy or download the file again");
    }
    fail(path_, ": the gz stream is damaged after ", total_, " unpacked bytes (zlib: ", what,
         "); copy or download the file again");
  }

  std::string path_;
  gzFile file_ = nullptr;
  size_t total_ = 0;
};

std::string hex(const uint8_t* bytes, size_t count) {
  std::string text;
  char digits[4];
  for (size_t i = 0; i < count; ++i) {
    std::snprintf(digits, sizeof digits, "%02x", bytes[i]);
    text += (i == 0 ? "" : " ");
    text += digits;
  }
  return text;
}

std::string joined(const std::vector<int64_t>& sizes) {
  std::string text;
  for (const int64_t size : sizes) text += (text.empty() ? "" : " x ") + std::to_string(size);
  return text;
}

void check_magic(const std::string& path, const uint8_t (&magic)[4], size_t got, int rank) {
  if (got < sizeof magic) fail(path, ": holds ", got, " bytes, too few for an IDX header; give an IDX file");
  if (magic[0] != 0 || magic[1] != 0) {
    fail(path, ": starts with the bytes ", hex(magic, 4), ", but an IDX file starts with 00 00; give an IDX file");
  }
  if (magic[2] != kUnsignedByte) {
    fail(path, ": holds values of IDX type 0x", hex(magic + 2, 1), "; only unsigned bytes (0x08) are read");
  }
  if (magic[3] != rank) {
    fail(path, ": holds an array of rank ", int{magic[3]}, " where rank ", rank,
         " is wanted (images have rank 3, labels rank 1); were the two files exchanged?");
  }
}

}  // namespace

IdxBytes read_idx(const std::string& path, int rank) {
  GzReader file(path);
  uint8_t magic[4];
  check_magic(path, magic, file.read(magic, sizeof magic), rank);

  IdxBytes array;
  size_t total = 1;
  for (int i = 0; i < rank; ++i) {
    uint8_t b[4];
    if (file.read(b, sizeof b) < sizeof b) fail(path, ": ends inside its header; copy or download the file again");
    const uint32_t size = uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | uint32_t{b[3]};
    array.sizes.push_back(size);
    // Half of the address space at most, and room for the floats made of it.
    if (size != 0 && total > std::numeric_limits<size_t>::max() / 8 / size) {
      fail(path, ": its header promises ", joined(array.sizes), " values, more than any memory holds; ",
           "the header is damaged");
    }
    total *= size;
  }

  while (array.values.size() < total) {
    const size_t have = array.values.size();
    array.values.resize(have + std::min(total - have, std::max(kReadAhead, have)));
    const size_t want = array.values.size() - have;
    const size_t got = file.read(array.values.data() + have, want);
    if (got < want) {
      fail(path, ": ends after ", have + got, " of the ", total, " values that its header promises (",
           joined(array.sizes), "); copy or download the file again");
    }
  }
  // Reading on also makes zlib verify the checksum at the end of a gz stream.
  uint8_t extra;
  if (file.read(&extra, 1) != 0) {
    fail(path, ": goes on after the ", total, " values that its header promises (", joined(array.sizes),
         "); the header or the file is damaged");
  }
  return array;
}

}  // namespace idelta::nn
