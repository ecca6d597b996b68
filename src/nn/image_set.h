// Data sets out of a pair of arrays, images and labels: IDX and .npy files.
#ifndef IDELTA_NN_IMAGE_SET_H
#define IDELTA_NN_IMAGE_SET_H

#include <cstdint>
#include <span>

#include "data_place.h"
#include "idelta/nn.hpp"

namespace idelta::nn {

Dataset load_idx_set(const Place& place, Split split, const LoadOptions& options);
Dataset load_npy_set(const Place& place, Split split, const LoadOptions& options);

// What is not an IDX file's own: bytes become [0, 1], and [-1, 1] where the options or the network ask for that.
void fill_from_bytes(Dataset& data, std::span<const uint8_t> values, const LoadOptions& options);

// Throws unless a scaling is empty or is one of the set's pixels.
void check_scaling(const Dataset& data, const Scaling& scaling);

}  // namespace idelta::nn

#endif  // IDELTA_NN_IMAGE_SET_H
