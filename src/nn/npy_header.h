// The header of a .npy file: a dictionary as Python writes it, with three entries.
#ifndef IDELTA_NN_NPY_HEADER_H
#define IDELTA_NN_NPY_HEADER_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace idelta::nn {

struct NpyHeader {
  bool big_endian = false;
  char kind = 0;     // 'b' bool, 'u' and 'i' integers, 'f' floats
  size_t bytes = 0;  // of a value
  std::vector<int64_t> shape;
};

// Throws a sentence without the file's name, for a text that is no such dictionary and for arrays that are not read.
NpyHeader parse_npy_header(std::string_view text);

}  // namespace idelta::nn

#endif  // IDELTA_NN_NPY_HEADER_H
