#include "npy.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "error.h"
#include "files/output_file.h"
#include "npy_header.h"
#include "packed_file.h"

namespace idelta::nn {
namespace {

static_assert(std::endian::native == std::endian::little, "values of this machine's order are not swapped here");

constexpr char kMagic[] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};
constexpr size_t kMaxHeaderBytes = size_t{1} << 20;  // NumPy writes 64 to 128
constexpr size_t kAlignment = 64;                    // of the values in the file

// A header may lie: memory grows with the bytes that really arrive.
constexpr size_t kChunkBytes = size_t{1} << 20;

// Of 8 bytes they take an eighth of the address space at most, which leaves room for what is made of them.
constexpr size_t kMostValues = std::numeric_limits<size_t>::max() / 64;

constexpr char kMend[] = "; copy or save the file again";

NpyHeader read_header(const std::string& name, const ReadBytes& read) {
  uint8_t start[8];
  const size_t got = read(start, sizeof start);
  if (got < sizeof start || std::memcmp(start, kMagic, sizeof kMagic) != 0) {
    fail(name, ": is no .npy file, which begins with 93 'NUMPY'; give one that numpy.save wrote");
  }
  const int major = start[6];
  if (major < 1 || major > 3) {
    fail(name, ": is of version ", major, ".", int{start[7]}, " of .npy; 1.0, 2.0 and 3.0 are read");
  }
  uint8_t length[4] = {};
  const size_t length_bytes = major == 1 ? 2 : 4;
  if (read(length, length_bytes) < length_bytes) fail(name, ": ends inside its header", kMend);
  const size_t bytes = length[0] | size_t{length[1]} << 8 | size_t{length[2]} << 16 | size_t{length[3]} << 24;
  if (bytes > kMaxHeaderBytes) {
    fail(name, ": promises a header of ", bytes, " bytes, and ", kMaxHeaderBytes, " is the limit; the file is damaged");
  }
  std::string text(bytes, '\0');
  if (read(reinterpret_cast<uint8_t*>(text.data()), bytes) < bytes) fail(name, ": ends inside its header", kMend);
  try {
    return parse_npy_header(text);
  } catch (const std::runtime_error& e) {
    fail(name, ": ", e.what());
  }
}

// Values of one row of the first dimension.
size_t row_size(const std::string& name, const std::vector<int64_t>& shape) {
  size_t total = 1;
  for (size_t d = shape.size(); d-- > 0;) {
    const auto size = static_cast<size_t>(shape[d]);
    if (size != 0 && total > kMostValues / size) {
      fail(name, ": its header promises more values than any memory holds; the file is damaged");
    }
    if (d > 0) total *= size;
  }
  return total;
}

// One value of the file's type as the wanted one.
template <class Stored, class Wanted>
Wanted value_at(const uint8_t* bytes, bool swaps) {
  uint8_t ordered[sizeof(Stored)];
  for (size_t i = 0; i < sizeof(Stored); ++i) ordered[i] = bytes[swaps ? sizeof(Stored) - 1 - i : i];
  Stored value;
  std::memcpy(&value, ordered, sizeof value);
  return static_cast<Wanted>(value);
}

template <class Stored, class Wanted>
std::vector<Wanted> read_values(const std::string& name, const ReadBytes& read, size_t count, bool swaps) {
  std::vector<Wanted> values;
  std::vector<uint8_t> chunk;
  while (values.size() < count) {
    const size_t now = std::min(count - values.size(), kChunkBytes / sizeof(Stored));
    chunk.resize(now * sizeof(Stored));
    const size_t got = read(chunk.data(), chunk.size());
    if (got < chunk.size()) {
      fail(name, ": ends after ", values.size() + got / sizeof(Stored), " of the ", count,
           " values that its header promises", kMend);
    }
    for (size_t i = 0; i < now; ++i) {
      values.push_back(value_at<Stored, Wanted>(chunk.data() + i * sizeof(Stored), swaps));
      if constexpr (std::is_same_v<Stored, uint64_t>) {
        if (values.back() >= 0) continue;
        fail(name, ": value ", values.size() - 1, " is above ", std::numeric_limits<int64_t>::max(),
             "; save array.astype('float64')");
      }
    }
  }
  return values;
}

decltype(NpyArray::values) read_values(const std::string& name, const ReadBytes& read, size_t count,
                                       const NpyHeader& header) {
  const auto as = [&]<class Stored, class Wanted>(Stored, Wanted) -> decltype(NpyArray::values) {
    return read_values<Stored, Wanted>(name, read, count, header.big_endian);
  };
  if (header.kind == 'f') return header.bytes == 4 ? as(float(), float()) : as(double(), double());
  if (header.kind == 'u' && header.bytes == 1) return as(uint8_t(), uint8_t());
  const bool is_signed = header.kind == 'i';
  switch (header.bytes) {
    case 1:
      return is_signed ? as(int8_t(), int64_t()) : as(uint8_t(), int64_t());
    case 2:
      return is_signed ? as(int16_t(), int64_t()) : as(uint16_t(), int64_t());
    case 4:
      return is_signed ? as(int32_t(), int64_t()) : as(uint32_t(), int64_t());
    default:
      return is_signed ? as(int64_t(), int64_t()) : as(uint64_t(), int64_t());
  }
}

template <class Number>
void write(const std::string& path, const std::vector<int64_t>& shape, std::span<const Number> values,
           const char* descr) {
  uint64_t count = 1;
  std::string sizes;
  for (const int64_t size : shape) {
    if (size < 0 || __builtin_mul_overflow(count, static_cast<uint64_t>(size), &count)) {
      fail(path, ": not written, since an array has no size ", size, "; give sizes of 0 or more");
    }
    sizes += std::to_string(size) + (shape.size() == 1 ? "," : ", ");
  }
  if (shape.size() > 1) sizes.resize(sizes.size() - 2);
  if (count != values.size()) {
    fail(path, ": not written, since the sizes ask for ", count, " values and there are ", values.size(),
         "; give as many");
  }
  std::string header = sentence("{'descr': '", descr, "', 'fortran_order': False, 'shape': (", sizes, "), }");
  constexpr size_t kBefore = sizeof kMagic + 4;
  header.resize((kBefore + header.size() + 1 + kAlignment - 1) / kAlignment * kAlignment - kBefore - 1, ' ');
  header += '\n';
  std::string start(kMagic, sizeof kMagic);
  for (const size_t byte : {size_t{1}, size_t{0}, header.size() & 255, header.size() >> 8}) {
    start += static_cast<char>(byte);
  }
  files::OutputFile file(path);
  file.write(start.data(), start.size());
  file.write(header.data(), header.size());
  file.write(values.data(), values.size_bytes());
  file.commit();
}

}  // namespace

NpyArray read_npy(const std::string& name, const ReadBytes& read, int64_t most) {
  const NpyHeader header = read_header(name, read);
  if (header.shape.empty()) fail(name, ": holds one number, not an array; save an array");
  NpyArray array{header.shape, std::min(header.shape[0], most), {}};
  const size_t row = row_size(name, header.shape);
  array.values = read_values(name, read, row * static_cast<size_t>(array.kept), header);
  uint8_t extra;
  // Reading on also makes zlib verify the checksum at the end.
  if (array.kept == header.shape[0] && read(&extra, 1) != 0) {
    fail(name, ": goes on after the ", row * static_cast<size_t>(array.kept),
         " values that its header promises; the file is damaged", kMend);
  }
  return array;
}

NpyArray read_npy(const std::string& path, int64_t most) {
  PackedFile file(path);
  return read_npy(
      path, [&](uint8_t* out, size_t bytes) { return file.read(out, bytes); }, most);
}

void write_npy(const std::string& path, const std::vector<int64_t>& shape, std::span<const float> values) {
  write(path, shape, values, "<f4");
}
void write_npy(const std::string& path, const std::vector<int64_t>& shape, std::span<const double> values) {
  write(path, shape, values, "<f8");
}
void write_npy(const std::string& path, const std::vector<int64_t>& shape, std::span<const int64_t> values) {
  write(path, shape, values, "<i8");
}

}  // namespace idelta::nn
