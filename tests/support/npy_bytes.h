// .npy and .npz files made to order: what NumPy writes, and what it would not.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

namespace idelta_test {

// The bytes of values as a file holds them; swapped, in the order of a big-endian machine.
template <class Stored>
std::vector<uint8_t> bytes_of(std::initializer_list<Stored> values, bool swapped = false) {
  std::vector<uint8_t> bytes;
  for (const Stored value : values) {
    uint8_t raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    if (swapped) std::reverse(raw, raw + sizeof value);
    bytes.insert(bytes.end(), raw, raw + sizeof value);
  }
  return bytes;
}

// A .npy file with any header text, padded as NumPy pads it.
inline std::vector<uint8_t> npy_file(std::string header, const std::vector<uint8_t>& values, int version = 1) {
  const size_t before = version == 1 ? 10 : 12;
  while ((before + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::vector<uint8_t> bytes = {0x93, 'N', 'U', 'M', 'P', 'Y', static_cast<uint8_t>(version), 0};
  for (size_t i = 8; i < before; ++i) bytes.push_back(static_cast<uint8_t>(header.size() >> (8 * (i - 8))));
  bytes.insert(bytes.end(), header.begin(), header.end());
  bytes.insert(bytes.end(), values.begin(), values.end());
  return bytes;
}

inline std::vector<uint8_t> npy_bytes(const std::string& descr, const std::string& shape,
                                      const std::vector<uint8_t>& values, int version = 1) {
  return npy_file("{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }", values, version);
}

struct ZipFile {
  std::string name;
  std::vector<uint8_t> bytes;
  bool deflated;
};

inline void add_number(std::vector<uint8_t>& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

inline std::vector<uint8_t> deflated(const std::vector<uint8_t>& bytes) {
  z_stream stream = {};
  deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::vector<uint8_t> out(deflateBound(&stream, bytes.size()));
  stream.next_in = const_cast<uint8_t*>(bytes.data());
  stream.avail_in = static_cast<unsigned>(bytes.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<unsigned>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

// A ZIP archive. As NumPy's, its local headers carry an extra field of 20 bytes.
inline std::vector<uint8_t> zip_bytes(const std::vector<ZipFile>& files) {
  std::vector<uint8_t> out, directory;
  for (const ZipFile& file : files) {
    const std::vector<uint8_t> packed = file.deflated ? deflated(file.bytes) : file.bytes;
    const uint64_t checksum = crc32(0, file.bytes.data(), static_cast<unsigned>(file.bytes.size())), at = out.size();
    const auto common = [&](std::vector<uint8_t>& to, uint64_t extra) {
      add_number(to, 20, 2), add_number(to, 0, 2), add_number(to, file.deflated ? 8 : 0, 2), add_number(to, 0, 4);
      add_number(to, checksum, 4), add_number(to, packed.size(), 4), add_number(to, file.bytes.size(), 4);
      add_number(to, file.name.size(), 2), add_number(to, extra, 2);
    };
    add_number(out, 0x04034b50, 4), common(out, 20);
    out.insert(out.end(), file.name.begin(), file.name.end());
    add_number(out, 1, 2), add_number(out, 16, 2), add_number(out, file.bytes.size(), 8),
        add_number(out, packed.size(), 8);
    out.insert(out.end(), packed.begin(), packed.end());
    add_number(directory, 0x02014b50, 4), add_number(directory, 20, 2), common(directory, 0);
    add_number(directory, 0, 2), add_number(directory, 0, 8), add_number(directory, at, 4);
    directory.insert(directory.end(), file.name.begin(), file.name.end());
  }
  const uint64_t begin = out.size();
  out.insert(out.end(), directory.begin(), directory.end());
  add_number(out, 0x06054b50, 4), add_number(out, 0, 4), add_number(out, files.size(), 2);
  add_number(out, files.size(), 2), add_number(out, directory.size(), 4), add_number(out, begin, 4),
      add_number(out, 0, 2);
  return out;
}

// Where its directory begins.
inline size_t zip_directory(const std::vector<uint8_t>& zip) {
  const uint8_t* const end = zip.data() + zip.size() - 6;
  return end[0] | size_t{end[1]} << 8 | size_t{end[2]} << 16 | size_t{end[3]} << 24;
}

}  // namespace idelta_test
