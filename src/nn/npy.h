// The .npy file format of NumPy, versions 1.0 to 3.0:
//
//   bytes  93 'NUMPY'  major minor | length H of the header, little-endian, 2 bytes (1.0) or 4 | header | values
//   {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
//
// Read are integers, bool, float32 and float64 in either byte order, row-major; files may be gzipped.
#ifndef IDELTA_NN_NPY_H
#define IDELTA_NN_NPY_H

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace idelta::nn {

struct NpyArray {
  std::vector<int64_t> shape;  // as the header has it
  int64_t kept = 0;            // of the first size: all, or as many as were asked for
  // kept times the other sizes: uint8; bool and other integers; float32; float64.
  std::variant<std::vector<uint8_t>, std::vector<int64_t>, std::vector<float>, std::vector<double>> values;
};

// Where the bytes of a file are from: read(out, bytes) gives fewer than asked for only at the end.
using ReadBytes = std::function<size_t(uint8_t* out, size_t bytes)>;

// The first `most` entries of the first dimension; no more is read or held in memory. Anything but exactly one array is
// an error that begins with `name`.
NpyArray read_npy(const std::string& name, const ReadBytes& read, int64_t most);
NpyArray read_npy(const std::string& path, int64_t most);

// An array of these sizes, row-major, in version 1.0. Whole or not at all (files/output_file.h).
void write_npy(const std::string& path, const std::vector<int64_t>& shape, std::span<const float> values);
void write_npy(const std::string& path, const std::vector<int64_t>& shape, std::span<const double> values);
void write_npy(const std::string& path, const std::vector<int64_t>& shape, std::span<const int64_t> values);

}  // namespace idelta::nn

#endif  // IDELTA_NN_NPY_H
