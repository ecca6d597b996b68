// Data sets of labelled images, or of rows of named features.
#ifndef IDELTA_NN_DATA_HPP
#define IDELTA_NN_DATA_HPP

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace idelta::nn {

struct NetworkOptions;

// What was done to each feature before a network saw it: (value - offset) * factor, in fp64. A feature that was
// constant in the training set has factor 0. Both are empty where nothing was done, as with the pixels of IDX files.
struct Scaling {
  std::vector<double> offsets = {}, factors = {};  // P each

  bool empty() const { return factors.empty(); }
  bool operator==(const Scaling&) const = default;
};

// count images of height x width, row-major, scaled; label c in [0, classes). Named features are images of height 1. A
// set of IDX files has classes = largest label of its file + 1, so a small test split may have fewer than its training
// split: a network wants the latter's. Arrays of NumPy count likewise.
struct Dataset {
  std::string name = {};
  int64_t count = 0, height = 0, width = 0, classes = 0;
  std::vector<float> images = {};  // count x (height * width)
  std::vector<uint8_t> labels = {};
  std::string images_path = {}, labels_path = {};  // where it was read; empty if it was made otherwise
  std::vector<std::string> feature_names = {};  // one of each column of a CSV file; empty where columns have no names
  std::vector<std::string> class_names = {};    // `classes` of them; empty where they are not known
  std::string label_name = {};                  // of the column that holds the labels
  Scaling scaling = {};                         // that `images` went through
  std::vector<std::string> notes = {};          // sentences about what was done to the set beyond reading it

  int64_t pixels() const { return height * width; }
};

enum class Split { kTrain, kTest };

// Called by long work after each of its parts, which take about as long as each other.
using PartDone = std::function<void(int64_t done, int64_t parts)>;

inline constexpr int64_t kAllImages = INT64_MAX;

// The range that each feature of the training split is brought to. kUsual is 0 to 1 for CSV and nothing for the rest.
enum class Scale { kUsual, kNone, kZeroToOne, kMinusOneToOne };

struct LoadOptions {
  int64_t most = kAllImages;  // images of the split, from its first on
  Scale scale = Scale::kUsual;
  std::string label = {};         // the column of a CSV file with the labels; empty: see src/nn/DATA.md
  std::string classes_path = {};  // a text file of class names, one a line; empty: the folder's classes.txt, if any
  // The network that is to see the set. Its scaling, its label column and the order of its classes then hold in place
  // of what the training split says.
  const NetworkOptions* network = nullptr;
};

// A data set by its name or place. src/nn/DATA.md says what may be there:
//   "fashion-mnist"  $IDELTA_DATA/fashion-mnist if IDELTA_DATA is set, else Debian's dataset-fashion-mnist; a folder of
//                    that very name in the working directory is "./fashion-mnist"
//   a folder         of four IDX files, of train.csv and test.csv, or of .npy or .npz files
//   FOLDER/PREFIX    IDX or .npz files whose names begin so, as those of EMNIST
//   FILE.npz         the four arrays
//   FILE.csv[.gz]    split into training and test rows here, always in the same way
// Of IDX and .npy only the first `most` images are read, and memory is taken for no more; a Scale that asks for ranges
// of the training split reads all of that.
Dataset load_dataset(const std::string& name_or_place, Split split, const LoadOptions& options);
Dataset load_dataset(const std::string& name_or_place, Split split, int64_t most = kAllImages);

// One pair of IDX files (unsigned bytes; images of rank 3, labels of rank 1), plain or gz whatever their names.
Dataset load_idx(const std::string& images_path, const std::string& labels_path, int64_t most = kAllImages);

// Sentences about what was done to the set, and about classes, of so many, that it has no image of.
std::vector<std::string> warnings(const Dataset& data, int64_t classes);

// The first `count` images of a set (all if it has fewer).
Dataset head(const Dataset& data, int64_t count);

// "feature 3 is 'petal length', not 'petal width'": how the features of a set differ from those that a network was
// trained on; empty if they do not, or if one of the two has no names.
std::string feature_difference(const NetworkOptions& network, const std::vector<std::string>& feature_names);

}  // namespace idelta::nn

#endif  // IDELTA_NN_DATA_HPP
