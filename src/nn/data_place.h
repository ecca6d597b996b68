// What lies where a data set is said to be: which kind of files, and which of them are its images and labels.
#ifndef IDELTA_NN_DATA_PLACE_H
#define IDELTA_NN_DATA_PLACE_H

#include <filesystem>
#include <string>
#include <vector>

#include "idelta/nn.hpp"

namespace idelta::nn {

enum class PlaceKind { kIdx, kCsvFile, kCsvPair, kNpy, kNpz, kNpzFile };

struct Place {
  PlaceKind kind = PlaceKind::kIdx;
  std::filesystem::path folder;  // or the one file
  std::string prefix;            // of the names of IDX and .npz files, as "emnist-letters"; often empty
  std::string mend;              // what to do if a file is not there
};

// Throws for a place where nothing can be.
Place find_place(const std::string& name_or_place);

// The path of an IDX file, of "images" or "labels". What is a folder is passed over for a file of another of its names:
// browsers and archivers make one beside the file that they unpack. Throws if there is none.
std::string find_idx_file(const Place& place, Split split, const std::string& what);

// The path of train.csv or test.csv, plain or packed.
std::string find_csv_file(const Place& place, Split split);

// An array of "images" or "labels" in a .npy file, or in a .npz file under a name.
struct ArrayPlace {
  std::string path;
  std::string array;  // empty for .npy
};
ArrayPlace find_array(const Place& place, Split split, const std::string& what);

}  // namespace idelta::nn

#endif  // IDELTA_NN_DATA_PLACE_H
