// Reader of IDX files, the format of MNIST and its kin:
//
//   bytes  0 0   type   rank   | size_1 ... size_rank, 4 bytes each, big-endian | values, row-major
//
// Only unsigned bytes (type 8) are read. A file may be gzipped, whatever its name.
#ifndef IDELTA_NN_IDX_H
#define IDELTA_NN_IDX_H

#include <cstdint>
#include <string>
#include <vector>

namespace idelta::nn {

struct IdxBytes {
  std::vector<int64_t> sizes;
  std::vector<uint8_t> values;  // as many as the product of the sizes
};

// Reads the file whole; anything but exactly one array of this rank is an error that names the file.
IdxBytes read_idx(const std::string& path, int rank);

}  // namespace idelta::nn

#endif  // IDELTA_NN_IDX_H
