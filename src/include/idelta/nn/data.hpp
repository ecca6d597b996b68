// Data sets of labelled images.
#ifndef IDELTA_NN_DATA_HPP
#define IDELTA_NN_DATA_HPP

#include <cstdint>
#include <string>
#include <vector>

namespace idelta::nn {

// count images of height x width, row-major, scaled to [0, 1]; label c in [0, classes). A loaded set has classes =
// largest label of its file + 1, so a small test split may have fewer than its training split: a network wants the
// latter's.
struct Dataset {
  std::string name;
  int64_t count = 0, height = 0, width = 0, classes = 0;
  std::vector<float> images;  // count x (height * width)
  std::vector<uint8_t> labels;
  std::string images_path, labels_path;  // where it was read; empty if it was made otherwise

  int64_t pixels() const { return height * width; }
};

enum class Split { kTrain, kTest };

inline constexpr int64_t kAllImages = INT64_MAX;

// "fashion-mnist" ($IDELTA_DATA/fashion-mnist if IDELTA_DATA is set, else Debian's dataset-fashion-mnist) or a folder
// that holds the four IDX files under their usual names, plain or .gz: train-images-idx3-ubyte[.gz],
// train-labels-idx1-ubyte[.gz], t10k-..., or train-images.idx3-ubyte[.gz], ... A folder of that very name in the
// working directory is "./fashion-mnist". Of the images only the first `most` are read, and memory is taken for no
// more.
Dataset load_dataset(const std::string& name_or_folder, Split split, int64_t most = kAllImages);

// One pair of IDX files (unsigned bytes; images of rank 3, labels of rank 1), plain or gz whatever their names.
Dataset load_idx(const std::string& images_path, const std::string& labels_path, int64_t most = kAllImages);

// Sentences about classes, of so many, that a training set has no image of.
std::vector<std::string> warnings(const Dataset& data, int64_t classes);

// The first `count` images of a set (all if it has fewer).
Dataset head(const Dataset& data, int64_t count);

}  // namespace idelta::nn

#endif  // IDELTA_NN_DATA_HPP
