#include "idx.h"

#include <algorithm>
#include <cstdio>
#include <limits>

#include "error.h"
#include "packed_file.h"

namespace idelta::nn {
namespace {

constexpr uint8_t kUnsignedByte = 0x08;

// A header may lie: memory grows with the bytes that really arrive, at most this far ahead of them.
constexpr size_t kReadAhead = size_t{1} << 20;

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

// Half of the address space at most, and room for the floats made of it.
constexpr size_t kMostValues = std::numeric_limits<size_t>::max() / 8;

std::vector<int64_t> read_sizes(const std::string& path, PackedFile& file, int rank) {
  std::vector<int64_t> sizes;
  size_t total = 1;
  for (int i = 0; i < rank; ++i) {
    uint8_t b[4];
    if (file.read(b, sizeof b) < sizeof b) fail(path, ": ends inside its header; copy or download the file again");
    const uint32_t size = uint32_t{b[0]} << 24 | uint32_t{b[1]} << 16 | uint32_t{b[2]} << 8 | uint32_t{b[3]};
    sizes.push_back(size);
    if (size != 0 && total > kMostValues / size) {
      fail(path, ": its header promises ", joined(sizes), " values, more than any memory holds; the header is damaged");
    }
    total *= size;
  }
  return sizes;
}

size_t product(const std::vector<int64_t>& sizes) {
  size_t total = 1;
  for (const int64_t size : sizes) total *= static_cast<size_t>(size);
  return total;
}

// `there` values follow the header; of a gz stream, more than the promised number stands for all that is more.
void check_total(const std::string& path, const std::vector<int64_t>& sizes, size_t there) {
  const size_t total = product(sizes);
  if (there > total) {
    fail(path, ": goes on after the ", total, " values that its header promises (", joined(sizes),
         "); the header or the file is damaged");
  }
  if (there < total) {
    fail(path, ": ends after ", there, " of the ", total, " values that its header promises (", joined(sizes),
         "); copy or download the file again");
  }
}

}  // namespace

IdxBytes read_idx(const std::string& path, int rank, int64_t most) {
  PackedFile file(path);
  uint8_t magic[4];
  check_magic(path, magic, file.read(magic, sizeof magic), rank);
  IdxBytes array;
  array.sizes = read_sizes(path, file, rank);
  const size_t total = product(array.sizes);
  const size_t header_bytes = sizeof magic + array.sizes.size() * sizeof(uint32_t);
  if (!file.is_packed()) check_total(path, array.sizes, file.size() - header_bytes);

  const auto first = static_cast<size_t>(array.sizes[0]);
  array.kept = std::min<int64_t>(array.sizes[0], most);
  const size_t wanted = first == 0 ? 0 : total / first * static_cast<size_t>(array.kept);
  while (array.values.size() < wanted) {
    const size_t have = array.values.size();
    array.values.resize(have + std::min(wanted - have, std::max(kReadAhead, have)));
    const size_t want = array.values.size() - have;
    const size_t got = file.read(array.values.data() + have, want);
    if (got < want) check_total(path, array.sizes, have + got);
  }
  // Reading on also makes zlib verify the checksum at the end of a gz stream.
  uint8_t extra;
  if (wanted == total && file.read(&extra, 1) != 0) check_total(path, array.sizes, total + 1);
  return array;
}

}  // namespace idelta::nn
