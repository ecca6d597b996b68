#include "zip.h"

#include <algorithm>
#include <limits>
#include <new>

#include "error.h"

namespace idelta::nn {
namespace {

constexpr size_t kEndBytes = 22, kEntryBytes = 46, kLocalBytes = 30;
constexpr uint32_t kEndMagic = 0x06054b50, kEntryMagic = 0x02014b50, kLocalMagic = 0x04034b50;
constexpr size_t kMostComment = 0xffff;                      // behind the end record
constexpr uint64_t kMostDirectoryBytes = uint64_t{1} << 26;  // a .npz has a few entries of some 60 bytes
constexpr uint64_t kElsewhere = 0xffffffff;                  // a size that stands in a ZIP64 record
constexpr uint16_t kStored = 0, kDeflated = 8;
constexpr size_t kBufferBytes = size_t{1} << 17;

// Little-endian.
uint32_t number(const uint8_t* at, size_t bytes) {
  uint32_t value = 0;
  for (size_t i = bytes; i-- > 0;) value = value << 8 | at[i];
  return value;
}

struct Directory {
  uint64_t begin, bytes;
  size_t entries;
};

Directory find_directory(const files::InputFile& file) {
  const uint64_t tail = std::min<uint64_t>(file.size(), kEndBytes + kMostComment), start = file.size() - tail;
  std::vector<uint8_t> bytes(tail);
  bytes.resize(file.read_at(start, bytes.data(), bytes.size()));
  for (size_t at = bytes.size() < kEndBytes ? 0 : bytes.size() - kEndBytes + 1; at-- > 0;) {
    const uint8_t* const record = bytes.data() + at;
    if (number(record, 4) != kEndMagic) continue;
    const Directory found = {number(record + 16, 4), number(record + 12, 4), number(record + 10, 2)};
    if (found.begin == kElsewhere || found.bytes == kElsewhere) {
      fail(file.path(), ": is larger than the 4 GiB of a plain ZIP archive; save its arrays as .npy files");
    }
    if (number(record + 4, 2) != 0 || found.begin + found.bytes > start + at || found.bytes > kMostDirectoryBytes) {
      fail(file.path(), ": the directory at its end is damaged; copy or download the file again");
    }
    return found;
  }
  fail(file.path(), ": is no ZIP archive, or is cut short; give a .npz file, or copy it again");
}

}  // namespace

std::string printable(std::string name) {
  constexpr size_t kShown = 64;
  if (name.size() > kShown) name.resize(kShown);
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
  return name;
}

std::vector<ZipEntry> read_zip_entries(const files::InputFile& file) {
  const Directory directory = find_directory(file);
  std::vector<uint8_t> bytes(directory.bytes);
  bytes.resize(file.read_at(directory.begin, bytes.data(), bytes.size()));
  std::vector<ZipEntry> entries;
  size_t at = 0;
  for (size_t i = 0; i < directory.entries; ++i) {
    const uint8_t* const record = bytes.data() + at;
    const bool whole = bytes.size() - at >= kEntryBytes && number(record, 4) == kEntryMagic;
    const size_t name = whole ? number(record + 28, 2) : 0;
    const size_t size = whole ? kEntryBytes + name + number(record + 30, 2) + number(record + 32, 2) : 0;
    if (!whole || bytes.size() - at < size) {
      fail(file.path(), ": entry ", i + 1, " of its directory is damaged; copy or download the file again");
    }
    entries.push_back({.name = std::string(reinterpret_cast<const char*>(record) + kEntryBytes, name),
                       .method = static_cast<uint16_t>(number(record + 10, 2)),
                       .encrypted = (number(record + 8, 2) & 1) != 0,
                       .checksum = number(record + 16, 4),
                       .packed_bytes = number(record + 20, 4),
                       .bytes = number(record + 24, 4),
                       .header_at = number(record + 42, 4)});
    at += size;
  }
  return entries;
}

ZipReader::ZipReader(const files::InputFile& file, const ZipEntry& entry)
    : file_(file), entry_(entry), left_(entry.packed_bytes) {
  if (entry.encrypted) fail_damaged("is encrypted; save it without a password");
  if (entry.method != kStored && entry.method != kDeflated) {
    fail_damaged("is packed in a way that is not read; save it with numpy.savez or savez_compressed");
  }
  if (entry.packed_bytes == kElsewhere || entry.bytes == kElsewhere || entry.header_at == kElsewhere) {
    fail_damaged("is larger than 4 GiB; save it as a .npy file");
  }
  uint8_t header[kLocalBytes];
  if (file.read_at(entry.header_at, header, sizeof header) < sizeof header || number(header, 4) != kLocalMagic) {
    fail_damaged("is not where the directory says; copy or download the file again");
  }
  offset_ = entry.header_at + kLocalBytes + number(header + 26, 2) + number(header + 28, 2);
  checksum_ = static_cast<uint32_t>(crc32(0, nullptr, 0));
  if (entry.method != kDeflated) return;
  input_.resize(kBufferBytes);
  if (inflateInit2(&stream_, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
}

ZipReader::~ZipReader() {
  if (entry_.method == kDeflated) inflateEnd(&stream_);
}

void ZipReader::fail_damaged(const char* why) const {
  fail(file_.path(), ": its entry ", printable(entry_.name), " ", why);
}

size_t ZipReader::read_packed(uint8_t* out, size_t bytes) {
  const size_t got = file_.read_at(offset_, out, static_cast<size_t>(std::min<uint64_t>(bytes, left_)));
  offset_ += got;
  left_ -= got;
  return got;
}

size_t ZipReader::unpack(uint8_t* out, size_t bytes) {
  size_t done = 0;
  while (done < bytes && !ended_) {
    if (stream_.avail_in == 0) {
      stream_.next_in = input_.data();
      stream_.avail_in = static_cast<unsigned>(read_packed(input_.data(), input_.size()));
    }
    const auto room = static_cast<unsigned>(std::min<size_t>(bytes - done, std::numeric_limits<int>::max()));
    stream_.next_out = out + done;
    stream_.avail_out = room;
    const int code = inflate(&stream_, Z_NO_FLUSH);
    done += room - stream_.avail_out;
    if (code == Z_MEM_ERROR) throw std::bad_alloc();
    if (code == Z_BUF_ERROR) fail_damaged("is cut short; copy or download the file again");
    if (code != Z_OK && code != Z_STREAM_END) fail_damaged("cannot be unpacked; copy or download the file again");
    ended_ = code == Z_STREAM_END;
  }
  return done;
}

size_t ZipReader::read(uint8_t* out, size_t bytes) {
  const size_t got = entry_.method == kStored ? read_packed(out, bytes) : unpack(out, bytes);
  for (size_t done = 0; done < got;) {
    const size_t now = std::min<size_t>(got - done, std::numeric_limits<unsigned>::max());
    checksum_ = static_cast<uint32_t>(crc32(checksum_, out + done, static_cast<unsigned>(now)));
    done += now;
  }
  given_ += got;
  if (got < bytes && (given_ != entry_.bytes || checksum_ != entry_.checksum)) {
    fail_damaged("is not what was saved (its length or CRC-32 differs); copy or download the file again");
  }
  return got;
}

}  // namespace idelta::nn
