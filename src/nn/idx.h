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
  std::vector<int64_t> sizes;   // as the header has them
  int64_t kept = 0;             // of the first size: all, or as many as were asked for
  std::vector<uint8_t> values;  // kept times the other sizes
};

// The first `most` entries of the first dimension; no more is read or held in memory. Anything but exactly one array of
// this rank is an error that names the file; of a gz stream only what is unpacked is known.
IdxBytes read_idx(const std::string& path, int rank, int64_t most);

}  // namespace idelta::nn

#endif  // IDELTA_NN_IDX_H
