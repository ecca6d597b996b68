// .npz files of NumPy: ZIP archives of .npy files, stored or deflated. What no .npz needs is refused by name:
// encryption, other packings, archives of several parts or beyond 4 GiB.
#ifndef IDELTA_NN_NPZ_H
#define IDELTA_NN_NPZ_H

#include <cstdint>
#include <string>
#include <vector>

#include "npy.h"

namespace idelta::nn {

// Names of the arrays of a file, without ".npy", in its order.
std::vector<std::string> npz_arrays(const std::string& path);

// One of them, as read_npy reads it.
NpyArray read_npz(const std::string& path, const std::string& array, int64_t most);

}  // namespace idelta::nn

#endif  // IDELTA_NN_NPZ_H
