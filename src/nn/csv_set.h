// Data sets out of CSV files with named columns: one holds the labels, the others are features.
#ifndef IDELTA_NN_CSV_SET_H
#define IDELTA_NN_CSV_SET_H

#include <string>

#include "idelta/nn.hpp"

namespace idelta::nn {

// A set of two files. Ranges and classes are those of train_path; test_path may be the same.
Dataset load_csv_pair(const std::string& train_path, const std::string& test_path, Split split,
                      const LoadOptions& options);

// One file, of whose rows a fifth of each class, drawn with a fixed seed, are the test split. Both splits keep the
// order of the file.
Dataset load_csv_file(const std::string& path, Split split, const LoadOptions& options);

}  // namespace idelta::nn

#endif  // IDELTA_NN_CSV_SET_H
