// zlib's inflate. Its gzread would accept whatever follows a stream.
#include "packed_file.h"

#include <algorithm>
#include <limits>
#include <new>

#include "error.h"

namespace idelta::nn {
namespace {

constexpr uint8_t kMagic[2] = {0x1f, 0x8b};
constexpr size_t kBufferBytes = size_t{1} << 17;
constexpr int kGzip = 16 + MAX_WBITS;  // gz streams alone, not zlib's own

}  // namespace

PackedFile::PackedFile(const std::string& path) : file_(path) {
  uint8_t start[2];
  packed_ = file_.read_at(0, start, sizeof start) == sizeof start && std::equal(start, start + 2, kMagic);
  if (!packed_) return;
  input_.resize(kBufferBytes);
  if (inflateInit2(&stream_, kGzip) != Z_OK) throw std::bad_alloc();
}

PackedFile::~PackedFile() {
  if (packed_) inflateEnd(&stream_);
}

size_t PackedFile::read(uint8_t* out, size_t bytes) {
  if (packed_) return unpack(out, bytes);
  const size_t got = file_.read_at(offset_, out, bytes);
  offset_ += got;
  return got;
}

// More input where all is used up; none at the end of the file.
void PackedFile::fill() {
  if (stream_.avail_in > 0) return;
  const size_t got = file_.read_at(offset_, input_.data(), input_.size());
  offset_ += got;
  stream_.next_in = input_.data();
  stream_.avail_in = static_cast<unsigned>(got);
}

// After the end of a stream: whether another follows.
bool PackedFile::next_stream() {
  fill();
  if (stream_.avail_in == 0) return false;
  const uint64_t behind = offset_ - stream_.avail_in;
  uint8_t start[2];
  if (file_.read_at(behind, start, sizeof start) < sizeof start || !std::equal(start, start + 2, kMagic)) {
    fail(file_.path(), ": goes on for ", file_.size() - behind,
         " bytes after the end of its gz stream; the file is damaged: copy or download it again");
  }
  inflateReset(&stream_);
  return true;
}

size_t PackedFile::unpack(uint8_t* out, size_t bytes) {
  size_t done = 0;
  while (done < bytes && !ended_) {
    fill();
    const auto room = static_cast<unsigned>(std::min<size_t>(bytes - done, std::numeric_limits<int>::max()));
    stream_.next_out = out + done;
    stream_.avail_out = room;
    const int code = inflate(&stream_, Z_NO_FLUSH);
    done += room - stream_.avail_out;
    total_ += room - stream_.avail_out;
    if (code == Z_STREAM_END) {
      ended_ = !next_stream();
    } else if (code != Z_OK) {
      fail_unpacking(code);
    }
  }
  return done;
}

void PackedFile::fail_unpacking(int code) const {
  if (code == Z_MEM_ERROR) throw std::bad_alloc();
  if (code == Z_BUF_ERROR) {
    fail(file_.path(), ": the gz stream is cut short after ", total_,
         " unpacked bytes; copy or download the file again");
  }
  fail(file_.path(), ": the gz stream is damaged after ", total_,
       " unpacked bytes (zlib: ", stream_.msg != nullptr ? stream_.msg : zError(code),
       "); copy or download the file again");
}

}  // namespace idelta::nn
